"""Runs bash in which ``scd`` and ``python`` cost no start: one process has the libraries and forks.

``python commandserver.py SOCKET`` is that process. It says that it listens with a line on stdout,
and ends when its stdin does. A call is the files that are its stdin, stdout and stderr, and a line
of JSON with the words, the working folder and the environment; the answer is the exit status.
"""

import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import shutil
import socket
import subprocess
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

CLIENT = """#!{python} -IS
import json, os, socket, sys

with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    call = [[os.path.basename(sys.argv[0]), *sys.argv[1:]], os.getcwd(), dict(os.environ)]
    socket.send_fds(server, [b"!"], [0, 1, 2])
    server.sendall(json.dumps(call).encode() + b"\\n")
    sys.exit(int(server.recv(16) or 70))
"""
EXAMPLES = Path(__file__).parents[1] / "examples"
NAMING_OUTPUT = ("-o", "--output", "--calibrate", "--sweep")
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def serving():
    """A function that runs a text as bash in a folder: ``run(text, folder, **environment)``."""
    with TemporaryDirectory(prefix="scd") as bin_folder:  # a socket's path may not be long
        address = str(Path(bin_folder) / "socket")
        for name in ("scd", "python"):
            client = Path(bin_folder) / name
            client.write_text(CLIENT.format(python=sys.executable, address=address))
            client.chmod(0o755)
        env = os.environ | dict.fromkeys(ONE_THREAD, "1")
        command = [sys.executable, __file__, address]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, env=env, **pipes) as server:
            assert server.stdout.readline() == b"listening\n"
            path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"

            def run(text, folder, **environment):
                return subprocess.run(
                    ["bash", "-e", "-o", "pipefail", "-c", text],
                    cwd=folder,
                    env=env | {"PATH": path} | environment,
                    capture_output=True,
                    text=True,
                    stdin=subprocess.DEVNULL,
                )

            yield run
            server.stdin.close()


def listen(address):
    """Answer calls, each in a process of its own, until stdin ends."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        while 0 not in select.select([listener, 0], [], [])[0]:  # nothing is written to stdin
            caller, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _answer(caller)
            caller.close()
            _reap()


def _reap():
    """Take leave of the processes that have ended."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                return
        except ChildProcessError:
            return


def _answer(caller):
    status = 70
    try:
        _, files, _, _ = socket.recv_fds(caller, 1, 3)
        with caller.makefile("rb") as lines:
            words, folder, environment = json.loads(lines.readline())
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        sys.stdin, sys.stdout, sys.stderr = map(os.fdopen, (0, 1, 2), "rww", (-1, -1, 1))
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        status = _call(words)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        caller.sendall(str(status).encode())
        os._exit(0)


def _call(words):
    name, *given = words
    try:
        if name == "scd":
            _forget_output(given)
            importlib.import_module("scdcli.cli").main(given, prog_name="scd")
        else:
            sys.argv = given
            sys.path[:0] = [str(Path(given[0]).parent), str(EXAMPLES)]
            runpy.run_path(given[0], run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _forget_output(given):
    """Remove what a call would find at its output, as it does not where it is the first.

    Pages show several ways to make one thing.
    """
    if "--resume" in given:
        return
    outputs = [given[at + 1] for at, word in enumerate(given) if word in NAMING_OUTPUT]
    if "predict" in given and not outputs:
        images = given[given.index("predict") + 1 :][:2]
        outputs = ["__".join(Path(image).stem for image in images)]
    if given[0] == "simulate":
        split = given[given.index("--split") + 1] if "--split" in given else "train"
        outputs = [f"{given[1]}/{split}" if "--pairs" in given else given[1]]
    for output in map(Path, outputs):
        assert output.resolve().is_relative_to(Path.cwd())
        if output.is_dir():
            shutil.rmtree(output)
        else:
            output.unlink(missing_ok=True)


def load_all():
    """Import what commands import, and what PyTorch imports to train; no figures are drawn."""
    from matplotlib.figure import Figure

    import scdcli

    for module in pkgutil.walk_packages(scdcli.__path__, "scdcli."):
        if not module.name.startswith(("scdcli.__main__", "scdcli.qgis.plugin")):
            importlib.import_module(module.name)
    importlib.import_module("torch._dynamo")
    Figure.savefig = lambda *_, **__: None


if __name__ == "__main__":
    load_all()
    gc.freeze()  # or the first collection of each child would copy all of it
    listen(sys.argv[1])
