"""Shared memory is removed by whoever starts next, if its owner was killed with everything around it."""

import os
import signal
import subprocess
import sys
from multiprocessing import shared_memory
from pathlib import Path

import pytest

from installation.runtime.blocks import PREFIX, OwnBlock, remove_orphans

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="shared memory is no folder here")

OWNER = """
import sys
from installation.runtime.blocks import OwnBlock
block = OwnBlock(4096)
block.memory.buf[:4] = b"face"
print(block.memory.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def owner():
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    yield process, Path("/dev/shm", process.stdout.readline().strip())
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()
    remove_orphans()


def test_the_block_of_one_who_lives_is_left_alone(owner):
    _, path = owner
    assert path.name.startswith(PREFIX)
    remove_orphans()
    assert path.read_bytes()[:4] == b"face"


def test_what_was_killed_at_once_is_cleared_away_by_the_next(owner):
    process, path = owner
    os.killpg(process.pid, signal.SIGKILL)  # the resource tracker as well
    process.wait()
    assert path.read_bytes()[:4] == b"face", "nobody was left to remove it"
    block = OwnBlock(64)
    assert not path.exists()
    block.memory.close()
    block.remove()


def test_an_own_block_is_no_orphan_and_is_gone_when_it_is_removed():
    block = OwnBlock(64)
    other = shared_memory.SharedMemory(name=block.memory.name)
    remove_orphans()
    block.memory.buf[0] = 7
    assert other.buf[0] == 7
    other.close()
    block.memory.close()
    block.remove()
    block.remove()
    with pytest.raises(FileNotFoundError):
        shared_memory.SharedMemory(name=block.memory.name)


def test_the_blocks_of_other_programs_are_not_touched():
    foreign = shared_memory.SharedMemory(create=True, size=64)
    remove_orphans()
    shared_memory.SharedMemory(name=foreign.name).close()
    foreign.close()
    foreign.unlink()
