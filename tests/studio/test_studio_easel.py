"""The drawing thread without a page: whoever closes a tab is wiped, faults are told, tabs are served in turn."""

import io
import queue

import numpy as np
import pytest
from PIL import Image

from engines.runtime.pack import DEFAULT_PACK
from installation.config import Config
from installation.errors import ConfigError, EngineError
from installation.studio import film
from installation.studio.easel import SIDE_PX, Easel
from installation.studio.session import Drawing, Keep, OtherFace, Photo, Stranger

WAIT_S = 60


@pytest.fixture(scope="module")
def short():
    """Films of a quarter second in place of seven: what is tested does not need more."""
    patch = pytest.MonkeyPatch()
    patch.setattr(film, "REST_S", 0.04)
    patch.setattr(film, "MORPH_S", 0.12)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def easel(short):
    thread = Easel(str(DEFAULT_PACK), Config())
    thread.start()
    thread.wait_ready()
    yield thread
    thread.stop()
    thread.join(WAIT_S)
    assert not thread.is_alive()
    assert (thread.error, thread.failure) == (None, "")


class Tab:
    def __init__(self, easel) -> None:
        self.news = queue.Queue()
        self.session = easel.open(lambda: self.news.put(1))

    def ask(self, request):
        """Ask, and wait for the answer."""
        self.session.requests.put("any", request)
        self.news.get(timeout=WAIT_S)
        return self.session.messages.take()


def until(condition, easel):
    """Let the easel do whatever it does until something is true."""
    other = Tab(easel)
    for _ in range(200):
        if condition():
            break
        other.ask(Drawing(1, "picture", {}))  # answered in turn, so that the easel has been round
    easel.close(other.session)
    assert condition()


def test_who_closes_the_tab_is_wiped(easel, people):
    tab = Tab(easel)
    assert tab.ask(Photo((people / "one.jpg").read_bytes(), "one.jpg")).header["kind"] == "sitter"
    session, sitter, latent = tab.session, tab.session.faces[0], tab.session.w_plus
    assert latent.any()
    assert sitter.crop.any()
    easel.close(session)
    until(lambda: session not in easel._sessions, easel)
    assert session.w_plus is None
    assert session.faces == []
    for array in (
        latent,
        sitter.picture,
        sitter.crop,
        sitter.landmarks,
        sitter.crop_landmarks,
        sitter.w_plus,
        sitter.encoded,
    ):
        assert not array.any()


def test_a_tab_that_closes_while_it_waits_for_its_picture_is_answered_nothing(easel, people):
    tab = Tab(easel)
    tab.session.requests.put("sit", Photo((people / "two.png").read_bytes(), "two.png"))
    easel.close(tab.session)
    until(lambda: tab.session not in easel._sessions, easel)
    assert tab.session.messages.take() is None
    assert tab.session.w_plus is None


def test_nobody_is_drawn_before_somebody_sits(easel):
    tab = Tab(easel)
    for request in (Drawing(1, "picture", {}), OtherFace(1)):
        assert tab.ask(request).header["kind"] == "trouble"
    tab.ask(Stranger(3))
    message = tab.ask(Drawing(2, "picture", easel.wait_ready().rest))
    assert (message.header["kind"], message.header["number"]) == ("picture", 2)
    assert message.payload.startswith(b"\xff\xd8"), "a JPEG"
    easel.close(tab.session)


def test_a_draft_is_half_as_wide_where_time_is_short_and_only_there(easel):
    tab = Tab(easel)
    tab.ask(Stranger(3))
    values = {**easel.wait_ready().rest, "/mirror/look": "hatching"}
    sides = []
    for needed_s, draft in ((1.0, True), (1.0, False), (0.0, True)):
        easel._look_s["hatching"] = needed_s
        message = tab.ask(Drawing(1, "picture", values, draft))
        sides.append(Image.open(io.BytesIO(message.payload)).width)
        assert message.header["draft"] == (sides[-1] < SIDE_PX)
    assert sides == [SIDE_PX // 2, SIDE_PX, SIDE_PX]
    easel.close(tab.session)


def test_the_canvas_forgets(easel):
    """After the last tab nothing of a face is left where pictures are mixed: the next first picture is its own."""
    tab = Tab(easel)
    tab.ask(Stranger(3))
    rest = dict(easel.wait_ready().rest)
    first = tab.ask(Drawing(1, "picture", {**rest, "/mirror/look": "echo"})).payload
    easel.close(tab.session)
    until(lambda: tab.session not in easel._sessions, easel)
    tab = Tab(easel)
    tab.ask(Stranger(9))
    tab.ask(Drawing(1, "picture", {**rest, "/mirror/look": "echo"}))
    tab.ask(Stranger(3))
    assert tab.ask(Drawing(1, "picture", {**rest, "/mirror/look": "echo"})).payload == first
    easel.close(tab.session)


def test_films_of_two_tabs_are_drawn_between_each_other_and_know_nothing_of_it(easel):
    """A look that trails earlier frames must not trail another tab's face, nor a slider's pictures."""

    def film_of(tab):
        tab.news = queue.Queue()
        tab.session.requests.put("keep", Keep(1, "film", values))

    def taken(tab):
        while True:
            tab.news.get(timeout=WAIT_S)
            while (message := tab.session.messages.take()) is not None:
                if message.header["kind"] == "kept":
                    return message.payload

    values = {**easel.wait_ready().rest, "/mirror/look": "echo", "/mirror/morph/power": 1.0}
    first, second = Tab(easel), Tab(easel)
    for seed, tab in ((3, first), (9, second)):
        tab.ask(Stranger(seed))
    film_of(first)
    alone = taken(first)
    film_of(first)
    film_of(second)
    second.session.requests.put("picture", Drawing(2, "picture", values))
    assert taken(first) == alone
    taken(second)
    for tab in (first, second):
        easel.close(tab.session)


def test_a_pack_that_is_none_is_told_at_the_start(tmp_path):
    easel = Easel(str(tmp_path), Config())
    easel.start()
    with pytest.raises(EngineError, match=r"pack\.json"):
        easel.wait_ready()
    easel.join(WAIT_S)


def test_a_broken_look_is_told_at_the_start(tmp_path):
    (tmp_path / "mine.toml").write_text('title = "Mine"\n')
    config = Config.model_validate({"display": {"looks_folder": str(tmp_path)}})
    easel = Easel(str(DEFAULT_PACK), config)
    easel.start()
    with pytest.raises(ConfigError, match=r"mine\.toml"):
        easel.wait_ready()
    easel.join(WAIT_S)


def test_a_latent_that_went_wrong_draws_black_and_no_noise(easel):
    tab = Tab(easel)
    tab.ask(Stranger(3))
    tab.session.w_plus[:] = np.nan
    assert tab.ask(Drawing(1, "picture", easel.wait_ready().rest)).header["kind"] == "picture"
    easel.close(tab.session)
