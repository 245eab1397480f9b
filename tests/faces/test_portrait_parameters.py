"""The table: complete, in range, and mirrored as its signs say."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.faces.parameters import (
    APPEARANCE,
    DEFAULT,
    GEOMETRY,
    HIGH,
    INDEX,
    LOW,
    NAMES,
    NP,
    PARAMETERS,
    clipped,
    default,
    mirrored,
)
from engines.faces.sampler import sample


def test_names_are_unique_and_readable() -> None:
    assert 60 <= NP <= 80
    assert len(set(NAMES)) == NP
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in NAMES)


@pytest.mark.parametrize("row", PARAMETERS, ids=lambda row: row.name)
def test_row_is_whole(row) -> None:
    assert row.low < row.high
    assert row.low <= row.default <= row.high
    assert row.group in ("identity", "expression", "pose", "appearance", "light")
    assert len(row.help) > 5
    if row.mirror_sign == -1:
        assert row.low == -row.high, "a flipped value must stay in range"


def test_geometry_and_appearance_share_out_the_table() -> None:
    assert sorted([*GEOMETRY, *APPEARANCE]) == list(range(NP))


def test_default_takes_names() -> None:
    p = default(smile=0.5, yaw=-20.0)
    assert p.dtype == np.float32
    assert (p[INDEX["smile"]], p[INDEX["yaw"]]) == (0.5, -20.0)
    np.testing.assert_array_equal(np.flatnonzero(p != DEFAULT), sorted((INDEX["smile"], INDEX["yaw"])))


def test_default_names_a_stranger() -> None:
    with pytest.raises(KeyError, match="grin"):
        default(grin=1.0)


@given(st.integers(0, 2**32 - 1))
def test_mirroring_twice_changes_nothing_and_stays_in_range(seed: int) -> None:
    p = sample(np.random.default_rng(seed))
    flipped = mirrored(p)
    np.testing.assert_array_equal(mirrored(flipped), p)
    assert ((flipped >= LOW) & (flipped <= HIGH)).all()


def test_clipping_reaches_the_ends() -> None:
    np.testing.assert_array_equal(clipped(np.full(NP, 1e6, np.float32)), HIGH)
    np.testing.assert_array_equal(clipped(np.full((3, NP), -1e6, np.float32)), np.tile(LOW, (3, 1)))
