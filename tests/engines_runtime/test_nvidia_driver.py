"""What the driver says about the GPU, asked of a stand-in compiled here: there need not be a GPU."""

import shutil
import subprocess
import sys

import pytest

from engines.runtime.nvidia import find_nvidia
from installation.errors import EngineError

DRIVER = """
#include <string.h>
int cuInit(unsigned flags) { return INIT; }
int cuDeviceGetCount(int *count) { *count = COUNT; return 0; }
int cuDeviceGet(int *device, int index) { *device = 40 + index; return 0; }
int cuDeviceGetName(char *name, int size, int device) { strncpy(name, "NVIDIA Test", size); return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    if (device != 40) return 101;
    *value = attribute == 75 ? 9 : attribute == 76 ? 1 : -1;
    return 0;
}
int cuDriverGetVersion(int *version) { *version = 13010; return 0; }
"""

needs_gcc = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("gcc") is None, reason="needs gcc on Linux"
)


@pytest.fixture
def driver(tmp_path):
    def made(init=0, count=1):
        source, library = tmp_path / "driver.c", tmp_path / f"libdriver{init}{count}.so"
        source.write_text(DRIVER)
        options = ["-shared", "-fPIC", f"-DINIT={init}", f"-DCOUNT={count}"]
        subprocess.run(["gcc", *options, "-o", str(library), str(source)], check=True)
        return str(library)

    return made


@needs_gcc
def test_name_capability_and_driver_are_read(driver):
    device = find_nvidia(driver())
    assert (device.name, device.capability, device.driver) == ("NVIDIA Test", "9.1", 13010)


@needs_gcc
def test_a_driver_without_a_gpu_says_so(driver):
    with pytest.raises(EngineError, match="knows 0 GPUs"):
        find_nvidia(driver(count=0))
    with pytest.raises(EngineError, match="cuInit with error 100"):
        find_nvidia(driver(init=100))


def test_no_driver_is_said_in_a_sentence():
    with pytest.raises(EngineError, match=r"no NVIDIA driver here \(libnothing.so cannot be loaded\)"):
        find_nvidia("libnothing.so")
