"""The target file: what is written is what is read, and nothing else is accepted."""

from __future__ import annotations

import dataclasses
import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engines.runtime.targets import (
    LABELS,
    ModelUsed,
    Provenance,
    Target,
    check_name,
    list_targets,
    read_target,
    read_targets,
    space_id,
    write_target,
)
from installation.errors import EngineError

W_AVG = np.linspace(-1.0, 1.0, 12, dtype=np.float32).reshape(3, 4)
SPACE = space_id(W_AVG)


def target(name: str = "nurse", edit: float = 0.5, **changes: object) -> Target:
    move = np.full((3, 4), edit, np.float32)
    known = Provenance(
        prompt="a nurse",
        route="text",
        models=(ModelUsed("reader", "text model", "ab" * 32),),
        scores={"age": 1.25},
        doubts={"age": 0.25},
        moves={"age": 0.5},
        curation={"direction.skin_tone": 0.0},
        seeds=(3, 1),
        steps=7,
        settings={"budget": 2.0, "note": "été"},
        pack="stand-in",
        space=SPACE,
        date="2026-01-01T00:00:00+00:00",
    )
    made = Target(name, "a nurse", W_AVG + move, move, move * 2, known, order=4, label=LABELS[3])
    return dataclasses.replace(made, **changes)


def assert_same(a: Target, b: Target) -> None:
    for name in ("w_plus", "edit", "uncurated"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    plain = {"w_plus": None, "edit": None, "uncurated": None}
    assert dataclasses.replace(a, **plain) == dataclasses.replace(b, **plain)


@contextmanager
def disk_of(limit_bytes: int) -> Iterator[None]:
    """Let no file grow beyond a limit: the kernel then refuses as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_target_comes_back_as_it_was_written(tmp_path: Path) -> None:
    assert write_target(tmp_path, target())
    assert_same(read_target(tmp_path, "nurse", space=SPACE), target())


@settings(max_examples=25, deadline=None)
@given(
    edit=hnp.arrays(np.float32, (3, 4), elements=st.floats(-1e6, 1e6, width=32)),
    prompt=st.text(st.characters(exclude_categories=("Cs",)), max_size=60),
)
def test_any_numbers_and_any_words_survive(tmp_path_factory: pytest.TempPathFactory, edit, prompt) -> None:
    folder = tmp_path_factory.mktemp("targets")
    known = dataclasses.replace(target().provenance, prompt=prompt)
    made = target(edit=0.0, caption=prompt, provenance=known)
    made = dataclasses.replace(made, edit=edit)
    write_target(folder, made)
    assert_same(read_target(folder, "nurse"), made)


def test_the_same_target_has_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_target(tmp_path / folder, target())
    for name in ("nurse.npz", "nurse.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_remake_that_finds_the_same_keeps_the_files_and_their_date(tmp_path: Path) -> None:
    write_target(tmp_path, target())
    later = target(provenance=dataclasses.replace(target().provenance, date="2027-01-01T00:00:00+00:00"))
    assert not write_target(tmp_path, later)
    assert read_target(tmp_path, "nurse").provenance.date.startswith("2026")
    assert write_target(tmp_path, dataclasses.replace(later, caption="A nurse"))
    assert read_target(tmp_path, "nurse").provenance.date.startswith("2027")


def test_targets_come_in_the_order_of_the_series(tmp_path: Path) -> None:
    for name, order in (("power", 2), ("beauty", 4), ("strength", 0), ("art", 4)):
        write_target(tmp_path, target(name, order=order))
    assert list_targets(tmp_path) == ("art", "beauty", "power", "strength")
    assert list(read_targets(tmp_path, space=SPACE)) == ["strength", "power", "art", "beauty"]
    assert list_targets(tmp_path / "nowhere") == ()


def test_a_target_of_another_space_is_refused(tmp_path: Path) -> None:
    write_target(tmp_path, target())
    nudged = W_AVG.copy()
    nudged[0, 0] = np.nextafter(nudged[0, 0], np.float32(9.0))
    with pytest.raises(EngineError, match=r"another W\+ space \(pack 'stand-in'.*make it again on this pack"):
        read_target(tmp_path, "nurse", space=space_id(nudged))


def test_the_space_is_told_by_shape_too() -> None:
    assert space_id(np.zeros((2, 6), np.float32)) != space_id(np.zeros((3, 4), np.float32))
    assert space_id(W_AVG) == space_id(np.asfortranarray(W_AVG))


def damage_arrays(folder: Path) -> None:
    path = folder / "nurse.npz"
    path.write_bytes(path.read_bytes()[:-20])


def swap_arrays(folder: Path) -> None:
    write_target(folder, target("other", edit=0.9))
    (folder / "other.npz").replace(folder / "nurse.npz")


def edit_record(change: dict[str, object]):
    def edit(folder: Path) -> None:
        path = folder / "nurse.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))

    return edit


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda f: (f / "nurse.npz").unlink(), "cannot be read"),
        (lambda f: (f / "nurse.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "nurse.json").write_bytes(b"\xff\xfe"), "cannot be read"),
        (lambda f: (f / "nurse.json").write_text("[]"), "format 1, found None"),
        (edit_record({"format": 2}), "format 1, found 2"),
        (edit_record({"provenance": {"prompt": "x"}}), "damaged"),
        (edit_record({"provenance": {"prompt": "x", "route": "text", "secret": 1}}), "unknown provenance secret"),
        (edit_record({"order": "first"}), "damaged"),
        (damage_arrays, "is not the file that nurse.json describes"),
        (swap_arrays, "is not the file that nurse.json describes"),
    ],
)
def test_what_is_damaged_is_refused_in_a_sentence(tmp_path: Path, damage, sentence: str) -> None:
    write_target(tmp_path, target())
    damage(tmp_path)
    with pytest.raises(EngineError, match=sentence):
        read_target(tmp_path, "nurse")


def test_pickled_arrays_are_not_loaded(tmp_path: Path) -> None:
    write_target(tmp_path, target())
    np.savez(tmp_path / "nurse.npz", w_plus=np.array([{"a": 1}], object), edit=W_AVG, uncurated=W_AVG)
    import hashlib

    edit_record({"sha256": hashlib.sha256((tmp_path / "nurse.npz").read_bytes()).hexdigest()})(tmp_path)
    with pytest.raises(EngineError, match="damaged"):
        read_target(tmp_path, "nurse")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"uncurated": np.full((3, 4), np.nan, np.float32)}, "values that are not numbers"),
        ({"uncurated": np.zeros((2, 4), np.float32)}, "must all be"),
        ({"label": "pretty"}, "not a label"),
        ({"name": "Nurse"}, "cannot name a target"),
    ],
)
def test_what_cannot_be_a_target_is_not_written(tmp_path: Path, changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(EngineError, match=sentence):
        write_target(tmp_path, target(**changes))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", "_a", "1st", "a-b", "a/b", "../a", "ä", "a" * 49, "Nurse"])
def test_names_that_cannot_be_an_address(name: str) -> None:
    with pytest.raises(EngineError, match="cannot name a target"):
        check_name(name)


@pytest.mark.parametrize("room", [0.0, 0.1, 0.99])
def test_a_full_disk_leaves_the_former_target_whole(tmp_path: Path, room: float) -> None:
    write_target(tmp_path, target())
    largest = max(p.stat().st_size for p in tmp_path.iterdir())
    with disk_of(int(room * largest)), pytest.raises(EngineError, match="finished targets are kept; make room"):
        write_target(tmp_path, target(edit=0.75))
    assert_same(read_target(tmp_path, "nurse"), target())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["nurse.json", "nurse.npz"]
