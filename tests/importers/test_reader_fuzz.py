"""Damaged and random bytes: the readers answer with an error of ours, quickly, or with plain values."""

from __future__ import annotations

import contextlib
import io
import pickle
import random
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.importers.directions import read_directions
from engines.importers.files import opened
from engines.importers.layouts import recognise
from engines.importers.pickles import Malformed, PickleReader, Span
from engines.importers.safetensors import read_safetensors, write_safetensors
from engines.importers.tensors import TensorReader, as_array
from engines.lazy import LazyArray
from installation.errors import EngineError

relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**200), 2**200) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


def read(data: bytes) -> Any:
    """Read one pickle with everything allowed that a checkpoint may name."""
    stream = io.BytesIO(data)
    return TensorReader(stream, len(data)).read_pickle(Span(0, len(data)))


def touch(path: Path) -> None:
    """Open a file and load whatever it gives."""
    with opened(path) as content:
        recognised = recognise(content)
        if recognised is None:
            for direction in read_directions(content, path.name, 6, 12).values():
                assert np.isfinite(direction.vector).all()
            return
        for tensor in (*recognised.generator_tensors.values(), *recognised.encoder_tensors.values()):
            assert np.isfinite(tensor.load()).all()


def mutations(data: bytes, seed: int, count: int) -> Iterator[bytes]:
    """Damage a file: flipped bits, overwritten runs, cuts, doubled and swapped pieces."""
    chance = random.Random(seed)
    for _ in range(count):
        out = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(out))
            length = chance.choice((1, 1, 1, 2, 4, 8, 64))
            kind = chance.randrange(5)
            if kind == 0:
                out[at] ^= 1 << chance.randrange(8)
            elif kind == 1:
                out[at : at + length] = chance.randbytes(length)
            elif kind == 2:
                out[at : at + length] = b"\xff" * length
            elif kind == 3:
                del out[at : at + length]
            else:
                out[at:at] = out[at : at + length]
            if not out:
                break
        yield bytes(out)


@given(plain, st.integers(2, 5))
@relaxed
def test_plain_values_come_back(value: Any, protocol: int) -> None:
    assert read(pickle.dumps(value, protocol=protocol)) == value


@given(st.binary(max_size=400))
@relaxed
def test_random_bytes(data: bytes) -> None:
    with contextlib.suppress(Malformed, EngineError):
        read(b"\x80\x04" + data)


@given(st.lists(st.sampled_from([bytes([i]) for i in range(256)]), max_size=60))
@relaxed
def test_random_instructions(codes: list[bytes]) -> None:
    """Bytes that are mostly instructions reach deeper than random ones."""
    with contextlib.suppress(Malformed, EngineError):
        read(b"\x80\x04](}C\x01ab\x8c\x01x" + b"".join(codes) + b".")


@given(st.text(max_size=30), st.text(max_size=30))
@relaxed
def test_no_name_reaches_python(module: str, name: str) -> None:
    """A name of the file is looked up in our table and nowhere else."""
    data = b"".join(b"X" + len(t.encode()).to_bytes(4, "little") + t.encode() for t in (module, name)) + b"\x93."
    reader = PickleReader(io.BytesIO(data), 0, len(data), {("a", "b"): list})
    try:
        symbol = reader.load()
    except EngineError:
        assert (module, name) != ("a", "b")
    else:
        assert (symbol.module, symbol.name) == ("a", "b")


@pytest.mark.parametrize("form", ["nvidia", "tensorflow", "zip", "legacy", "safetensors"])
def test_damaged_checkpoints(checkpoints: Any, tmp_path: Path, form: str) -> None:
    source = tmp_path / "source"
    state = checkpoints.rosinality_state(checkpoints.small)
    if form == "nvidia":
        checkpoints.write_nvidia(source)
    elif form == "tensorflow":
        checkpoints.write_tensorflow(source)
    elif form == "safetensors":
        write_safetensors(source, {name: LazyArray.of(value.numpy()) for name, value in state.items()}, {"a": "b"})
    else:
        torch.save({"g_ema": state}, source, _use_new_zipfile_serialization=form == "zip")
    data = source.read_bytes()
    path = tmp_path / "damaged"
    reasons = []
    for damaged in mutations(data, seed=1, count=60):
        path.write_bytes(damaged)
        try:
            touch(path)
        except EngineError as error:
            reasons.append(str(error))
    assert reasons
    assert not any("\n" in reason for reason in reasons)


@pytest.mark.parametrize("form", ["npz", "npy", "pt"])
def test_damaged_directions(tmp_path: Path, form: str) -> None:
    buffer = io.BytesIO()
    vector = np.linspace(-1, 1, 12, dtype=np.float32)
    if form == "npz":
        np.savez_compressed(buffer, smile=vector, age=np.stack([vector] * 6))
    elif form == "npy":
        np.save(buffer, vector[None])
    else:
        torch.save(torch.from_numpy(vector), buffer)
    path = tmp_path / "damaged"
    refused = 0
    for damaged in mutations(buffer.getvalue(), seed=2, count=150):
        path.write_bytes(damaged)
        try:
            touch(path)
        except EngineError:
            refused += 1
    assert refused > 0


@given(st.binary(max_size=300))
@relaxed
def test_random_safetensors(data: bytes) -> None:
    for content in (data, len(data).to_bytes(8, "little") + b"{" + data):
        with contextlib.suppress(Malformed):
            read_safetensors(io.BytesIO(content), len(content))


def test_strided_and_shared_tensors(tmp_path: Path) -> None:
    """Views of one storage, transposed and sliced: e4e's principal components are stored so."""
    base = torch.arange(60, dtype=torch.float32).reshape(5, 12)
    tree = OrderedDict(whole=base, turned=base.t(), part=base[1:4, 2:9:3], empty=base[:0], scalar=base[2, 3])
    for zipped in (True, False):
        path = tmp_path / "a.pt"
        torch.save(tree, path, _use_new_zipfile_serialization=zipped)
        with opened(path) as content:
            for name, expected in tree.items():
                array = as_array(content.value[name])
                assert array is not None
                np.testing.assert_array_equal(array.load(), expected.numpy())


def test_arrays_in_fortran_order(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    value = np.asfortranarray(np.arange(24.0).reshape(2, 3, 4))
    path.write_bytes(pickle.dumps({"a": value, "b": value.astype(">f4"), "c": np.float64(0.5)}, protocol=4))
    with opened(path) as content:
        for name in "ab":
            array = as_array(content.value[name])
            assert array is not None
            np.testing.assert_array_equal(array.load(), value)
        assert content.value["c"] == 0.5
