"""A real Chromium without a window, driven over its DevTools protocol: no driver program is needed.

from chromium import Browser, find_browser
"""

import base64
import itertools
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from websockets.sync.client import connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_S = 60.0  # of every wait: all end when what they wait for is there, and only a broken program takes so long


def find_browser():
    """Path of an installed Chromium, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One page, on a phone's screen unless told otherwise.

    Args:
        path: The program.
        size: Of the page, in CSS pixels.
        mobile: Whether it behaves like a phone.
        options: Further options of the program.
    """

    def __init__(self, path: str, size=(390, 844), *, mobile=True, options=()) -> None:
        self._folder = tempfile.mkdtemp(prefix="mirror-browser-")
        options = [*options, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        options += ["--disable-dev-shm-usage"]
        options += ["--remote-debugging-port=0", f"--user-data-dir={self._folder}", "--disable-background-networking"]
        self._process = subprocess.Popen([path, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._stack = ExitStack()
        try:
            self._attach(size, mobile)
        except BaseException:
            self._end()
            raise

    def _attach(self, size, mobile) -> None:
        port = self._port()
        pages, deadline = [], time.monotonic() + PATIENCE_S
        while not pages:  # the port is there before the page is
            assert time.monotonic() < deadline, "Chromium has no page"
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=PATIENCE_S) as answer:
                pages = [item["webSocketDebuggerUrl"] for item in json.load(answer) if item["type"] == "page"]
        # No pings: a browser that a busy machine lets wait for half a minute is not gone.
        self._socket = self._stack.enter_context(
            connect(pages[0], max_size=None, open_timeout=PATIENCE_S, ping_interval=None)
        )
        self._numbers = itertools.count(1)
        self.events = []
        """What the browser told by itself, in order: (method, parameters)."""

        width, height = size
        scale = 2 if mobile else 1
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )
        self.call("Page.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def call(self, method: str, **parameters):
        """Call a method of the protocol and wait for its answer."""
        number = self._send(method, parameters)
        while (message := self._hear()).get("id") != number:
            pass
        assert "error" not in message, message
        return message["result"]

    def event(self, method: str, since: int = 0, **wanted):
        """Wait for an event with these parameters, heard from the place `since` of `events` on; returns them all."""
        while True:
            for name, told in self.events[since:]:
                if name == method and wanted.items() <= told.items():
                    return told
            since = len(self.events)
            self._hear()

    def open(self, url: str) -> None:
        """Go to a page, and wait until it is loaded: it, and not the one that was there before."""
        since = len(self.events)
        loader = self.call("Page.navigate", url=url)["loaderId"]
        self.event("Page.lifecycleEvent", since, loaderId=loader, name="load")

    def _send(self, method: str, parameters) -> int:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        return number

    def _hear(self):
        """The next message; an event is kept."""
        message = json.loads(self._socket.recv(timeout=PATIENCE_S))
        if "method" in message:
            self.events.append((message["method"], message["params"]))
        return message

    def run(self, script: str):
        """Evaluate JavaScript; returns its value."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_for(self, script: str, limit_s: float = PATIENCE_S) -> None:
        """Wait until a JavaScript expression is true."""
        deadline = time.monotonic() + limit_s
        while not self.run(f"Boolean({script})"):
            assert time.monotonic() < deadline, f"not within {limit_s} s: {script}; page says: {self.text()}"
            time.sleep(0.05)

    def choose_file(self, selector: str, *files: Path) -> None:
        """Choose files as a person would in the system's window."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def key(self, key: str, code: str = "", *, up: bool = True, down: bool = True, modifiers: int = 0) -> None:
        """Press a key, or only hold it or let it go; modifiers as in the protocol: 2 is Ctrl, 8 Shift."""
        codes = {"ArrowLeft": 37, "ArrowRight": 39, "Tab": 9, " ": 32, "End": 35, "Home": 36}
        number = codes.get(key, ord(key.upper()[0]))
        parts = {"key": key, "code": code or key, "modifiers": modifiers, "windowsVirtualKeyCode": number}
        if down:
            self.call("Input.dispatchKeyEvent", type="rawKeyDown", **parts)
        if up:
            self.call("Input.dispatchKeyEvent", type="keyUp", **parts)

    def text(self) -> str:
        """What a person can read on the page."""
        return self.run("document.body.innerText")

    def press(self, selector: str, held: str = "") -> None:
        """Press an element with a finger; JavaScript in `held` runs, to its end, before it is lifted."""
        box = self.run(
            f"(() => {{ const e = document.querySelector({selector!r}); e.scrollIntoView({{block: 'center'}});"
            "const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        mouse = {"x": box[0], "y": box[1], "button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type="mousePressed", **mouse)
        if held:
            self.run(held)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", **mouse)

    def picture(self, path: Path) -> None:
        """Save what the page looks like."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        """End the browser."""
        self._end()

    def _end(self) -> None:
        self._stack.close()
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _port(self) -> int:
        file = Path(self._folder, "DevToolsActivePort")
        deadline = time.monotonic() + PATIENCE_S
        while not file.exists() or not file.read_text().strip():
            assert time.monotonic() < deadline, "Chromium did not start"
            time.sleep(0.05)
        return int(file.read_text().split()[0])
