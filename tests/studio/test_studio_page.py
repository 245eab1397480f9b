"""The studio's page in a real Chromium: a photograph is dropped, sliders move it, nothing stays, all can use it."""

import base64
import json
import os
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("websockets", reason="the extra 'docent' is not installed")
from chromium import Browser, find_browser
from studio_contrast import CONTRAST
from studio_served import Served

CHROMIUM = find_browser()
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here")

LARGE_TEXT, TEXT, PARTS = 3.0, 4.5, 3.0  # WCAG 2.2 AA, 1.4.3 and 1.4.11
FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture(scope="module")
def desk():
    browser = Browser(CHROMIUM, size=(1440, 900), mobile=False)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def phone():
    browser = Browser(CHROMIUM)
    browser.call("Emulation.setTouchEmulationEnabled", enabled=True)
    yield browser
    browser.close()


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


def test_sliders_are_played_with_the_keyboard_and_many_steps_are_one_undo(studio, desk, people):
    enter(desk, studio)
    bring(desk, people / "one.jpg")
    rest = seen(desk)
    desk.run("document.querySelector('#tab-targets').focus()")
    desk.key("ArrowRight")
    assert desk.run("document.activeElement.id") == "tab-features"
    assert desk.run("!document.querySelector('#features').hidden && document.querySelector('#targets').hidden")
    desk.run("document.querySelector('#features input').focus()")
    desk.key("End")
    settle(desk)
    assert apart(seen(desk), rest) > 0.5
    words = desk.run("document.activeElement.getAttribute('aria-valuetext')")
    assert words == "old 100 %"
    desk.run(
        "(() => { const s = document.activeElement;"
        "for (const v of [0.5, 0.2, -0.4]) { s.value = v; s.dispatchEvent(new Event('input')); }"
        "s.dispatchEvent(new Event('change')); })()"
    )
    desk.key("z", modifiers=2)
    assert desk.run("document.activeElement.getAttribute('aria-valuetext')") == "old 100 %"


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
        desk.run(f"document.querySelector('[data-what={what}]').click()")
        desk.wait_for(f"document.querySelector('#said').textContent.startsWith({name!r})", 60)
        for _ in range(200):
            if (tmp_path / name).is_file():
                break
            desk.run("new Promise((done) => setTimeout(done, 20))")
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_a_film_tells_how_far_it_is_and_ends_when_another_sits(studio, desk, people):
    enter(desk, studio)
    bring(desk, people / "one.jpg")
    desk.run("document.querySelector('[data-what=film]').click()")
    desk.wait_for("!document.querySelector('#making').hidden && document.querySelector('#making').value > 0")
    assert desk.run("document.querySelector('[data-what=picture]').disabled"), "one thing at a time"
    desk.run("document.querySelector('#stranger').click()")
    desk.wait_for("document.querySelector('#making').hidden && !document.querySelector('[data-what=picture]').disabled")


def test_the_webcam_sits(studio, people):
    browser = Browser(CHROMIUM, size=(1440, 900), mobile=False, options=FAKE_CAMERA)
    try:
        enter(browser, studio)
        browser.press("#webcam")
        browser.wait_for("!document.querySelector('#shoot').disabled")
        tracks = "document.querySelector('#video').srcObject.getTracks()"
        browser.run(f"window.track = {tracks}[0]")
        browser.press("#shoot")
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
    desk.run("studio.page.sitter = null; studio.link.socket.close()")
    desk.wait_for("document.querySelector('#choose').disabled")
    assert "connection lost" in desk.text()
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


def test_every_control_has_a_name_a_role_and_a_value_for_screen_readers(studio, desk, people):
    enter(desk, studio)
    bring(desk, people / "two.png")
    desk.run("document.querySelectorAll('[role=tabpanel], dialog').forEach((one) => { one.hidden = false; })")
    desk.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    nodes = desk.call("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "slider", "radio", "checkbox", "tab", "textbox", "image", "tabpanel", "progressbar", "dialog"}
    named = [node for node in nodes if not node.get("ignored") and node["role"]["value"] in roles]
    nameless = [node["role"]["value"] for node in named if not node.get("name", {}).get("value", "").strip()]
    assert nameless == []
    count = {role: sum(node["role"]["value"] == role for node in named) for role in roles}
    assert count["slider"] > 90
    assert count["tab"] == 4
    sliders = [node for node in named if node["role"]["value"] == "slider"]
    assert len({node["name"]["value"] for node in sliders}) == len(sliders), "two sliders share a name"
    statuses = [node for node in nodes if node.get("role", {}).get("value") in ("status", "alert")]
    assert len(statuses) >= 2, "what happens is told aloud"
    heads = desk.run("[...document.querySelectorAll('h1, h2')].map((one) => one.tagName)")
    assert heads.count("H1") == 1
    ids = desk.run("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
    pointed = desk.run(
        "[...document.querySelectorAll('[aria-controls], [aria-labelledby], [aria-describedby], label[for]')].flatMap("
        "(one) => ['aria-controls', 'aria-labelledby', 'aria-describedby', 'for'].map((a) => one.getAttribute(a)))"
        ".filter((id) => id && !document.getElementById(id))"
    )
    assert pointed == []


@pytest.mark.parametrize("tab", ["targets", "features", "layers", "looks"])
def test_contrast_is_that_of_wcag_aa(studio, desk, people, tab):
    enter(desk, studio)
    bring(desk, people / "two.png")
    desk.run(f"document.querySelector('#tab-{tab}').click()")
    desk.run("studio.controls.set('/mirror/direction/age', 1); studio.controls.set('/mirror/morph/power', 1)")
    desk.run("document.querySelector('#trouble').textContent = 'Something is wrong.'")
    texts = desk.run(CONTRAST)
    assert len(texts) > 15
    weak = [one for one in texts if one["ratio"] < (LARGE_TEXT if one["large"] else TEXT)]
    assert weak == []
    edges = [one for one in desk.run(CONTRAST.replace("'text'", "'edges'")) if one["ratio"] < PARTS]
    assert edges == [], "the edge of a control must be seen"


def test_it_fits_a_phone_and_its_fingers(studio, phone, people):
    enter(phone, studio)
    assert phone.run("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the phone"
    bring(phone, people / "one.jpg")
    assert phone.run("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the phone"
    small = phone.run(
        "[...document.querySelectorAll('button, input[type=range], .choices label')].filter((e) => e.offsetParent)"
        ".filter((e) => e.getBoundingClientRect().height < 43.9).map((e) => e.id || e.textContent)"
    )
    assert small == [], "too small for fingers"
    phone.run("document.querySelector('#tab-features').click(); scrollTo(0, document.body.scrollHeight / 2)")
    box = phone.run("(() => { const b = document.querySelector('#frame').getBoundingClientRect(); return b.top; })()")
    assert 0 <= box < 20, "the portrait stays in sight while sliders are moved"
    snapshot(phone, "studio-phone.png")


def test_who_wants_no_motion_sees_none(studio, desk, people):
    desk.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    try:
        enter(desk, studio)
        desk.run("document.querySelector('#busy').hidden = false")
        moving = "document.getAnimations().filter((one) => one.playState === 'running').length"
        assert desk.run(moving) == 0
    finally:
        desk.call("Emulation.setEmulatedMedia", features=[])
    assert desk.run(moving) == 1


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
            deadline = time.monotonic() + 20
            while easel._sessions and time.monotonic() < deadline:
                browser.run("new Promise((done) => setTimeout(done, 20))")
            assert easel._sessions == []
            arrays = (latent, sitter.crop, sitter.landmarks, sitter.crop_landmarks, sitter.encoded, sitter.w_plus)
            assert not any(array.any() for array in arrays)
        finally:
            browser.close()
            server.should_exit = True
            thread.join(20)
            easel.stop()
            easel.join(20)
    assert (easel.error, easel.failure) == (None, "")
