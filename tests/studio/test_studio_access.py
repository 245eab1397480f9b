"""The studio's page for everybody: by keyboard, by screen reader, in little light, on a phone, without motion."""

import pytest

pytest.importorskip("websockets", reason="the extra 'docent' is not installed")
from studio_browser import CHROMIUM, apart, bring, enter, seen, settle, snapshot
from studio_contrast import CONTRAST

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here")

LARGE_TEXT, TEXT, PARTS = 3.0, 4.5, 3.0  # WCAG 2.2 AA, 1.4.3 and 1.4.11


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
