"""Every view and every look as a picture. Golden on llvmpipe; see conftest for the tolerance and its reason."""

import numpy as np
import pytest

from installation.display.config import CaptionConfig, DisplayConfig
from installation.display.looks import PLAIN, look_names
from installation.display.scene import OverlayData, Scene

WORDS = ("strength", "leadership", "power", "femininity", "beauty")
LARGER = CaptionConfig(size=0.07)


@pytest.fixture
def filled(make_renderer, face_picture, drawn_face):
    """A renderer that has pictures and a camera picture."""

    def fill(count=1, captions=LARGER, **options):
        renderer = make_renderer(captions, grain=0.0, **options)
        face = drawn_face()
        renderer.show_pictures(face_picture(count, 96))
        renderer.show_camera(face.camera, face.size, face.landmarks, face.quad)
        return renderer

    return fill


@pytest.mark.parametrize("view", ["portrait", "mirror", "split"])
def test_a_view(filled, shot, golden, view):
    golden(f"view-{view}", shot(filled(), Scene(view=view, captions=("power",), freeze=True)))


@pytest.mark.parametrize("size", [(320, 180), (180, 320), (512, 64)], ids=["wide", "tall", "ribbon"])
def test_the_series(filled, shot, golden, size):
    name = f"view-series-{size[0]}x{size[1]}"
    golden(name, shot(filled(5), Scene(view="series", captions=WORDS, freeze=True), size))


def test_the_ladder_of_a_style_mix(filled, shot, golden):
    golden("view-strip", shot(filled(4), Scene(view="strip", captions=("coarse", "", "", "fine"), freeze=True)))


def test_the_ghosts_of_this_visit(make_renderer, face_picture, shot, golden):
    """Five moments, each darker and from further back; when the visitor is gone, so are they."""
    renderer = make_renderer(grain=0.0)
    for second in range(6):
        renderer.show_pictures(face_picture(shade=0.12 * (5 - second)))
        pixels = shot(renderer, Scene(view="ghosts", time_s=float(second), freeze=True))
    golden("view-ghosts", pixels)
    assert pixels[:, :60, :3].max() > 30
    alone = shot(renderer, Scene(view="ghosts", time_s=6.0, presence=0.0))
    assert alone[:, :60, :3].max() == 0
    again = shot(renderer, Scene(view="ghosts", time_s=7.0, presence=1.0))
    assert again[:, :60, :3].max() == 0, "the next visitor starts without a past"


def test_cover_margin_and_top_caption(filled, shot, golden):
    renderer = filled(fit="cover", margin=0.08, captions=CaptionConfig(size=0.08, position="top", case="upper"))
    golden("view-cover", shot(renderer, Scene(captions=("beauty",), freeze=True)))


def test_the_overlay(filled, shot, golden):
    stages = {"draw": tuple(6.0 + 2.0 * np.sin(np.arange(90) / 7)), "encode": tuple(12.0 + np.arange(90) % 9)}
    data = OverlayData(
        stages, {"display": "30.0 Hz", "latency p95": "96 ms"}, {"F1": "this help", "V": "next view"},
        "camera stalled for 3 s", {"bass": 0.4, "treble": 1.7}, grid=True,
    )  # fmt: skip
    golden("overlay", shot(filled(), Scene(view="mirror", overlay=data, freeze=True), (640, 360)))


@pytest.mark.parametrize("look", [name for name in look_names(DisplayConfig()) if name != PLAIN])
def test_a_look(make_renderer, face_picture, shot, golden, look):
    """After eight frames in which the face moves, so that trails and film strips show something."""
    renderer = make_renderer(fit="cover", captions=CaptionConfig(enabled=False))
    for frame in range(8):
        moved = face_picture(1, 96)
        moved.images[:] = np.roll(moved.images, 3 * (7 - frame), axis=3)
        renderer.show_pictures(moved)
        pixels = shot(renderer, Scene(look=look, time_s=frame / 10), (144, 144))
    golden(f"look-{look}", pixels)


def test_an_unknown_look_is_the_plain_one(filled, shot):
    renderer = filled()
    plain = shot(renderer, Scene(freeze=True))
    assert np.array_equal(shot(renderer, Scene(look="no_such_look", freeze=True)), plain)


def test_a_look_leaves_the_bars_black(filled, shot):
    canvas = shot(filled(), Scene(look="watercolour"))
    assert canvas[:, :69, :3].max() == 0
    assert canvas[:, 251:, :3].max() == 0
    assert canvas[:, 80:240, :3].mean() > 60


@pytest.mark.parametrize("look", ["plain", "oil"])
def test_fade_and_blackout(filled, shot, look):
    renderer = filled()
    bright = shot(renderer, Scene(look=look, freeze=True))[..., :3].mean()
    assert shot(renderer, Scene(look=look, fade=0.5, freeze=True))[..., :3].mean() == pytest.approx(bright / 2, rel=0.1)
    assert shot(renderer, Scene(look=look, fade=1.0, freeze=True))[..., :3].max() == 0


@pytest.mark.parametrize("view", ["portrait", "mirror", "split", "series"])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (800, 100), (40, 320), (33, 17)])
def test_any_window_size_is_drawn(filled, shot, size, view):
    data = OverlayData({"draw": (1.0,)}, {"a": "b"}, {"F": "x"}, "n" * 300, grid=True)
    renderer = filled(5)
    for look in ("plain", "oil", "smear"):
        pixels = shot(renderer, Scene(view=view, look=look, captions=WORDS, overlay=data), size)
        assert pixels.shape == (size[1], size[0], 4)


def test_the_first_picture_is_there_at_once_in_every_view(make_renderer, face_picture, drawn_face, shot):
    """Regression: the view in which the show began was faded in from the black before the first picture."""
    face = drawn_face()
    for view in ("split", "series", "mirror"):
        renderer = make_renderer(view_fade_s=1.0, grain=0.0)
        for frame in range(3):
            assert shot(renderer, Scene(view=view, time_s=frame / 30))[..., :3].max() == 0
        renderer.show_pictures(face_picture(5))
        renderer.show_camera(face.camera, face.size, face.landmarks, face.quad)
        first = shot(renderer, Scene(view=view, time_s=0.1, freeze=True)).astype(int)
        later = shot(renderer, Scene(view=view, time_s=9.0, freeze=True))
        assert np.abs(first - later).max() <= 2, view


def test_views_cross_fade(make_renderer, face_picture, shot):
    renderer = make_renderer(view_fade_s=1.0, grain=0.0, vignette=0.0)
    renderer.show_pictures(face_picture(5))
    portrait = shot(renderer, Scene(view="portrait", freeze=True))[..., :3].astype(float)
    between = shot(renderer, Scene(view="series", time_s=0.0, freeze=True))[..., :3].astype(float)
    assert np.abs(between - portrait).max() <= 2.0, "at the moment of the change nothing jumps"
    half = shot(renderer, Scene(view="series", time_s=0.5, freeze=True))[..., :3].astype(float)
    series = shot(renderer, Scene(view="series", time_s=2.0, freeze=True))[..., :3].astype(float)
    assert np.abs(half - (portrait + series) / 2).max() <= 3.0


def test_small_pictures_are_enlarged_without_blocks_or_rings(make_renderer, face_picture, shot):
    """A straight edge in a 16 px picture, 20 times larger, has no steps and rings under 10 % (Catmull-Rom: 7.4 %)."""
    renderer = make_renderer(grain=0.0, vignette=0.0, mirrored=False)
    edge = face_picture(1, 16)
    edge.images[:] = -0.5
    edge.images[..., 8:] = 0.5
    renderer.show_pictures(edge)
    row = shot(renderer, Scene(freeze=True), (320, 320))[160, :, 1].astype(float)
    low, high = row[20], row[300]
    assert row.min() >= low - 0.10 * (high - low) - 2
    assert row.max() <= high + 0.10 * (high - low) + 2
    assert np.abs(np.diff(row)).max() < 0.2 * (high - low)


def test_crisp_edges_narrow_and_do_not_overshoot(make_renderer, face_picture, shot):
    """A soft edge in a small picture is steeper with crispness, and no lighter or darker than its two sides."""
    steepest = []
    for crispness in (0.0, 0.5):
        renderer = make_renderer(grain=0.0, vignette=0.0, sharpness=0.0, mirrored=False, crispness=crispness)
        edge = face_picture(1, 32)
        edge.images[:] = np.interp(np.arange(32), [13, 19], [-0.6, 0.6]).astype(np.float32)
        renderer.show_pictures(edge)
        row = shot(renderer, Scene(freeze=True), (320, 320))[160, :, 1].astype(float)
        assert row.min() >= row[20] - 3
        assert row.max() <= row[300] + 3
        steepest.append(np.abs(row[5:] - row[:-5]).max())
    assert steepest[1] > 1.1 * steepest[0]


def test_crispness_keeps_the_pictures_of_a_row_apart(make_renderer, face_picture, shot):
    renderer = make_renderer(CaptionConfig(enabled=False), grain=0.0, vignette=0.0)
    five = face_picture(5, 16)
    five.images[:] = -1.0
    five.images[2] = 1.0
    renderer.show_pictures(five)
    canvas = shot(renderer, Scene(view="series", freeze=True), (960, 540))[270, :, 1]
    white = np.flatnonzero(canvas > 128)
    assert canvas[white[0] : white[-1] + 1].min() > 250
    assert np.delete(canvas, np.arange(white[0], white[-1] + 1)).max() < 5
