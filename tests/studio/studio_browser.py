"""What a person does on the studio's page, for tests in a real Chromium."""

import base64
import json
import os
from pathlib import Path

from chromium import find_browser

CHROMIUM = find_browser()


def enter(browser, studio):
    browser.call("Runtime.enable")
    browser.call("Log.enable")
    browser.events.clear()
    browser.open(studio.url)
    browser.wait_for("document.querySelector('#choose') && !document.querySelector('#choose').disabled")
    browser.run("import('/studio.js').then((module) => { window.studio = module; })")


def bring(browser, photograph):
    browser.choose_file("#file", photograph)
    browser.wait_for("studio.page.sitter && studio.latencies.length > 0")
    settle(browser)


def settle(browser):
    """Wait until the picture on the page is that of the controls."""
    browser.wait_for("!studio.page.flying && !studio.page.wanted && !studio.page.painting")


def seen(browser, canvas="after"):
    """A small copy of what a canvas shows, as numbers."""
    text = browser.run(
        f"(() => {{ const c = new OffscreenCanvas(24, 24), g = c.getContext('2d');"
        f"g.drawImage(document.getElementById({canvas!r}), 0, 0, 24, 24);"
        "return btoa(String.fromCharCode(...g.getImageData(0, 0, 24, 24).data)); })()"
    )
    return base64.b64decode(text)


def apart(a, b):
    return sum(abs(x - y) for x, y in zip(a, b, strict=True)) / len(a)


def drop(browser, photograph):
    """Drop a file on the page, as a person does from a folder."""
    data = {"items": [], "files": [str(photograph)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.call("Input.dispatchDragEvent", type=kind, x=400, y=400, data=data)


def snapshot(browser, name):
    if folder := os.environ.get("MIRROR_TEST_PICTURES"):
        browser.picture(Path(folder, name))


def troubles(browser):
    """What the browser's console complained about."""
    logged = [e["entry"]["text"] for method, e in browser.events if method == "Log.entryAdded"]
    thrown = [json.dumps(e) for method, e in browser.events if method == "Runtime.exceptionThrown"]
    return logged + thrown
