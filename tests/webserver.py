"""A web server on this machine that serves a folder, well or badly.

A process of its own: GDAL opens files without letting other threads of its process run.
"""

import json
import re
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

MANNERS = {
    "range": "parts of a file, as asked",
    "half": "parts of the first half of a file; 500 for the rest",
    "busy": "503 when asked for something the first time, then as range",
    "whole": "always the whole file",
    "hang": "nothing at all",
}


class Handler(BaseHTTPRequestHandler):
    """The first part of a path says how to answer: one of `MANNERS`, or a status such as 404."""

    protocol_version = "HTTP/1.1"
    root: Path
    log: Path
    asked: ClassVar = set()

    def do_GET(self):
        self.answer(body=True)

    def do_HEAD(self):
        self.answer(body=False)

    def log_message(self, *_):
        """Say nothing on stderr."""

    def answer(self, *, body):
        _, manner, *rest = self.path.split("?")[0].split("/")
        file = self.root.joinpath(*rest)
        if manner == "hang":
            time.sleep(600)
        request = (self.command, self.path, self.headers.get("Range"))
        if manner.isdecimal():
            self.reply(int(manner), b"", body=body)
        elif not file.is_file():
            self.reply(404, b"", body=body)
        elif manner == "busy" and request not in self.asked:
            self.asked.add(request)
            self.reply(503, b"", body=body)
        else:
            self.send_file(file.read_bytes(), manner, body=body)

    def send_file(self, content, manner, *, body):
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if manner == "whole" or not asked:
            self.reply(200, content, body=body)
            return
        first, last = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
        if manner == "half" and last > len(content) // 2:
            self.reply(500, b"", body=body)
            return
        place = f"bytes {first}-{last}/{len(content)}"
        self.reply(206, content[first : last + 1], body=body, **{"Content-Range": place})

    def reply(self, status, content, *, body, **headers):
        sent = content if body else b""
        record = {"method": self.command, "path": self.path, "status": status, "sent": len(sent)}
        with self.log.open("a") as stream:
            stream.write(json.dumps(record) + "\n")
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(ConnectionError):  # who asked has seen enough
            self.wfile.write(sent)


class Site:
    """A running server: its port, and what it was asked for."""

    def __init__(self, port, log):
        self.port, self.log = port, log

    def address(self, path):
        return f"http://127.0.0.1:{self.port}/{path}"

    def requests(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def forget(self):
        self.log.write_text("")


@contextmanager
def serving(root, log):
    """Serve a folder until the block ends."""
    log.write_text("")
    command = [sys.executable, __file__, str(root), str(log)]
    quiet = {"stderr": subprocess.DEVNULL, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **quiet, text=True) as process:
        try:
            yield Site(int(process.stdout.readline()), log)
        finally:
            process.kill()


if __name__ == "__main__":
    Handler.root, Handler.log = Path(sys.argv[1]), Path(sys.argv[2])
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        sys.stdout.write(f"{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()
