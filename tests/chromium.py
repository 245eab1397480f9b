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
START_S = 60.0


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
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
            page = next(item for item in json.load(answer) if item["type"] == "page")
        address = page["webSocketDebuggerUrl"]
        self._socket = self._stack.enter_context(connect(address, max_size=None, open_timeout=START_S))
        self._numbers = itertools.count(1)
        self.events = []
        """What the browser told by itself, in order: (method, parameters)."""

        width, height = size
        scale = 2 if mobile else 1
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )
        self.call("Page.enable")

    def call(self, method: str, **parameters):
        """Call a method of the protocol and wait for its answer."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=30))
            if "method" in message:
                self.events.append((message["method"], message["params"]))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def open(self, url: str) -> None:
        """Go to a page."""
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'")

    def run(self, script: str):
        """Evaluate JavaScript; returns its value."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_for(self, script: str, limit_s: float = 20.0) -> None:
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

    def press(self, selector: str, seconds: float = 0.0) -> None:
        """Press an element with a finger, for a while."""
        box = self.run(
            f"(() => {{ const e = document.querySelector({selector!r}); e.scrollIntoView({{block: 'center'}});"
            "const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        mouse = {"x": box[0], "y": box[1], "button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type="mousePressed", **mouse)
        if seconds:
            time.sleep(seconds)
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
        self._process.wait(10)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _port(self) -> int:
        file = Path(self._folder, "DevToolsActivePort")
        deadline = time.monotonic() + START_S
        while not file.exists() or not file.read_text().strip():
            assert time.monotonic() < deadline, "Chromium did not start"
            time.sleep(0.05)
        return int(file.read_text().split()[0])
