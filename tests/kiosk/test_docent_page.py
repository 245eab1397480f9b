"""The docent's page in a real Chromium on a phone's screen: it opens, asks, breaks, comes back, repeats nothing."""

import base64
import os
from pathlib import Path

import pytest

pytest.importorskip("websockets", reason="the extra 'docent' is not installed")
from chromium import Browser, find_browser
from docent_parts import PIN, STATE

CHROMIUM = find_browser()
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here")


@pytest.fixture
def phone():
    browser = Browser(CHROMIUM)
    yield browser
    browser.close()


STOPPED = "window.clock = performance.now(); performance.now = () => window.clock"
"""The page's clock, which only the test moves: nothing is held too long or too old because the machine is busy."""

HELD = "window.clock += 2400; new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def enter(phone, page):
    phone.open(page.url)
    phone.run(STOPPED)
    phone.run(f"document.querySelector('#pin').value = {PIN!r}")
    phone.press("#pin-form button")
    phone.wait_for("!document.querySelector('#desk').hidden && !document.querySelector('#pause').disabled")


def told(page, **show):
    page.board.write({**STATE, "show": {**STATE["show"], **show}})


def test_pin_state_commands_and_reconnection(page, phone):
    # A wrong PIN keeps the door shut.
    phone.open(page.url)
    phone.run("document.querySelector('#pin').value = '0000'")
    phone.press("#pin-form button")
    phone.wait_for("document.querySelector('#refused').textContent === 'wrong PIN'")
    assert phone.run("document.querySelector('#desk').hidden")

    # The right one opens it, and the state is there to be read.
    cells = base64.b64encode(bytes([200, 40, 10] * 4)).decode()
    told(page, preview=cells)
    enter(phone, page)
    assert "The show runs" in phone.text()
    assert "63 ms" in phone.text()
    assert "eye 1" in phone.text()
    phone.wait_for("document.querySelector('#preview').width === 2")
    pixel = "[...document.querySelector('#preview').getContext('2d').getImageData(1, 1, 1, 1).data]"
    assert phone.run(pixel) == [200, 40, 10, 255]
    assert phone.run("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the phone"
    visible = "[...document.querySelectorAll('button')].filter(b => b.offsetParent)"
    assert phone.run(f"Math.min(...{visible}.map(b => b.getBoundingClientRect().height))") >= 44, (
        "too small for fingers"
    )

    # Each button asks once for what it says.
    phone.press("#pause")
    assert page.asked()["do"] == "pause"
    phone.press("#blackout")
    assert page.asked()["value"] is True
    told(page, blackout=True)
    phone.wait_for("document.querySelector('#blackout').textContent === 'Picture back'")
    phone.press("#blackout")
    assert page.asked()["value"] is False
    phone.run("document.querySelector('#cue').value = 'storm'")
    phone.press("#cue-go")
    assert (page.asked())["value"] == "storm"
    phone.run("const l = document.querySelector('#light'); l.value = 0.5; l.oninput()")
    assert page.asked()["value"] == 0.5

    # A restart must be meant: a tap is not enough.
    phone.press("#restart")
    assert page.asked(0.5) is None
    phone.press("#restart", held=HELD)
    assert page.asked()["do"] == "restart"

    # What is pressed while the connection is down is never sent, not even later.
    page.kill()
    phone.wait_for("document.querySelector('#pause').disabled")
    phone.run("document.querySelector('#pause').disabled = false; document.querySelector('#pause').click()")
    page.start()
    page.board.write(STATE)
    phone.wait_for("!document.querySelector('#pause').disabled && page.tick !== null")
    assert page.asked(1.0) is None
    assert phone.run("document.querySelector('#door').hidden"), "the PIN is not asked for again"

    # A command that a sleeping phone flushes late is refused by the server.
    phone.run("page.socket.send(JSON.stringify({id: 99, do: 'pause', value: true, tick: page.tick - 1000}))")
    phone.wait_for("document.querySelector('#said').textContent.includes('too late')")
    assert page.asked(0.2) is None

    # A show that is not there cannot be asked for a cue, but can be restarted.
    page.board.write({**STATE, "drawing": False, "mode": "safe", "problems": ["safe mode: ..."]})
    phone.wait_for("document.querySelector('#cue-go').disabled && !document.querySelector('#restart').disabled")
    assert "Safe mode" in phone.text()
    phone.press("#pause")
    assert page.asked()["do"] == "pause"
    if folder := os.environ.get("MIRROR_TEST_PICTURES"):
        phone.picture(Path(folder, "docent.png"))


def test_nothing_is_loaded_from_elsewhere_and_no_error_is_logged(page, phone):
    phone.call("Runtime.enable")
    enter(phone, page)
    names = phone.run("performance.getEntriesByType('resource').map(entry => new URL(entry.name).origin)")
    assert set(names) <= {page.url.rstrip("/")}
    blocked = "new Promise(done => { document.addEventListener('securitypolicyviolation', () => done('blocked'));"
    blocked += "fetch('http://127.0.0.1:1/').catch(() => setTimeout(() => done('open'), 1000)); })"
    assert phone.run(blocked) == "blocked"
