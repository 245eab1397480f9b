"""The synthetic visitor: a script that eases, and a film that shows somebody come and go."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import mediapipe
import numpy as np
import pytest

from engines.faces.parameters import HIGH, INDEX, LOW
from engines.faces.visitor import BLINKS_S, DURATION_S, FPS, SCRIPT, SIZE_WH, moment, pose

FILM = Path(__file__).resolve().parents[2] / "installation" / "devices" / "visitor.mp4"
PLAINLY_VISIBLE_S = (4.5, 19.5)
EMPTY_S = (2.2, 22.0)
"""The room is empty before the first and after the second."""


def test_script_runs_forward_and_ends_are_empty() -> None:
    assert all(a.time < b.time for a, b in pairwise(SCRIPT))
    assert 20.0 <= DURATION_S <= 24.0
    assert abs(moment(0.0).x) > 120.0
    assert abs(moment(DURATION_S).x) > 120.0


@pytest.mark.parametrize("index", range(len(SCRIPT)))
def test_moments_are_met_exactly(index: int) -> None:
    assert moment(SCRIPT[index].time) == pytest.approx(SCRIPT[index])


def test_nobody_jumps() -> None:
    times = np.arange(0.0, DURATION_S, 1.0 / FPS)
    x = np.array([moment(t).x for t in times])
    assert np.abs(np.diff(x)).max() * FPS < 150.0, "cm a second: a brisk walk"


def test_face_stays_in_the_table_and_blinks() -> None:
    skipped = {"yaw", "pitch", "roll"}
    kept = [i for name, i in INDEX.items() if name not in skipped]
    for t in np.arange(0.0, DURATION_S, 0.1):
        p, _ = pose(float(t))
        assert (p[kept] >= LOW[kept]).all()
        assert (p[kept] <= HIGH[kept]).all()
    closed = [float(pose(t + 0.13)[0][INDEX["eyes_open"]]) for t in BLINKS_S]
    assert max(closed) < 0.05


@pytest.fixture(scope="module")
def film() -> list[np.ndarray]:
    with av.open(str(FILM)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_film_is_small_and_whole(film: list[np.ndarray]) -> None:
    assert FILM.stat().st_size <= 2_000_000
    assert len(film) == round(DURATION_S * FPS)
    assert film[0].shape == (SIZE_WH[1], SIZE_WH[0], 3)


def test_room_is_empty_before_and_after(film: list[np.ndarray]) -> None:
    first = film[0].astype(int)
    for t in (0.5, EMPTY_S[0] - 0.3, EMPTY_S[1] + 0.3, DURATION_S - 0.5):
        assert np.abs(film[round(t * FPS)] - first).mean() < 1.0
    assert np.abs(film[round(10 * FPS)] - first).mean() > 5.0


def test_visitor_is_found_while_plainly_visible(film: list[np.ndarray]) -> None:
    start, stop = (round(t * FPS) for t in PLAINLY_VISIBLE_S)
    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=1) as mesh:
        found = [bool(mesh.process(frame).multi_face_landmarks) for frame in film[start:stop:10]]
        empty = [bool(mesh.process(film[round(t * FPS)]).multi_face_landmarks) for t in (1.0, 23.0)]
    assert np.mean(found) > 0.97
    assert not any(empty)
