"""Slots: newest value wins, readers see whole records, nothing is left behind."""

import multiprocessing
import threading
from multiprocessing import shared_memory

import numpy as np
import pytest

from installation.runtime.slots import SharedSlot, Slot

FIELDS = {"picture": ((4, 6, 3), "u1"), "number": ((), "i8"), "quad": ((4, 2), "f4")}


def test_publishing_overwrites_and_counts_what_nobody_saw():
    slot = Slot()
    assert slot.peek() == (0, None)
    for value in "abc":
        slot.publish(value)
    assert slot.peek() == (3, "c")
    assert slot.overwritten == 2
    slot.publish("d")
    assert slot.overwritten == 2


def test_waiting_ends_at_once_when_something_newer_is_there_and_after_the_timeout_otherwise():
    slot = Slot()
    slot.publish(1)
    assert slot.wait_newer(0, 10.0) == (1, 1)
    assert slot.wait_newer(1, 0.0) == (1, 1)


def test_a_waiting_reader_is_woken():
    slot, got = Slot(), []
    reader = threading.Thread(target=lambda: got.append(slot.wait_newer(0, 60.0)))
    reader.start()
    slot.publish("here")
    reader.join(60.0)
    assert got == [(1, "here")]


@pytest.fixture
def shared():
    slot = SharedSlot(FIELDS)
    yield slot
    slot.close(unlink=True)


def publish(slot, value):
    record = slot.begin()
    record["picture"][:] = value
    record["number"][...] = value
    record["quad"][:] = value
    return slot.commit()


def test_a_record_arrives_whole_with_its_sequence(shared):
    assert shared.latest() == (0, None)
    for value in range(1, 20):
        assert publish(shared, value) == value
        sequence, record = shared.latest()
        assert sequence == value
        assert record["number"] == value
        assert (record["picture"] == value).all()
        assert record["quad"].shape == (4, 2)
        assert shared.still_valid(sequence)


def test_a_record_that_was_overwritten_under_the_reader_is_noticed(shared):
    publish(shared, 1)
    sequence, _ = shared.latest()
    for value in (2, 3, 4):
        publish(shared, value)
    assert shared.still_valid(sequence)
    shared.begin()  # the writer is back at the reader's buffer
    assert not shared.still_valid(sequence)


def _write_many(layout, count):
    slot = SharedSlot(layout=layout)
    for value in range(count):
        publish(slot, value % 200)
    slot.close()


def test_another_process_never_shows_a_torn_record(shared):
    writer = multiprocessing.get_context("spawn").Process(target=_write_many, args=(shared.layout, 20_000))
    writer.start()
    own = {name: np.zeros(shape, dtype) for name, (shape, dtype) in FIELDS.items()}
    seen = 0
    while writer.is_alive() or not seen:
        if shared.read(("picture", "number", "quad"), own):
            seen += 1
            assert (own["picture"] == own["number"]).all()
            assert (own["quad"] == own["number"]).all()
    writer.join()
    assert writer.exitcode == 0
    assert shared.sequence == 20_000


def test_closing_removes_the_memory_and_may_be_done_twice():
    slot = SharedSlot(FIELDS)
    name = slot.layout.name
    slot.close(unlink=True)
    slot.close(unlink=True)
    with pytest.raises(FileNotFoundError):
        shared_memory.SharedMemory(name=name)
    with pytest.raises(ValueError, match="closed"):
        slot.latest()
