"""Properties of the morph, with hypothesis."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.core.control import Value
from installation.core.latents import BAND_NAMES, bands_for
from installation.core.morph import Morph, blend_feedback, slerp

ROWS, DIM = 9, 8
BANDS = bands_for(ROWS)
RNG = np.random.default_rng(5)
AVG = RNG.normal(size=(ROWS, DIM)).astype(np.float32)
TARGETS = {name: RNG.normal(size=(ROWS, DIM)).astype(np.float32) for name in ("strength", "power", "beauty")}
DIRECTIONS = {"age": RNG.normal(size=(ROWS, DIM)).astype(np.float32), "yaw": RNG.normal(size=DIM).astype(np.float32)}
MORPH = Morph(AVG, BANDS, TARGETS, DIRECTIONS)

unit = st.floats(0.0, 1.0, width=32)
visitors = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).normal(size=(ROWS, DIM)).astype(np.float32)
)
modes = st.sampled_from(("replace", "edit"))
paths = st.sampled_from(("linear", "spherical"))


def controls(**values: Value) -> dict[str, Value]:
    return {"/mirror/" + key.replace("__", "/"): value for key, value in values.items()}


@given(visitors, modes, paths)
def test_at_rest_the_visitor_is_untouched(visitor: np.ndarray, mode: str, path: str) -> None:
    assert np.array_equal(MORPH.apply(visitor, {}), visitor)
    rest = controls(morph__power=1.0, amount=0.0, morph_mode=mode, morph_path=path)
    assert np.array_equal(MORPH.apply(visitor, rest), visitor)


@given(visitors, st.sampled_from(list(TARGETS)), paths)
def test_at_one_the_target_is_reached_exactly(visitor: np.ndarray, name: str, path: str) -> None:
    full = {f"/mirror/morph/{name}": 1.0, "/mirror/morph_path": path}
    assert np.array_equal(MORPH.apply(visitor, full), TARGETS[name])
    edit = {**full, "/mirror/morph_mode": "edit"}
    assert np.array_equal(MORPH.apply(visitor, edit), visitor + (TARGETS[name] - AVG))


@given(visitors, unit, st.tuples(unit, unit, unit), modes, paths)
def test_each_band_touches_only_its_rows(
    visitor: np.ndarray, amount: float, weights: tuple[float, float, float], mode: str, path: str
) -> None:
    base = {f"/mirror/morph/{name}": weight for name, weight in zip(TARGETS, weights, strict=True)}
    base |= {"/mirror/amount": amount, "/mirror/morph_mode": mode, "/mirror/morph_path": path}
    full = MORPH.apply(visitor, base)
    for band in BAND_NAMES:
        only = MORPH.apply(visitor, base | {f"/mirror/mix/{other}": float(other == band) for other in BAND_NAMES})
        start, stop = BANDS[band]
        inside = np.zeros(ROWS, bool)
        inside[start:stop] = True
        assert np.array_equal(only[~inside], visitor[~inside])
        assert np.array_equal(only[inside], full[inside])


@given(visitors, st.tuples(unit, unit, unit), st.floats(1.0, 50.0), modes)
def test_weights_that_sum_over_one_are_divided_by_their_sum(
    visitor: np.ndarray, weights: tuple[float, float, float], factor: float, mode: str
) -> None:
    total = sum(weights)
    if total < 1e-3:
        return
    normal = {f"/mirror/morph/{n}": w / total for n, w in zip(TARGETS, weights, strict=True)}
    large = {address: weight * factor for address, weight in normal.items()}
    mode_control: dict[str, Value] = {"/mirror/morph_mode": mode}
    first, second = MORPH.apply(visitor, normal | mode_control), MORPH.apply(visitor, large | mode_control)
    np.testing.assert_allclose(first, second, rtol=0, atol=3e-6)


@given(visitors, unit, unit)
def test_the_straight_way_is_the_formula(visitor: np.ndarray, weight: float, amount: float) -> None:
    out = MORPH.apply(visitor, controls(morph__beauty=weight, amount=amount))
    way = np.float64(weight) * amount
    np.testing.assert_allclose(out, visitor + way * (TARGETS["beauty"].astype(np.float64) - visitor), atol=3e-6)


@given(visitors, unit)
def test_the_spherical_way_moves_its_length_evenly(visitor: np.ndarray, way: float) -> None:
    out = MORPH.apply(visitor, controls(morph__beauty=way, morph_path="spherical"))
    lengths = [np.linalg.norm(x - AVG, axis=1) for x in (visitor, out, TARGETS["beauty"])]
    np.testing.assert_allclose(lengths[1], lengths[0] + way * (lengths[2] - lengths[0]), atol=2e-4)


def test_slerp_of_opposite_and_zero_vectors_is_straight() -> None:
    x = np.array([1.0, 0.0], np.float32)
    np.testing.assert_allclose(slerp(x, -x, 0.25), [0.5, 0.0])
    np.testing.assert_allclose(slerp(0 * x, x, 0.25), [0.25, 0.0])
    np.testing.assert_allclose(slerp(x, np.array([0.0, 1.0], np.float32), 0.5), [0.70710678, 0.70710678], atol=1e-6)


@given(visitors, st.floats(-1.0, 1.0, width=32), st.floats(-1.0, 1.0, width=32))
def test_directions_add(visitor: np.ndarray, age: float, yaw: float) -> None:
    out = MORPH.apply(visitor, controls(direction__age=age, direction__yaw=yaw))
    np.testing.assert_allclose(out, visitor + age * DIRECTIONS["age"] + yaw * DIRECTIONS["yaw"], atol=3e-6)


@given(visitors, st.integers(0, ROWS - 1), st.integers(0, ROWS - 1), unit)
def test_style_mixing_touches_only_its_rows(visitor: np.ndarray, first: int, last: int, amount: float) -> None:
    style = controls(style__donor="power", style__first=first, style__last=last, style__amount=amount)
    out = MORPH.apply(visitor, style)
    inside = np.zeros(ROWS, bool)
    inside[first : last + 1] = True
    assert np.array_equal(out[~inside], visitor[~inside])
    np.testing.assert_allclose(out[inside], (visitor + amount * (TARGETS["power"] - visitor))[inside], atol=3e-6)
    whole = MORPH.apply(visitor, style | controls(style__amount=1.0))
    assert np.array_equal(whole[inside], TARGETS["power"][inside])


@given(visitors, unit)
def test_psi_pulls_everything_to_the_average(visitor: np.ndarray, psi: float) -> None:
    played = controls(morph__power=0.6, direction__age=0.5, breath=0.7)
    full = MORPH.apply(visitor, played, now=3.0)
    np.testing.assert_allclose(
        MORPH.apply(visitor, played | controls(psi=psi), now=3.0), AVG + psi * (full - AVG), atol=3e-6
    )
    assert np.array_equal(MORPH.apply(visitor, played | controls(psi=0.0), now=3.0), AVG)


@given(visitors, unit, modes)
def test_the_series_is_each_target_alone(visitor: np.ndarray, amount: float, mode: str) -> None:
    shared = controls(amount=amount, morph_mode=mode, direction__yaw=0.25)
    each = MORPH.apply_each(visitor, shared | controls(morph__power=0.3))
    assert each.shape == (len(TARGETS), ROWS, DIM)
    for index, name in enumerate(TARGETS):
        assert np.array_equal(each[index], MORPH.apply(visitor, shared | {f"/mirror/morph/{name}": 1.0}))


@given(visitors, unit, modes)
def test_the_ladder_is_the_reflection_each_band_alone_and_the_morph(
    visitor: np.ndarray, amount: float, mode: str
) -> None:
    shared = controls(amount=amount, morph_mode=mode, direction__yaw=0.25, morph__power=0.6, morph__strength=0.2)
    ladder = MORPH.apply_ladder(visitor, shared)
    assert np.array_equal(ladder[0], MORPH.apply(visitor, shared | controls(amount=0.0)))
    for rung, band in zip(ladder[1:4], BAND_NAMES, strict=True):
        others = {f"/mirror/mix/{other}": 0.0 for other in BAND_NAMES if other != band}
        assert np.array_equal(rung, MORPH.apply(visitor, shared | others))
    assert np.array_equal(ladder[4], MORPH.apply(visitor, shared))


def test_out_is_filled_in_place_and_may_be_the_visitor() -> None:
    visitor = TARGETS["strength"].copy()
    wanted = MORPH.apply(visitor, controls(morph__power=0.5, breath=1.0), now=1.0)
    assert MORPH.apply(visitor, controls(morph__power=0.5, breath=1.0), now=1.0, out=visitor) is visitor
    assert np.array_equal(visitor, wanted)


def test_the_breath_is_slow_small_and_grows_with_its_control() -> None:
    visitor = TARGETS["strength"]
    times = np.arange(0.0, 60.0, 0.01)
    walk = np.array([MORPH.apply(visitor, controls(breath=1.0), now=t) - visitor for t in times])
    reach = np.abs(walk).max()
    assert reach > 0.05
    assert np.abs(np.diff(walk, axis=0)).max() < 0.02 * reach  # in 10 ms
    half = MORPH.apply(visitor, controls(breath=0.5), now=times[77]) - visitor
    np.testing.assert_allclose(half, 0.5 * walk[77], atol=1e-6)


def test_a_pack_without_targets_or_directions_still_plays() -> None:
    bare = Morph(AVG[0], BANDS, {}, {}, num_ws=ROWS)
    visitor = TARGETS["power"]
    assert np.array_equal(bare.apply(visitor, controls(breath=1.0)), visitor)
    assert bare.apply_each(visitor, {}).shape == (0, ROWS, DIM)


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ValueError, match="target 'power' has shape"):
        Morph(AVG, BANDS, {"power": np.zeros((3, 2), np.float32)}, {})
    with pytest.raises(ValueError, match="w_plus has shape"):
        MORPH.apply(np.zeros((ROWS, DIM + 1), np.float32), {})
    with pytest.raises(ValueError, match="give num_ws"):
        Morph(AVG[0], BANDS, {}, {})


@given(st.integers(0, 2**32 - 1), unit)
def test_the_feedback_is_a_blend_and_zero_is_exact(seed: int, amount: float) -> None:
    crop, shown = np.random.default_rng(seed).normal(size=(2, 1, 3, 4, 4)).astype(np.float32)
    out = blend_feedback(crop, shown, amount)
    np.testing.assert_allclose(out, crop * (1 - amount) + np.clip(shown, -1, 1) * amount, atol=1e-6)
    assert np.array_equal(blend_feedback(crop, shown, 0.0), crop)
    assert blend_feedback(crop, shown, amount, out=crop) is crop
    assert np.array_equal(crop, out)
