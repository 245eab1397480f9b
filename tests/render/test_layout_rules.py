"""The letterbox rule and the panels, on every shape of screen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.display.ghosts import ghost_layout
from installation.display.layout import (
    MIN_PANEL_ASPECT,
    Rect,
    bounding,
    crop_to,
    pair,
    panels,
    place,
    single,
)
from installation.display.tiles import cubic_kernel

sides = st.integers(1, 4000)


@pytest.mark.parametrize(
    ("area", "aspect", "rect"),
    [
        (Rect(0, 0, 1280, 720), 1.0, Rect(280, 0, 720, 720)),
        (Rect(0, 0, 720, 1280), 1.0, Rect(0, 280, 720, 720)),
        (Rect(0, 0, 1280, 720), 16 / 9, Rect(0, 0, 1280, 720)),
        (Rect(0, 0, 1280, 720), 4 / 3, Rect(160, 0, 960, 720)),
        (Rect(10, 20, 100, 100), 2.0, Rect(10, 45, 100, 50)),
        (Rect(0, 0, 1, 1), 1.0, Rect(0, 0, 1, 1)),
    ],
)
def test_a_contained_picture_is_whole_centred_and_as_large_as_fits(area, aspect, rect):
    assert place(area, aspect) == (rect, Rect(0, 0, 1, 1))


def test_a_covering_picture_fills_the_area_and_loses_its_longer_side():
    rect, source = place(Rect(0, 0, 1600, 400), 1.0, "cover")
    assert rect == Rect(0, 0, 1600, 400)
    assert source == Rect(0, 0.375, 1, 0.25)


@given(sides, sides, st.floats(0.1, 8.0))
def test_placed_pictures_keep_their_aspect_and_stay_inside(width, height, aspect):
    rect, _ = place(Rect(0, 0, width, height), aspect)
    assert rect.x >= 0
    assert rect.y >= 0
    assert rect.x + rect.width <= width + 1
    assert rect.y + rect.height <= height + 1
    assert rect.width in (width, 1) or rect.height in (height, 1) or abs(rect.aspect / aspect - 1) < 0.2


@given(st.floats(0.05, 20.0), st.floats(0.05, 20.0))
def test_a_crop_has_the_aspect_it_was_asked_for(aspect, picture):
    part = crop_to(aspect, picture)
    assert part.width / part.height * picture == pytest.approx(aspect)
    assert max(part.width, part.height) == pytest.approx(1.0)
    assert part.x + part.width / 2 == pytest.approx(0.5)


@given(sides, sides, st.integers(1, 12), st.floats(0.0, 80.0), st.floats(0.0, 40.0))
def test_panels_are_of_one_size_inside_the_area_and_never_overlap(width, height, count, words, gap):
    area = Rect(0, 0, width, height)
    tiles = panels(area, count, words, gap)
    assert len(tiles) == count
    assert len({(tile.rect.width, tile.rect.height) for tile in tiles}) == 1
    assert len({tile.source for tile in tiles}) == 1
    for tile in tiles:
        assert tile.rect.x >= -1
        assert tile.rect.x + tile.rect.width <= width + 1.5
        assert tile.rect.y >= -1
        assert tile.rect.y + tile.rect.height <= height + 1.5
    if width >= 8 * count and height >= 8 * count + 3 * words:
        for index, one in enumerate(tiles):
            for other in tiles[index + 1 :]:
                apart = (
                    one.rect.x + one.rect.width <= other.rect.x + 1
                    or other.rect.x + other.rect.width <= one.rect.x + 1
                    or one.rect.y + one.rect.height <= other.rect.y + 1
                    or other.rect.y + other.rect.height <= one.rect.y + 1
                )
                assert apart


def rows(tiles):
    heights = sorted({tile.rect.y for tile in tiles})
    return [sum(tile.rect.y == y for tile in tiles) for y in heights]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1280, 720), [5]),
        ((1024, 768), [3, 2]),
        ((720, 1280), [2, 1, 2]),
        ((3840, 480), [5]),
        ((2880, 360), [5]),
        ((200, 2000), [1] * 5),
    ],
)
def test_five_words_are_a_row_on_wide_screens_and_a_die_on_tall_ones(size, expected):
    tiles = panels(Rect(0, 0, *size), 5, 0.08 * min(size), 0.02 * min(size))
    assert rows(tiles) == expected
    assert tiles[0].rect.aspect >= MIN_PANEL_ASPECT - 0.02


def test_words_go_under_a_picture_if_there_is_room_and_over_its_edge_if_not():
    wide = single(Rect(0, 0, 1280, 720), "contain", 60)
    tall = single(Rect(0, 0, 720, 1280), "contain", 60)
    assert wide.caption.y + wide.caption.height <= 720
    assert wide.caption.y > 600
    assert tall.caption.y >= tall.rect.y + tall.rect.height


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (1000, 1000)])
def test_a_pair_is_two_equal_squares_that_touch(size):
    first, second = pair(Rect(0, 0, *size), 0)
    assert first.rect.size == second.rect.size
    assert first.rect.width == first.rect.height
    moved = (second.rect.x - first.rect.x, second.rect.y - first.rect.y)
    assert sorted(moved) == [0, first.rect.width]


def test_a_rectangle_seen_from_a_block_keeps_its_place():
    block = bounding([Rect(10, 20, 30, 40), Rect(50, 10, 5, 5)])
    assert block == Rect(10, 10, 45, 50)
    assert Rect(20, 30, 10, 10).within(block, 0.5) == Rect(5, 10, 5, 5)


@pytest.mark.parametrize("sharpness", [0.0, 0.3, 0.6, 1.0])
def test_the_enlarging_kernel_is_a_partition_of_one_and_symmetric(sharpness):
    kernel = np.array(cubic_kernel(sharpness)).reshape(4, 4)
    t = np.linspace(0, 1, 11)[:, None]
    weights = t ** np.arange(4) @ kernel
    assert weights.sum(axis=1) == pytest.approx(1.0)
    assert weights == pytest.approx(weights[::-1, ::-1])
    assert weights[-1, 1:] == pytest.approx(weights[0, :3]), "neighbouring pieces meet"


def test_the_sharpest_kernel_keeps_the_pixels_and_the_softest_rings_nowhere():
    assert np.array(cubic_kernel(1.0)).reshape(4, 4)[0].tolist() == [0, 1, 0, 0]
    spline = np.linspace(0, 1, 50)[:, None] ** np.arange(4) @ np.array(cubic_kernel(0.0)).reshape(4, 4)
    assert spline.min() >= -1e-12


@given(st.integers(60, 4000), st.integers(60, 4000))
def test_moments_and_the_present_never_overlap_and_stay_on_the_canvas(width, height):
    main, moments = ghost_layout(Rect(0, 0, width, height))
    rects = [main, *(tile.rect for tile in moments)]
    for index, one in enumerate(rects):
        assert one.x >= -1
        assert one.y >= -1
        assert one.x + one.width <= width + 1
        assert one.y + one.height <= height + 1
        for other in rects[:index]:
            apart = max(one.x - other.x - other.width, other.x - one.x - one.width,
                        one.y - other.y - other.height, other.y - one.y - one.height)  # fmt: skip
            assert apart >= -1.0


@pytest.mark.parametrize(("size", "side"), [((1280, 720), 225), ((720, 1280), 225), ((2560, 720), 268)])
def test_moments_are_as_large_as_the_room_allows(size, side):
    assert ghost_layout(Rect(0, 0, *size))[1][0].rect.width == pytest.approx(side, abs=1)
