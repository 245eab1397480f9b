"""The studio's page in a real Chromium: a photograph is dropped, sliders move it, films are saved, nothing stays."""

import json
import threading
import time

import pytest

pytest.importorskip("websockets", reason="the extra 'docent' is not installed")
from chromium import Browser
from studio_browser import CHROMIUM, apart, bring, drop, enter, seen, settle, troubles
from studio_served import Served

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here")

FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


def test_a_dropped_photograph_is_redrawn_and_every_kind_of_control_moves_it(studio, desk, people):
    enter(desk, studio)
    drop(desk, people / "one.jpg")
    desk.wait_for("studio.page.sitter && studio.latencies.length > 0")
    settle(desk)
    assert "Found and redrawn in" in desk.text()
    rest = seen(desk)
    for address, value in (
        ("/mirror/direction/age", 1.0), ("/mirror/morph/power", 1.0), ("/mirror/psi", 0.0), ("/mirror/look", "oil"),
    ):  # fmt: skip
        before = seen(desk)
        desk.run(f"studio.controls.set({address!r}, {json.dumps(value)})")
        settle(desk)
        assert apart(seen(desk), before) > 0.5, address
    assert "power" in desk.run("document.querySelector('#caption').textContent")
    assert "100 %" in desk.run("document.querySelector('#after').getAttribute('aria-label')")

    for _ in range(4):  # undo brings everything back, redo takes it again, reset can be undone
        desk.run("document.querySelector('#undo').click()")
    settle(desk)
    assert seen(desk) == rest
    assert desk.run("document.querySelector('#undo').disabled")
    desk.key("z", modifiers=2 | 8)
    assert desk.run("studio.controls.get('/mirror/direction/age')") == 1.0
    desk.run("document.querySelector('#reset').click()")
    assert not desk.run("studio.controls.moved")
    desk.key("z", modifiers=2)
    assert desk.run("studio.controls.get('/mirror/direction/age')") == 1.0
    assert troubles(desk) == []


def test_a_finger_that_rests_and_one_that_lets_go_get_the_whole_picture(studio, desk, people):
    enter(desk, studio)
    bring(desk, people / "one.jpg")
    asked = "window.drafts = []; studio.link.ask = ((ask) => (message) => {"
    asked += "if (message.ask === 'picture') drafts.push(message.draft); return ask.call(studio.link, message); })"
    desk.run(f"{asked}(studio.link.ask)")
    for finished in ("false", "true"):
        desk.run(f"drafts.length = 0; studio.controls.set('/mirror/direction/age', Math.random(), {finished})")
        settle(desk)
        assert desk.run("drafts")[0] is (finished == "false"), "while it moves, a draft will do"
    # A draft that was drawn small is followed by the whole picture.
    desk.run("drafts.length = 0; studio.want(true)")
    settle(desk)
    assert desk.run("drafts") == [False]


def test_before_and_after_by_divider_by_button_and_by_key(studio, desk, people):
    enter(desk, studio)
    bring(desk, people / "one.jpg")
    desk.wait_for("studio.stage.before.photograph && studio.stage.before.reflection")
    split = "(() => {{ const s = document.querySelector('#split'); s.value = {}; s.oninput(); }})()"
    desk.run(split.format(50))
    assert "50 % photograph" in desk.run("document.querySelector('#split').getAttribute('aria-valuetext')")
    assert desk.run("getComputedStyle(document.querySelector('#before')).clipPath") == "inset(0px 50% 0px 0px)"
    photograph = seen(desk, "before")
    assert apart(photograph, seen(desk)) > 1
    desk.run("document.querySelector('[name=before][value=reflection]').click()")
    assert apart(seen(desk, "before"), seen(desk)) < 1.5, "at rest the picture is the reflection"
    desk.run(split.format(0))
    hidden = "document.querySelector('#before').hidden"
    assert desk.run(hidden)
    desk.key("c", up=False)
    assert not desk.run(hidden)
    desk.key("c", down=False)
    assert desk.run(hidden)
    desk.run("document.querySelector('#single-keys').checked = false")
    desk.key("c", up=False)
    assert desk.run(hidden), "whoever dictates text can switch single keys off"
    desk.key("c", down=False)
    desk.run("document.querySelector('#hold').focus()")
    desk.key(" ", "Space", up=False)
    assert not desk.run(hidden)
    desk.key(" ", "Space", down=False)
    assert desk.run(hidden)


def test_what_is_taken_home_is_saved_by_the_browser(studio, desk, people, tmp_path):
    enter(desk, studio)
    desk.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path), eventsEnabled=True)
    bring(desk, people / "one.jpg")
    for what, name in (("picture", "portrait.png"), ("series", "series.png")):
        since = len(desk.events)
        desk.run(f"document.querySelector('[data-what={what}]').click()")
        desk.wait_for(f"document.querySelector('#said').textContent.startsWith({name!r})")
        # Chromium reserves the name with an empty file, and moves the whole download over it.
        begun = desk.event("Browser.downloadWillBegin", since, suggestedFilename=name)
        desk.event("Browser.downloadProgress", since, guid=begun["guid"], state="completed")
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_a_film_tells_how_far_it_is_and_ends_when_another_sits(studio, desk, people):
    enter(desk, studio)
    bring(desk, people / "one.jpg")
    # The page itself sees the first of its progress: a film is drawn in the time that we may be kept waiting here.
    alone = desk.run(
        "new Promise((done) => { const making = document.querySelector('#making');"
        "new MutationObserver((changes, watch) => { if (making.hidden || !(making.value > 0)) return;"
        "watch.disconnect(); done(document.querySelector('[data-what=picture]').disabled);"
        "document.querySelector('#stranger').click(); }).observe(making, { attributes: true });"
        "document.querySelector('[data-what=film]').click(); })"
    )
    assert alone, "one thing at a time"
    desk.wait_for("studio.page.sitter.faces === 0")
    desk.wait_for("document.querySelector('#making').hidden && !document.querySelector('[data-what=picture]').disabled")


def test_the_webcam_sits(studio, people):
    browser = Browser(CHROMIUM, size=(1440, 900), mobile=False, options=FAKE_CAMERA)
    try:
        enter(browser, studio)
        browser.press("#webcam")
        browser.wait_for("!document.querySelector('#shoot').disabled")
        tracks = "document.querySelector('#video').srcObject.getTracks()"
        browser.run(f"window.track = {tracks}[0]")
        browser.run("document.querySelector('#shoot').click()")  # where it lies changes with the camera's picture
        browser.wait_for("document.querySelector('#trouble').textContent || studio.page.sitter")
        # Chromium's fake camera shows a clock and no face: the picture came, and was looked at.
        assert "no face was found" in browser.text().lower()
        assert browser.run("track.readyState") == "ended", "the camera is closed when its window is"
        assert not browser.run("document.querySelector('#camera').open")
    finally:
        browser.close()


def test_a_refused_or_missing_camera_is_a_sentence(studio, desk):
    enter(desk, studio)
    desk.run(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError')),"
        "document.querySelector('#webcam').click()"
    )
    desk.wait_for("document.querySelector('#trouble').textContent.includes('address bar')")
    assert not desk.run("document.querySelector('#camera').open")


def test_a_broken_file_and_an_endless_one_are_sentences(studio, desk, people, tmp_path):
    enter(desk, studio)
    (tmp_path / "letter.jpg").write_text("Dear Madam")
    desk.choose_file("#file", tmp_path / "letter.jpg")
    desk.wait_for("document.querySelector('#trouble').textContent.includes('letter.jpg')")
    desk.run("studio.page.maxBytes = 1000")
    desk.choose_file("#file", people / "one.jpg")
    desk.wait_for("document.querySelector('#trouble').textContent.includes('larger than')")


def test_after_a_broken_connection_the_same_person_sits_again(studio, desk, people):
    enter(desk, studio)
    bring(desk, people / "two.png")
    desk.run("document.querySelector('#next-face').click()")
    desk.wait_for("studio.page.sitter.place === 2")
    desk.run("studio.controls.set('/mirror/direction/smile', 1)")
    settle(desk)
    before = seen(desk)
    desk.run("document.querySelector('#targets input').focus()")
    # It comes back after a second: not before we have seen that it was away.
    desk.run("studio.link.connect = () => { window.again = true; }")
    desk.run("studio.page.sitter = null; studio.link.socket.close()")
    desk.wait_for("document.querySelector('#choose').disabled")
    assert "connection lost" in desk.text()
    desk.wait_for("window.again")
    desk.run("delete studio.link.connect; studio.link.connect()")
    desk.wait_for("studio.page.sitter && studio.page.sitter.place === 2 && studio.link.alive")
    settle(desk)
    assert seen(desk) == before
    assert desk.run("document.activeElement.type") == "range", "whoever was on a slider is still there"


def test_a_reload_finds_nothing_and_nothing_was_stored(studio, desk, people):
    enter(desk, studio)
    bring(desk, people / "one.jpg")
    stored = "localStorage.length + sessionStorage.length + document.cookie.length"
    assert desk.run(stored) == 0
    assert desk.run("indexedDB.databases().then((all) => all.length)") == 0
    assert desk.run("caches.keys().then((all) => all.length)") == 0
    enter(desk, studio)
    assert "Lay a photograph here" in desk.text()
    desk.run("studio.link.ask({ ask: 'picture', number: 1, controls: {} })")
    desk.wait_for("document.querySelector('#trouble').textContent.includes('Nobody sits')")


def test_nothing_is_loaded_from_elsewhere_and_nothing_can_be_sent_there(studio, desk, people):
    enter(desk, studio)
    bring(desk, people / "one.jpg")
    origins = desk.run("performance.getEntriesByType('resource').map((entry) => new URL(entry.name).origin)")
    assert set(origins) <= {studio.url.rstrip("/"), "null"}
    blocked = "new Promise((done) => { document.addEventListener('securitypolicyviolation', () => done('blocked'));"
    blocked += "fetch('http://127.0.0.1:1/').catch(() => setTimeout(() => done('open'), 1000)); })"
    assert desk.run(blocked) == "blocked"


def test_the_pin_is_asked_where_other_machines_can_come(people, tmp_path):
    served = Served("--port", "0", "--pin", "4711")
    browser = Browser(CHROMIUM)
    try:
        browser.open(served.url)
        browser.wait_for("document.querySelector('#door').open")
        browser.run("document.querySelector('#pin').value = '0000'")
        browser.press("#pin-form button")
        browser.wait_for("document.querySelector('#refused').textContent === 'wrong PIN'")
        browser.run("document.querySelector('#pin').value = '4711'")
        browser.press("#pin-form button")
        browser.wait_for("!document.querySelector('#door').open && !document.querySelector('#choose').disabled")
    finally:
        browser.close()
        assert served.close() == 0


def test_a_tab_that_is_closed_leaves_nothing_of_its_sitter(people):
    """The studio in this process, so that its memory can be looked at."""
    from engines.runtime.pack import DEFAULT_PACK
    from installation.config import Config
    from installation.runtime.pages import listen, page_server
    from installation.studio.easel import Easel
    from installation.studio.server import Studio

    easel = Easel(str(DEFAULT_PACK), Config())
    easel.start()
    server = page_server(Studio(easel, easel.wait_ready()).app(), max_message=1 << 22)
    with listen("127.0.0.1", 0, "") as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        browser = Browser(CHROMIUM)
        try:
            browser.open(f"http://127.0.0.1:{listener.getsockname()[1]}/")
            browser.run("import('/studio.js').then((module) => { window.studio = module; })")
            browser.wait_for("!document.querySelector('#choose').disabled")
            bring(browser, people / "one.jpg")
            (session,) = easel._sessions
            (sitter,), latent = session.faces, session.w_plus
            assert sitter.crop.any()
            assert latent.any()
            browser.open("about:blank")  # what a closed tab is for its websocket
            deadline = time.monotonic() + 60
            while easel._sessions and time.monotonic() < deadline:
                browser.run("new Promise((done) => setTimeout(done, 20))")
            assert easel._sessions == []
            arrays = (latent, sitter.crop, sitter.landmarks, sitter.crop_landmarks, sitter.encoded, sitter.w_plus)
            assert not any(array.any() for array in arrays)
        finally:
            browser.close()
            server.should_exit = True
            thread.join(60)
            easel.stop()
            easel.join(60)
    assert (easel.error, easel.failure) == (None, "")
