"""A pack appears whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.packing import Direction, Licence, save_arrays, staged_folder, sweep, write_pack
from engines.runtime.manifest import read_manifest, verify_files
from installation.errors import EngineError

LICENCE = Licence("CC0", "do what you like\n", True)


def write(destination: Path, **changes: Any) -> Path:
    fields: dict[str, Any] = {
        "name": "test",
        "resolution": 64,
        "num_ws": 10,
        "w_dim": 4,
        "z_dim": 3,
        "parts": {"generator.onnx": lambda path: path.write_bytes(b"graph"), "targets/a.txt": _text},
        "w_avg": np.arange(4, dtype=np.float32),
        "provenance": {"kind": "test"},
        "licence": LICENCE,
        **changes,
    }
    return write_pack(destination, **fields)


def _text(path: Path) -> None:
    path.write_text("target")


def test_a_pack_describes_itself(tmp_path: Path) -> None:
    source = tmp_path / "encoder.onnx"
    source.write_bytes(b"encoder")
    axis = Direction(np.ones(4, np.float32), "steps", -2, 2, "by hand")
    pack = write(
        tmp_path / "packs" / "p",
        parts={"generator.onnx": lambda path: path.write_bytes(b"graph"), "encoder.onnx": source},
        directions={"age": axis},
        encoder={"input_size": 256, "landmarks": False},
        golden={"generator.in.w_plus": np.zeros((1, 10, 4), np.float32)},
    )
    manifest = read_manifest(pack)
    verify_files(pack, manifest)
    assert set(manifest.files) == {path.name for path in pack.iterdir()} - {"pack.json"}
    assert manifest.bands == {"coarse": (0, 4), "middle": (4, 8), "fine": (8, 10)}
    assert manifest.directions["age"].high == 2
    assert np.load(pack / "w_avg.npy").shape == (10, 4)
    with np.load(pack / "golden.npz") as golden:
        assert golden["generator.in.w_plus"].shape == (1, 10, 4)
    assert (pack / "LICENCE.txt").read_text() == LICENCE.text


def test_targets_are_not_sealed(tmp_path: Path) -> None:
    pack = write(tmp_path / "p")
    assert (pack / "targets" / "a.txt").is_file()
    assert "targets/a.txt" not in json.loads((pack / "pack.json").read_text())["files"]


def test_same_input_same_bytes(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one"), write(tmp_path / "two")
    assert {p.name: p.read_bytes() for p in one.glob("*.*")} == {p.name: p.read_bytes() for p in two.glob("*.*")}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"parts": {}}, "generator.onnx"),
        ({"directions": {"a": Direction(np.ones(3, np.float32))}}, "'a' is"),
        ({"num_ws": 2}, "three style rows"),
    ],
)
def test_what_makes_no_pack(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(EngineError, match=said):
        write(tmp_path / "p", **changes)
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_fails_leaves_the_old_pack(tmp_path: Path) -> None:
    pack = write(tmp_path / "p")
    before = {path: path.read_bytes() for path in pack.rglob("*") if path.is_file()}

    def fails(path: Path) -> None:
        path.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    with pytest.raises(EngineError, match="No space left"):
        write(pack, parts={"generator.onnx": fails}, replace=True)
    with pytest.raises(EngineError, match="exists already"):
        write(pack)
    assert {path: path.read_bytes() for path in pack.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_replacing(tmp_path: Path) -> None:
    write(tmp_path / "p", name="old")
    write(tmp_path / "p", name="new", replace=True)
    assert read_manifest(tmp_path / "p").name == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".p.partial-999999999").mkdir()
    alive = tmp_path / f".p.partial-{os.getppid()}"
    alive.mkdir()
    other = tmp_path / ".q.partial-999999999"
    other.mkdir()
    sweep(tmp_path / "p")
    assert sorted(tmp_path.iterdir()) == sorted([alive, other])


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match="cannot write"), staged_folder(tmp_path / "file" / "p", replace=False):
        pass


def test_archives_take_any_name(tmp_path: Path) -> None:
    save_arrays(tmp_path / "a.npz", {"file": np.arange(3), "a/b.c": np.float32(2)})
    with np.load(tmp_path / "a.npz") as arrays:
        np.testing.assert_array_equal(arrays["file"], [0, 1, 2])
        assert arrays["a/b.c"] == 2
