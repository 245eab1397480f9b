"""Resident memory over a run, with this process counted so many times."""

import os

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
