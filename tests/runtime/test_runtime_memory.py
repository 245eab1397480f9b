"""Resident memory over a run, with this process counted so many times."""

import os
import subprocess
import sys

import pytest

from installation.runtime.memory import MemoryWatch, resident_mb

ME = os.getpid()


def watched(settle_s, samples):
    """Summary of samples (seconds, how often this process is counted), in units of this process."""
    watch, unit = MemoryWatch(settle_s), resident_mb(ME)
    for now, times in samples:
        watch.sample(now, [ME] * times)
    return {key: round(value / unit) for key, value in watch.summary().items()}


@pytest.mark.parametrize(
    ("settle_s", "samples", "figures"),
    [
        (0.0, [], (0, 0, 0, 0)),
        (60.0, [(100.0, 2)], (2, 2, 2, 0)),  # over before it settled
        (60.0, [(100.0, 9), (130.0, 8), (160.0, 3), (200.0, 7), (220.0, 5)], (3, 9, 5, 2)),
        (0.0, [(100.0, 4), (101.0, 2)], (4, 4, 2, -2)),
        (0.0, [(100.0, 4), (100.5, 9), (101.0, 5)], (4, 5, 5, 1)),  # once a second at most
    ],
)
def test_start_peak_and_end(settle_s, samples, figures):
    assert tuple(watched(settle_s, samples).values()) == figures


def test_a_process_that_has_gone_counts_nothing():
    assert resident_mb(2**22 + 1) == 0.0


PICTURES = """
import os, threading
import numpy as np
from installation.runtime.memory import resident_mb, return_large_blocks
return_large_blocks()
def read():
    np.ones(921600, np.uint8)
    before = resident_mb(os.getpid())
    kept = [np.ones(921600, np.uint8) for _ in range(40)]
    most, last = resident_mb(os.getpid()), kept.pop()
    kept.clear()
    print(round(most - before), round(resident_mb(os.getpid()) - before))
reader = threading.Thread(target=read)
reader.start()
reader.join()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="about glibc")
def test_pictures_that_piled_up_once_are_given_back():
    done = subprocess.run([sys.executable, "-c", PICTURES], capture_output=True, text=True, check=True)
    most, after = map(int, done.stdout.split())
    assert most >= 30
    assert after <= 5, "glibc alone keeps them all"
