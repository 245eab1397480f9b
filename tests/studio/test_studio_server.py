"""The studio over a real websocket: who may talk, what is answered, what is refused, what is taken home."""

import io
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager

import av
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("websockets", reason="the extra 'docent' is not installed")
from studio_client import Client
from studio_served import ROOT
from websockets.exceptions import ConnectionClosed, InvalidStatus

from installation.cli import main
from installation.display.pictures import DIGITAL_SOURCE_TYPE, SYNTHETIC_NOTE
from installation.studio.menu import FIFTEEN

SIDE = 640


@pytest.fixture
def tab(studio):
    with ExitStack() as stack:

        def begin(**how):
            client = Client(studio.port, **how)
            stack.callback(client.close)
            return client

        yield begin


def seated(tab, people, name="one.jpg"):
    client = tab()
    client.bring((people / name).read_bytes(), name)
    header, before = client.hear("sitter", "trouble")
    assert header["kind"] == "sitter", header
    return client, header, before


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.int16)


def difference(a, b):
    return float(np.abs(pixels(a) - pixels(b)).mean())


@contextmanager
def at_once(studio):
    """All that is sent within reaches the studio in one piece, however long we are kept waiting in between."""
    os.kill(studio.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(studio.pid, signal.SIGCONT)


def picture(client, **controls):
    number = client.ask(ask="picture", controls=controls)
    header, data = client.hear("picture", "trouble")
    assert header.get("number") == number, header
    return data


def test_files_come_with_a_policy_that_allows_nothing_from_elsewhere(studio):
    for path in ("", "studio.js", "studio.css", "link.js", "serif.ttf", "icon.svg"):
        with urllib.request.urlopen(studio.url + path, timeout=60) as reply:
            policy = reply.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "http" not in policy
            assert reply.headers["Cache-Control"] == "no-store"
            assert "camera=(self)" in reply.headers["Permissions-Policy"]
    for path in ("../server.py", "server.py", "nothing"):
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            urllib.request.urlopen(studio.url + path, timeout=60)
        refused.value.close()


def test_only_our_own_page_is_listened_to(studio, tab):
    assert tab(origin=f"http://127.0.0.1:{studio.port}").hello["kind"] == "hello"
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        tab(origin="http://elsewhere.example")


def test_another_name_for_this_machine_is_not_listened_to(studio, tab):
    """A page elsewhere whose name was pointed at 127.0.0.1 (DNS rebinding) has the same origin and host."""
    name = f"rebound.example:{studio.port}"
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        tab(origin=f"http://{name}", host=name)


def test_the_menu_names_what_can_be_played_in_words(tab):
    menu = tab().hello["menu"]
    assert [axis["address"].rpartition("/")[2] for axis in menu["features"]] == list(FIFTEEN)
    assert [one["label"] for one in menu["targets"]][:5] == ["strength", "leadership", "power", "femininity", "beauty"]
    assert all(one["prompt"] and one["models"] for one in menu["targets"])
    assert {axis["low_word"] for axis in menu["features"]} >= {"young", "feminine", "left"}
    assert not any("skin_tone" in axis["address"] for axis in menu["attributes"]), "nobody may play skin tone"
    assert all(axis["low"] < 0 < axis["high"] for axis in (*menu["features"], *menu["attributes"]))


def test_a_photograph_is_found_redrawn_and_moved(tab, people):
    client, header, before = seated(tab, people)
    assert (header["faces"], header["place"]) == (1, 1)
    assert pixels(before).shape == (SIDE, SIDE, 3)
    rest = picture(client)
    assert pixels(rest).shape == (SIDE, SIDE, 3)
    assert difference(rest, before) < 30, "the reflection lies on the photograph"
    assert picture(client) == rest, "the same wish gives the same picture"
    old = picture(client, **{"/mirror/direction/age": 1.0})
    power = picture(client, **{"/mirror/morph/power": 1.0})
    assert difference(old, rest) > 1
    assert difference(power, rest) > 1
    none = picture(client, **{"/mirror/morph/power": 1.0, "/mirror/amount": 0.0})
    assert difference(none, rest) == 0
    client.ask(ask="reflection", controls={"/mirror/direction/age": 1.0})
    assert difference(client.hear("reflection")[1], rest) == 0, "the reflection knows of no control"


def test_a_network_paints_in_the_style_of_a_picture(tab, people):
    client, _, _ = seated(tab, people)
    strength, *pictures = client.hello["menu"]["paint"]
    rest = picture(client)
    painted = [
        picture(client, **{strength["address"]: 1.0, pictures[0]["address"]: 0.0, one["address"]: 1.0})
        for one in pictures[1:3]
    ]
    assert difference(painted[0], rest) > 2
    assert difference(painted[0], painted[1]) > 2
    assert picture(client, **{pictures[1]["address"]: 1.0}) == rest, "a weight alone does nothing"


@pytest.mark.parametrize("look", ["oil", "echo", "palette"])
def test_a_still_depends_on_its_own_wish_alone(tab, people, look):
    """Echo and palette remember earlier frames; a studio's picture must not."""
    client, _, _ = seated(tab, people)
    plain = picture(client)
    first = picture(client, **{"/mirror/look": look})
    picture(client, **{"/mirror/look": look, "/mirror/direction/yaw": 1.0})
    assert difference(picture(client, **{"/mirror/look": look}), first) < 0.5
    assert difference(first, plain) > 1


def test_one_tab_sees_nothing_of_another(tab, people):
    first, _, _ = seated(tab, people, "one.jpg")
    alone = picture(first, **{"/mirror/look": "smear"})
    second, _, _ = seated(tab, people, "other.png")
    other = picture(second, **{"/mirror/look": "smear"})
    assert difference(alone, other) > 3
    assert difference(picture(first, **{"/mirror/look": "smear"}), alone) < 0.5


def test_of_two_faces_the_page_chooses(tab, people):
    client, header, first = seated(tab, people, "two.png")
    assert header["faces"] == 2
    client.ask(ask="face", place=2)
    header, second = client.hear("sitter", "trouble")
    assert header["place"] == 2
    assert difference(first, second) > 3
    client.ask(ask="face", place=3)
    assert "not there any more" in client.hear("sitter", "trouble")[0]["sentence"]


def test_somebody_who_does_not_exist_is_the_same_for_the_same_number(tab):
    faces = []
    for seed in (7, 7, 8):
        client = tab()
        client.ask(ask="stranger", seed=seed)
        header, before = client.hear("sitter", "trouble")
        assert (header["kind"], header["faces"], before) == ("sitter", 0, b"")
        faces.append(picture(client))
    assert faces[0] == faces[1]
    assert difference(faces[0], faces[2]) > 3


def test_what_cannot_be_a_face_is_refused_with_a_sentence_and_the_sitter_stays(tab, people):
    client, _, _ = seated(tab, people)
    rest = picture(client)
    blank = io.BytesIO()
    Image.new("RGB", (300, 300), (120, 90, 60)).save(blank, "PNG")
    for data, words in ((b"no picture at all", "no picture"), (blank.getvalue(), "no face was found")):
        client.bring(data, "holiday.png")
        header, _ = client.hear("trouble", "sitter")
        assert words in header["sentence"]
    assert picture(client) == rest


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"ask": "picture", "controls": {"/mirror/panic": 1}}, "no control"),
        ({"ask": "picture", "controls": {"/mirror/direction/skin_tone": 1.0}}, "no control"),
        ({"ask": "picture", "controls": {"/mirror/psi": "high"}}, "takes a number"),
        ({"ask": "picture", "controls": {"/mirror/look": "../etc/passwd"}}, "takes one of"),
        ({"ask": "picture", "controls": [1, 2]}, "by address"),
        ({"ask": "everything"}, "does not know"),
        ({"ask": "stranger", "seed": "x"}, "does not know"),
        ({"ask": "keep", "what": "passwords"}, "does not know"),
        ({"ask": "picture", "number": "x"}, "does not know"),
        ({"ask": "picture"}, "nobody sits"),
        ({"ask": "keep", "what": "film"}, "nobody sits"),
    ],
)
def test_nonsense_is_answered_with_a_sentence(tab, message, words):
    client = tab()
    client.ask(**message)
    header, _ = client.hear("trouble", "picture")
    assert words in header["sentence"]


def test_bytes_and_text_that_are_no_message_are_survived(tab):
    client = tab()
    for raw in ("not json", "[]", "null", "[" * 100_000, b"", b"\xff\xff\xff\xff{}", b"\x00\x00\x00\x02[]"):
        client.send(raw)
        assert "sentence" in client.hear("trouble")[0]


def test_a_flood_of_wishes_is_answered_with_the_newest(studio, tab, people):
    client, _, _ = seated(tab, people)
    picture(client)
    with at_once(studio):
        for step in range(200):
            last = client.ask(ask="picture", controls={"/mirror/direction/age": step / 200})
    answers = 0
    while client.hear("picture")[0]["number"] != last:
        answers += 1
    assert answers < 150, "stale wishes are dropped and never queued"


def test_a_picture_and_the_series_say_that_they_are_synthetic(tab, people):
    client, _, _ = seated(tab, people)
    for what, wide in (("picture", False), ("series", True)):
        number = client.ask(ask="keep", what=what, controls={"/mirror/look": "oil"})
        header, data = client.hear("kept", "trouble")
        assert (header.get("number"), header.get("type")) == (number, "image/png"), header
        image = Image.open(io.BytesIO(data))
        assert image.text["Description"] == SYNTHETIC_NOTE
        assert image.text["DigitalSourceType"] == DIGITAL_SOURCE_TYPE
        assert (image.width > 3 * image.height) == wide


def test_a_film_is_drawn_while_sliders_stay_alive(studio, tab, people):
    client, _, _ = seated(tab, people)
    with at_once(studio):
        number = client.ask(ask="keep", what="film", controls={"/mirror/morph/beauty": 1.0})
        slider = client.ask(ask="picture", controls={"/mirror/direction/smile": 1.0})
    assert client.hear("picture", "kept")[0]["number"] == slider, "not after the film"
    client.hear("progress")
    header, data = client.hear("kept", "trouble", seconds=120)
    assert header.get("number") == number, header
    with av.open(io.BytesIO(data)) as film:
        assert film.metadata["comment"] == SYNTHETIC_NOTE
        frames = [frame.to_ndarray(format="rgb24").astype(np.int16) for frame in film.decode(video=0)]
    assert len(frames) == 180
    first, middle, last = frames[0], frames[len(frames) // 2], frames[-1]
    there, back = np.abs(middle - first).mean(), np.abs(last - first).mean()
    assert there > 1, "it goes to the morph"
    assert back < there / 2, "and comes back, but for the grain"


def test_a_new_sitter_ends_the_film_of_the_one_before(tab, people):
    client, _, _ = seated(tab, people)
    client.ask(ask="keep", what="film", controls={})
    client.hear("progress")
    client.ask(ask="stranger", seed=1)
    client.hear("sitter")
    client.ask(ask="keep", what="picture", controls={})
    assert client.hear("kept")[0]["name"] == "portrait.png"


def test_other_machines_need_a_pin(capsys):
    assert main(["studio", "--host", "0.0.0.0", "--port", "0"]) == 2
    assert "--pin" in capsys.readouterr().err
    assert main(["studio", "--pin", "12"]) == 2
    assert "4 to 12 digits" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(studio, capsys):
    assert main(["studio", "--port", str(studio.port), "--no-browser"]) == 3
    assert "another --port" in capsys.readouterr().err


def test_the_wire_is_json_and_bytes(tab):
    assert json.dumps(tab().hello["menu"]["rest"], sort_keys=True).count("/mirror/") > 60


def test_a_missing_package_is_named_with_its_extra():
    code = "import sys; sys.modules['uvicorn'] = None; from installation.cli import main; sys.exit(main(['studio']))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 6
    assert "machine-reflections[docent]" in ended.stderr
