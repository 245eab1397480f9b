"""Memory that runs out: a real back-end under a real limit, a stand-in for a driver, and who asks a show by OSC."""

from __future__ import annotations

import multiprocessing
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from short_of_memory import compile_two_batches

from installation.config import Config
from installation.core.controls import control_table
from installation.core.instrument import Instrument
from installation.devices.instrument_config import OscConfig
from installation.devices.osc_server import OscServer
from installation.errors import MirrorError
from installation.kiosk.gpu_hog import GpuHog
from installation.kiosk.player import Player
from installation.kiosk.rehearsal_config import HEARD, rehearsed

CONTEXT = multiprocessing.get_context("spawn")
PATIENCE_S = 120.0

GPU = """
static unsigned long long left = 5ull << 29;  /* 2.5 GiB */
static unsigned long long next = 4096;
int cuInit(unsigned flags) { return INIT; }
int cuDeviceGet(int *device, int index) { *device = index; return 0; }
int cuDevicePrimaryCtxRetain(void **context, int device) { *context = &left; return 0; }
int cuCtxSetCurrent(void *context) { return context == &left ? 0 : 201; }
int cuMemAlloc_v2(unsigned long long *address, unsigned long long size) {
    if (size > left) return 2;
    left -= size;
    *address = next++;
    return 0;
}
"""


def under_limit() -> tuple[str, list[str]] | None:
    """What `compile_two_batches` told; None where a library ended the process for want of memory, as it may."""
    ours, theirs = CONTEXT.Pipe()
    child = CONTEXT.Process(target=compile_two_batches, args=(theirs,))
    child.start()
    theirs.close()
    assert ours.poll(PATIENCE_S)
    assert ours.recv() == "ready"
    process = psutil.Process(child.pid)
    process.rlimit(resource.RLIMIT_AS, (process.memory_info().vms, resource.RLIM_INFINITY))
    ours.send("go on")
    try:
        return ours.recv() if ours.poll(PATIENCE_S) else None
    except EOFError:
        return None
    finally:
        child.kill()
        child.join()


def test_a_back_end_that_finds_no_memory_gives_way_to_the_next() -> None:
    found = next(filter(None, (under_limit() for _ in range(5))), None)
    if found is None:
        pytest.skip("the libraries here abort when they find no memory, before the back-end can say so")
    name, told = found
    assert name == "roomy"
    assert len(told) == 1
    assert told[0].startswith("openvino cannot prepare the generator (batch 5): OpenVINO cannot compile")


@pytest.fixture
def gpu(tmp_path: Path):
    if not sys.platform.startswith("linux") or shutil.which("gcc") is None:
        pytest.skip("needs gcc on Linux")

    def made(init: int = 0) -> str:
        source, library = tmp_path / "gpu.c", tmp_path / f"libgpu{init}.so"
        source.write_text(GPU)
        subprocess.run(["gcc", "-shared", "-fPIC", f"-DINIT={init}", "-o", str(library), str(source)], check=True)
        return str(library)

    return made


def test_all_memory_of_a_gpu_is_taken_to_the_last_megabyte_and_held_until_closed(gpu) -> None:
    hog = GpuHog(gpu())
    assert hog.held == 5 << 29
    process = hog._process
    assert process.poll() is None
    hog.close()
    assert process.returncode == 0


def test_a_gpu_that_is_not_there_is_a_sentence(gpu) -> None:
    with pytest.raises(MirrorError, match="cannot be taken: the NVIDIA driver answers cuInit with error 100"):
        GpuHog(gpu(init=100))
    with pytest.raises(MirrorError, match="no NVIDIA driver here"):
        GpuHog("libnothing.so")


@pytest.fixture
def server() -> Iterator[OscServer]:
    instrument = Instrument(control_table(("strength",), ("age",), views=("portrait", "series")), hold_s=20.0, now=0.0)
    made = OscServer(OscConfig(port=0), instrument)
    made.start()
    yield made
    made.stop()


def test_a_player_is_heard_and_told_how_it_stands(server: OscServer) -> None:
    player = Player("127.0.0.1", server.port)
    player.play("/mirror/view", "series")
    while server.counts.messages < 1:
        assert server.failure is None
    answer = None
    while answer is None:  # a busy machine may answer too late
        answer = player.ask("/mirror/view")
    assert answer == "series"
    while (amount := player.ask(HEARD)) is None:
        pass
    assert amount == 0.0


def test_a_show_that_is_not_there_gives_no_answer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        assert Player("127.0.0.1", taken.getsockname()[1]).ask("/mirror/view") is None


def test_a_rehearsed_show_hears_only_where_there_is_something_to_hear(tmp_path: Path) -> None:
    own = {
        "audio": {"source": "Scarlett", "retry_max_s": 60.0},
        "mappings": {"row": [{"source": "audio.bass", "address": "/mirror/breath"}]},
        "osc": {"enabled": False, "allow": ["10.0.0.0/8"]},
        "hours": {"monday": []},
    }
    base = Config.model_validate(own)
    deaf = rehearsed(base, tmp_path, (320, 180), {}, hears=False)
    assert (deaf.audio, deaf.mappings) == (base.audio, base.mappings)
    assert (deaf.osc.enabled, deaf.osc.allow, deaf.hours) == (True, ("127.0.0.0/8",), Config().hours)
    hears = rehearsed(base, tmp_path, (320, 180), {"camera": {"retry_max_s": 1.0}}, hears=True)
    assert (hears.audio.source, hears.audio.retry_max_s, hears.camera.retry_max_s) == ("pulse", 2.0, 1.0)
    assert [row.address for row in hears.mappings.row] == ["/mirror/breath", HEARD]
