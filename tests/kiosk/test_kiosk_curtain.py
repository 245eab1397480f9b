"""The curtain: what it plays, how it lies on the screen, and that it covers a real X screen and goes away again."""

import multiprocessing
import os
import shutil
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.display.config import DisplayConfig
from installation.kiosk.curtain import Cover, Player, compose, gradient, run_curtain, software_rendering
from installation.kiosk.links import Dial
from installation.kiosk.screen import BLACK_LEVEL, Screen
from installation.runtime.board import Heartbeat

CONTEXT = multiprocessing.get_context("spawn")


@given(st.floats(0.0, 1e6))
def test_without_a_film_there_is_a_dusk_that_is_never_black(now):
    picture = gradient(now)
    assert picture.dtype == np.uint8
    assert picture.mean() > 3 * BLACK_LEVEL


def test_the_dusk_moves():
    assert np.abs(gradient(2.25).astype(int) - gradient(6.75)).max() > 20


def test_a_film_is_played_again_from_its_beginning(tmp_path):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"x")
    pictures = [np.full((4, 4, 3), k, np.uint8) for k in range(3)]
    player = Player(film, open_film=lambda path: iter(pictures))
    shown = [int(player.picture(now).mean()) for now in (0.0, 0.1, 0.2, 0.3, 6.0, 6.1)]
    assert shown[:3] == [0, 1, 2]
    assert shown[4:] == [0, 1]


def test_a_damaged_film_is_no_end(tmp_path):
    film = tmp_path / "film.mp4"
    film.write_bytes(os.urandom(5000))
    player = Player(film)
    for now in (0.0, 1.0, 10.0):
        assert player.picture(now).mean() > BLACK_LEVEL


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_it_lies_on_the_screen_as_the_show_does(rotation):
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:32] = 255  # the upper half is white
    screen = compose(picture, (160, 90), DisplayConfig(rotation=rotation))
    assert screen.shape == (90, 160, 3)
    # Up on the wall is: up, right, down or left of the panel, as it is turned clockwise.
    bright = {0: screen[:40], 90: screen[:, 90:], 180: screen[50:], 270: screen[:, :70]}[rotation]
    dark = {0: screen[50:], 90: screen[:, :70], 180: screen[:40], 270: screen[:, 90:]}[rotation]
    assert bright.max() == 255
    assert dark.max() < 20


def test_cover_fills_the_screen_and_a_margin_stays_black():
    white = np.full((64, 64, 3), 255, np.uint8)
    assert compose(white, (160, 90), DisplayConfig(fit="cover")).min() == 255
    framed = compose(white, (160, 90), DisplayConfig(fit="cover", margin=0.1))
    assert framed[:9].max() == 0
    assert framed[45, 80].min() == 255


def test_the_graphics_card_is_left_alone():
    environ = {}
    software_rendering(environ)
    assert environ["LIBGL_ALWAYS_SOFTWARE"] == "1"
    assert environ["__GLX_VENDOR_LIBRARY_NAME"] == "mesa"


def until(condition, limit_s=60.0):
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed here")
def test_it_covers_a_real_screen_and_goes_away(tmp_path, monkeypatch):
    screen = Screen((320, 200))
    monkeypatch.setenv("DISPLAY", screen.display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    cover, beat = Dial(CONTEXT, Cover.FILM), Heartbeat(CONTEXT)
    display = DisplayConfig(fullscreen=True, fit="cover")
    curtain = CONTEXT.Process(target=run_curtain, args=(display, False, tmp_path / "none.mp4", cover, beat))
    curtain.start()
    try:
        until(lambda: screen.picture()[::20, ::20].mean(axis=2).min() > BLACK_LEVEL)  # all of it is covered
        assert screen.brightness > 3 * BLACK_LEVEL
        cover.set(Cover.BLACK)
        until(lambda: screen.brightness < 1.0)
        cover.set(Cover.FILM)
        until(lambda: screen.brightness > BLACK_LEVEL)
        cover.set(Cover.HIDDEN)
        until(lambda: screen.brightness < 1.0)  # the bare X server is black
        before = beat.progress
        until(lambda: beat.progress > before)
    finally:
        curtain.terminate()
        curtain.join()
        screen.close()
    assert curtain.exitcode == 0
