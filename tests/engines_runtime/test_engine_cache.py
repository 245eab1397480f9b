"""The cache of compiled engines: what is given back, what is refused, what survives a full disk."""

import dataclasses
import json
import os

import pytest

from engines.runtime.engine_cache import MAGIC, MAX_QUARANTINED, EngineCache, EngineKey

KEY = EngineKey(
    graph="a" * 64,
    part="generator",
    shapes=(("w_plus", (1, 18, 512)),),
    precision="fp16",
    backend="tensorrt",
    version="10.13.3.9",
    device="NVIDIA Test",
    capability="9.0",
    driver="13010",
)
OTHERS = {
    "graph": "b" * 64,
    "part": "encoder",
    "shapes": (("w_plus", (5, 18, 512)),),
    "precision": "fp32",
    "backend": "cuda",
    "version": "11.4.0.106",
    "device": "NVIDIA Other",
    "capability": "12.0",
    "driver": "13020",
    "settings": "level 5",
}


@pytest.fixture
def cache(tmp_path):
    return EngineCache(tmp_path / "engines")


def test_what_was_stored_comes_back(cache):
    assert cache.load(KEY) is None
    cache.store(KEY, b"plan\n\x00bytes")
    assert cache.load(KEY) == b"plan\n\x00bytes"
    assert [p.name for p in cache.folder.iterdir()] == [cache.path(KEY).name], "no half file stays"


def test_every_field_of_the_key_counts(cache):
    assert set(OTHERS) == {field.name for field in dataclasses.fields(EngineKey)}
    cache.store(KEY, b"plan")
    for name, value in OTHERS.items():
        other = dataclasses.replace(KEY, **{name: value})
        assert other.digest != KEY.digest
        assert cache.load(other) is None, name


def _truncate(blob):
    return blob[:-3]


def _flip(blob):
    return blob[:-1] + bytes([blob[-1] ^ 1])


def _foreign(blob):
    return b"ftrt" + blob


def _headless(blob):
    return MAGIC + b"{" + blob[len(MAGIC) + 5 :]


def _another(blob):
    line, _, rest = blob[len(MAGIC) :].partition(b"\n")
    header = json.loads(line)
    header["key"]["version"] = "8.6"
    return MAGIC + json.dumps(header).encode() + b"\n" + rest


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_truncate, "cut off"),
        (_flip, "bytes are damaged"),
        (_foreign, "no engine of this program"),
        (_headless, "header is damaged"),
        (_another, "built for another version"),
        (lambda blob: b"", "no engine of this program"),
    ],
)
def test_a_spoilt_entry_is_put_aside_with_the_reason_and_can_be_stored_again(cache, caplog, spoil, reason):
    cache.store(KEY, b"plan of some length")
    path = cache.path(KEY)
    path.write_bytes(spoil(path.read_bytes()))
    assert cache.load(KEY) is None
    assert not path.exists()
    aside = cache.folder / "quarantine" / path.name
    assert reason in aside.with_suffix(".txt").read_text("utf-8")
    assert reason in caplog.text
    cache.store(KEY, b"built again")
    assert cache.load(KEY) == b"built again"


def test_the_quarantine_does_not_grow(cache):
    for number in range(MAX_QUARANTINED + 3):
        key = dataclasses.replace(KEY, driver=str(number))
        cache.store(key, b"plan")
        cache.quarantine(key, "a test")
    assert len(list((cache.folder / "quarantine").glob("*.engine"))) == MAX_QUARANTINED
    assert len(list((cache.folder / "quarantine").glob("*.txt"))) == MAX_QUARANTINED


def test_the_least_used_entries_make_room(tmp_path):
    cache = EngineCache(tmp_path, max_bytes=3500)
    keys = [dataclasses.replace(KEY, driver=str(number)) for number in range(3)]
    for number, key in enumerate(keys[:2]):
        cache.store(key, b"x" * 1000)
        os.utime(cache.path(key), (number + 1, number + 1))
    assert cache.load(keys[0]) is not None, "used, so the other one is the oldest now"
    cache.store(keys[2], b"x" * 1000)
    assert [cache.load(key) is not None for key in keys] == [True, False, True]


def test_an_engine_larger_than_the_cache_is_kept_alone(tmp_path):
    cache = EngineCache(tmp_path, max_bytes=10)
    cache.store(KEY, b"x" * 1000)
    assert cache.load(KEY) == b"x" * 1000


def test_a_disk_that_refuses_costs_nothing_but_the_entry(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    cache = EngineCache(tmp_path / "file")
    cache.store(KEY, b"plan")
    assert "could not be kept" in caplog.text
    assert cache.load(KEY) is None
