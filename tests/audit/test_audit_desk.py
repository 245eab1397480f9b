"""The labelling page in a real Chromium: keys, clicks, undo, two people, and nobody else."""

import threading
import urllib.error
import urllib.request
from contextlib import contextmanager

import numpy as np
import pytest

pytest.importorskip("uvicorn", reason="the extra 'docent' is not installed")
pytest.importorskip("websockets", reason="the extra 'docent' is not installed")
from chromium import Browser, find_browser

from engines.audit.desk import HOST, Desk
from engines.audit.labels import label_file, read_labelling, read_labels
from engines.runtime.targets import LABELS
from installation.display.pictures import save_png
from installation.errors import ConfigError
from installation.runtime.pages import listen, page_server

CHROMIUM = find_browser()
COUNT = 6


@pytest.fixture
def audit(tmp_path):
    for i in range(COUNT):
        save_png(np.full((32, 32, 3), 40 * i, np.uint8), tmp_path / "faces" / f"face {i}.png")
    return tmp_path


@contextmanager
def served(folder, name):
    desk = Desk(folder / "faces", label_file(folder, name))
    with listen(HOST, 0, "try again") as listener:
        server = page_server(desk.app(), max_message=1024)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield desk, f"http://{HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(60)


@pytest.fixture
def page():
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed here")
    browser = Browser(CHROMIUM)
    browser.call("Log.enable")
    browser.call("Runtime.enable")
    yield browser
    browser.close()


def counted(page, text):
    page.wait_for(f"document.querySelector('#count').textContent === {text!r}")
    page.wait_for("(({ complete, naturalWidth }) => complete && naturalWidth)(document.querySelector('#picture'))")


def test_two_people_label_with_keys_and_fingers(audit, page, tmp_path):
    with served(audit, "one") as (desk, url):
        page.open(url)
        counted(page, f"0 of {COUNT}")
        for i in range(COUNT):
            page.key(str(i % 5 + 1))
            counted(page, f"{i + 1} of {COUNT}")
        assert "All pictures are labelled" in page.text()
        page.key("u")
        counted(page, f"{COUNT - 1} of {COUNT}")
        page.press("#undo")
        counted(page, f"{COUNT - 2} of {COUNT}")
        page.press("#labels button:nth-child(3)")
        counted(page, f"{COUNT - 1} of {COUNT}")
        shown = page.run("document.querySelector('#picture').naturalWidth")
        assert shown == 32
        assert page.run("document.documentElement.scrollWidth <= innerWidth"), "wider than a phone"
        heights = "Math.min(...[...document.querySelectorAll('button')].map(b => b.getBoundingClientRect().height))"
        assert page.run(heights) >= 44
        page.picture(tmp_path / "page.png")
        assert "face" not in page.text(), "the file's name tells the prompt"
        order = [picture.name for picture in desk.pictures]
        page.open("about:blank")  # lets go of the picture that is loaded ahead
    given = read_labels(label_file(audit, "one"))
    assert [given.get(name) for name in order[:4]] == list(LABELS[:4])
    assert len(given) == COUNT - 1

    with served(audit, "two") as (_, url):
        page.open(url)
        counted(page, f"0 of {COUNT}")
        for i in range(COUNT):
            page.key("1")
            counted(page, f"{i + 1} of {COUNT}")
        page.open("about:blank")
    with served(audit, "one") as (_, url):  # a second sitting goes on where the first one ended
        page.open(url)
        counted(page, f"{COUNT - 1} of {COUNT}")
        page.open("about:blank")
    (agreement,) = read_labelling(audit).agreements
    assert agreement.n == COUNT - 1
    errors = [event for event in page.events if event[0] in ("Runtime.exceptionThrown", "Log.entryAdded")]
    assert errors == []


def test_nobody_else_may_ask(audit):
    with served(audit, "one") as (_, url):
        for headers in ({"Origin": "http://example.org"}, {"Host": "example.org:80"}):
            request = urllib.request.Request(f"{url}/label", b'{"picture": 0, "label": ""}', headers)
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(request, timeout=60)
            assert caught.value.code == 403
            caught.value.close()
        with urllib.request.urlopen(f"{url}/", timeout=60) as answer:
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert read_labels(label_file(audit, "one")) == {}


NONSENSE = [
    *(None, [], {}, {"picture": 0, "label": "strong"}, {"picture": 0, "label": 3}),
    *({"picture": number, "label": LABELS[0]} for number in (-1, True, 99, 0.5, "0")),
]


@pytest.mark.parametrize("message", NONSENSE)
def test_nonsense_is_refused_and_not_stored(audit, message):
    desk = Desk(audit / "faces", label_file(audit, "one"))
    assert "refused" in desk.answer(message)
    assert not desk.file.exists()


def test_everybody_has_an_order_of_their_own_and_keeps_it(audit):
    orders = [Desk(audit / "faces", label_file(audit, name)).pictures for name in ("one", "one", "two")]
    assert orders[0] == orders[1] != orders[2]
    assert set(orders[0]) == set(orders[2])


def test_a_folder_without_pictures(tmp_path):
    with pytest.raises(ConfigError, match="holds no pictures to label"):
        Desk(tmp_path, label_file(tmp_path, "one"))
