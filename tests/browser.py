"""A real browser without a window: Chromium through chromedriver's protocol."""

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from tempfile import TemporaryDirectory

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
WHY_NOT = (
    None if CHROMIUM and DRIVER else "no chromium with chromedriver (apt install chromium-driver)"
)
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    """One page at a time."""

    def __init__(self, port):
        self.at = f"http://127.0.0.1:{port}"

    def ask(self, method, path, content=None):
        body = None if method == "GET" else json.dumps(content or {}).encode()
        request = urllib.request.Request(self.at + path, body, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                request
            ) as reply:
                return json.load(reply)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from None

    def start(self, profile):
        options = {"binary": CHROMIUM, "args": [*FLAGS, f"--user-data-dir={profile}"]}
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        made = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.at += f"/session/{made['sessionId']}"

    def open(self, path, width=1200, height=900, dark=False):
        """Show a file, and wait until its map is drawn; what was logged before is forgotten."""
        device = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.devtools("Emulation.setDeviceMetricsOverride", device)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.devtools("Emulation.setEmulatedMedia", {"features": [scheme, still]})
        self.log("browser"), self.log("performance")
        self.ask("POST", "/url", {"url": path.resolve().as_uri()})

    def until(self, script, seconds=20):
        end = time.monotonic() + seconds
        while not (found := self.run(f"return {script}")):
            assert time.monotonic() < end, f"never: {script}"
            time.sleep(0.05)
        return found

    def devtools(self, command, params=None):
        return self.ask("POST", "/goog/cdp/execute", {"cmd": command, "params": params or {}})

    def log(self, kind):
        return self.ask("POST", "/se/log", {"type": kind})

    def run(self, script, *args):
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(args)})

    def find(self, selector):
        found = self.ask("POST", "/element", {"using": "css selector", "value": selector})
        return found[ELEMENT]

    def click(self, selector):
        self.ask("POST", f"/element/{self.find(selector)}/click")

    def type(self, selector, keys):
        self.ask("POST", f"/element/{self.find(selector)}/value", {"text": keys})

    def pointer(self, *actions):
        """Mouse actions: ("move", x, y), ("down",), ("up",), from the top left of the view."""
        steps = {
            "move": lambda x, y: {"type": "pointerMove", "x": x, "y": y, "duration": 40},
            "down": lambda: {"type": "pointerDown", "button": 0},
            "up": lambda: {"type": "pointerUp", "button": 0},
        }
        moves = [steps[name](*where) for name, *where in actions]
        mouse = {"type": "pointer", "id": "mouse", "actions": moves}
        self.ask("POST", "/actions", {"actions": [mouse]})

    def box(self, selector):
        """Left, top, width and height in the view."""
        return self.run(
            "const b = document.querySelector(arguments[0]).getBoundingClientRect();"
            "return [b.left, b.top, b.width, b.height]",
            selector,
        )

    def screenshot(self, whole=False):
        """A PNG of the view, or of all of the page."""
        params = {"format": "png", "captureBeyondViewport": whole}
        if whole:
            sizes = self.devtools("Page.getLayoutMetrics")["cssContentSize"]
            params["clip"] = {"x": 0, "y": 0, "scale": 1} | {
                k: sizes[k] for k in ("width", "height")
            }
        return base64.b64decode(self.devtools("Page.captureScreenshot", params)["data"])

    def pdf(self):
        options = {"printBackground": True, "preferCSSPageSize": True}
        return base64.b64decode(self.devtools("Page.printToPDF", options)["data"])

    def requests(self):
        """Addresses that were asked for since the page was opened, but those inside the page."""
        sent = (json.loads(entry["message"])["message"] for entry in self.log("performance"))
        asked = [
            m["params"]["request"]["url"]
            for m in sent
            if m["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in asked if not url.startswith(("data:", "blob:"))]


@contextmanager
def browsing():
    """A browser that goes away at the end, whatever happens."""
    with TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        driver = subprocess.Popen(
            [DRIVER, "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"HOME": profile},
        )
        try:
            port = (
                next(line for line in driver.stdout if "successfully" in line)
                .split()[-1]
                .rstrip(".")
            )
            browser = Browser(int(port))
            browser.start(profile)
            try:
                yield browser
            finally:
                browser.ask("DELETE", "")
        finally:
            driver.terminate()
            driver.wait(10)
            driver.stdout.close()
