"""Hand measures from points that are known, and the real network on pictures without hands."""

from __future__ import annotations

import threading
import time

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.core.hands import NO_HANDS, measure_hands
from installation.devices.hands import HandFinder, HandReader
from installation.devices.instrument_config import HandsConfig


def hand(x: float, y: float, *, open_: bool = True, pinch: bool = False, size: float = 0.1) -> np.ndarray:
    """A flat hand, fingers up, or a fist: palm of length `size`, its middle at (x, y)."""
    points = np.zeros((21, 3), np.float32)
    points[0] = (0.0, 0.5, 0.0)
    for finger, knuckle in enumerate((5, 9, 13, 17)):
        across = (finger - 1.5) * 0.25
        points[knuckle] = (across, -0.5, 0.0)
        tip = -1.5 if open_ else 0.0
        for joint in (1, 2, 3):
            points[knuckle + joint] = (across, -0.5 + (tip + 0.5) * joint / 3, 0.0)
    points[9] = (0.0, -0.5, 0.0)
    points[4] = (points[8] + (0.05, 0.0, 0.0)) if pinch else (-1.0, -0.5, 0.0)
    points *= size
    palm = points[[0, 5, 9, 13, 17], :2].mean(axis=0)
    points[:, :2] += (x, y) - palm
    return points


def test_nobody_shows_a_hand() -> None:
    assert measure_hands(np.zeros((0, 21, 3), np.float32), 1.5) == NO_HANDS


def test_an_open_hand_and_a_fist() -> None:
    flat = measure_hands(hand(0.3, 0.25)[None], 1.0)
    fist = measure_hands(hand(0.3, 0.25, open_=False)[None], 1.0)
    assert (flat.present, flat.count) == (1.0, 0.5)
    assert flat.height == pytest.approx(0.75, abs=1e-6)
    assert flat.x == pytest.approx(0.3, abs=1e-6)
    assert flat.openness > 0.9
    assert fist.openness < 0.1
    assert (flat.left, flat.right) == (flat.height, 0.0)


def test_a_pinch() -> None:
    assert measure_hands(hand(0.5, 0.5, pinch=True)[None], 1.0).pinch > 0.9
    assert measure_hands(hand(0.5, 0.5)[None], 1.0).pinch == 0.0


def test_two_hands() -> None:
    measures = measure_hands(np.stack([hand(0.8, 0.6), hand(0.2, 0.3)]), 1.0)
    assert measures.count == 1.0
    assert measures.height == pytest.approx(0.7, abs=1e-6)
    assert measures.x == pytest.approx(0.2, abs=1e-6)
    assert (measures.left, measures.right) == (pytest.approx(0.7, abs=1e-6), pytest.approx(0.4, abs=1e-6))
    assert measures.distance == pytest.approx(np.hypot(0.6, 0.3), abs=1e-6)


@given(st.floats(0.02, 0.3), st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.booleans())
def test_size_and_place_do_not_change_the_shape_of_a_hand(size: float, x: float, y: float, open_: bool) -> None:
    here = measure_hands(hand(x, y, open_=open_, size=size)[None], 1.0)
    there = measure_hands(hand(0.5, 0.5, open_=open_)[None], 1.0)
    assert here.openness == pytest.approx(there.openness, abs=1e-3)
    assert here.pinch == pytest.approx(there.pinch, abs=1e-3)


@given(st.integers(0, 2), st.integers(0, 2**32 - 1), st.floats(0.3, 3.0))
def test_every_measure_stays_between_0_and_1(count: int, seed: int, aspect: float) -> None:
    points = np.random.default_rng(seed).normal(0.5, 1.0, (count, 21, 3)).astype(np.float32)
    measures = measure_hands(points, aspect)
    for name in measures.__slots__:
        assert 0.0 <= getattr(measures, name) <= 1.0, name


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ValueError, match="hands have shape"):
        measure_hands(np.zeros((1, 20, 3), np.float32), 1.0)


def drawn_hand(x: float, y: float, size_px: float) -> np.ndarray:
    """A picture of an open hand, 640 x 480 RGB, as a child would draw it: the network knows it."""
    picture = np.full((480, 640, 3), (90, 110, 120), np.uint8)

    def limb(start: tuple[float, float], end: tuple[float, float], first: float, last: float, rim: float) -> None:
        colour = (190, 135, 105) if rim > 1.0 else (224, 172, 138)
        for part in np.linspace(0.0, 1.0, 40):
            at = np.array(start) + part * (np.array(end) - start)
            radius = (first + part * (last - first)) * rim * size_px
            cv2.circle(
                picture, (int(x * 640 + at[0] * size_px), int(y * 480 + at[1] * size_px)), int(radius), colour, -1
            )

    for rim in (1.12, 1.0):
        limb((0, 0.4), (0, 1.5), 0.36, 0.33, rim)
        limb((-0.2, -0.3), (-0.1, 0.4), 0.33, 0.33, rim)
        limb((0.2, -0.3), (0.12, 0.4), 0.33, 0.33, rim)
        limb((-0.42, -0.5), (-0.62, -1.35), 0.16, 0.12, rim)
        limb((-0.15, -0.6), (-0.2, -1.6), 0.16, 0.12, rim)
        limb((0.13, -0.58), (0.2, -1.5), 0.16, 0.12, rim)
        limb((0.4, -0.45), (0.58, -1.15), 0.16, 0.12, rim)
        limb((-0.45, 0.15), (-1.05, -0.35), 0.19, 0.13, rim)
    return cv2.GaussianBlur(picture, (5, 5), 0)


@pytest.mark.parametrize("x", [0.35, 0.6])
def test_the_real_network_finds_a_drawn_hand(x: float) -> None:
    finder = HandFinder(HandsConfig())
    try:
        for _ in range(3):  # found in the first picture, followed in the next
            found = finder.find(drawn_hand(x, 0.6, 120))
    finally:
        finder.close()
    measures = measure_hands(found, 640 / 480)
    assert measures.present == 1.0
    assert measures.x == pytest.approx(x, abs=0.05)
    assert measures.height == pytest.approx(0.4, abs=0.1)
    assert measures.openness > 0.8
    assert measures.pinch < 0.2


def test_the_real_network_sees_no_hands_in_noise() -> None:
    finder = HandFinder(HandsConfig())
    try:
        noise = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
        assert finder.find(noise).shape == (0, 21, 3)
        assert finder.find(np.zeros((240, 320, 3), np.uint8)).shape == (0, 21, 3)
    finally:
        finder.close()


def test_the_reader_looks_at_new_pictures_and_rests_when_they_stop() -> None:
    asked = threading.Event()
    pictures = iter(range(1000))

    def newest() -> tuple[int, np.ndarray]:
        number = next(pictures)
        if number > 3:
            asked.set()
        return number, np.zeros((120, 160, 3), np.uint8)

    reader = HandReader(HandsConfig(enabled=True, hz=60), newest)
    reader.start()
    assert asked.wait(30.0)
    reader.stop()
    assert reader.failure is None
    now = time.monotonic()
    assert reader.measures(now + 10.0) == NO_HANDS
    off = HandReader(HandsConfig(), newest)
    off.start()
    assert off.measures(now) == NO_HANDS
