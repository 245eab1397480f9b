"""Click tracks with known onsets, and how well a detector found them: for tests and `mirror audio onsets`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CLICK_KINDS = ("tone", "noise", "impulse", "low")
"""A short 1 kHz burst, a burst of noise, two samples, and an 80 Hz thud."""

TOLERANCE_S = 0.05
"""An onset found up to this long after the true one counts, as in MIREX."""


@dataclass(frozen=True, slots=True)
class OnsetMatch:
    """How found onsets fit the true ones.

    Attributes:
        f1: Harmonic mean of precision and recall, 0..1.
        latencies_s: Found minus true, of the matched ones, sorted.
        found, true: How many.
    """

    f1: float
    latencies_s: tuple[float, ...]
    found: int
    true: int

    @property
    def worst_latency_s(self) -> float:
        """The longest, infinite if nothing was matched."""
        return self.latencies_s[-1] if self.latencies_s else float("inf")


def click_track(
    times_s: NDArray[np.float64], seconds: float, sample_rate: int, kind: str, *, snr_db: float, seed: int = 0
) -> NDArray[np.float32]:
    """Make clicks at `times_s` in white noise: (n,) float32 with a peak of 0.3.

    The signal-to-noise ratio is that of the powers while a click lasts, which is far harder than over the whole track.
    """
    rng = np.random.default_rng(seed)
    length = round((0.08 if kind == "low" else 0.01) * sample_rate)
    t = np.arange(length) / sample_rate
    if kind == "tone":
        click = np.sin(2 * np.pi * 1000.0 * t) * np.exp(-t / 0.003)
    elif kind == "noise":
        click = rng.normal(size=length) * np.exp(-t / 0.003)
    elif kind == "impulse":
        click = (np.arange(length) < 2).astype(np.float64)
    elif kind == "low":
        click = np.sin(2 * np.pi * 80.0 * t) * np.exp(-t / 0.03)
    else:
        raise ValueError(f"kind must be one of {', '.join(CLICK_KINDS)}, not {kind!r}")
    noise_rms = float(np.sqrt(np.mean(click**2) / 10.0 ** (snr_db / 10.0)))
    samples = rng.normal(0.0, noise_rms, round(seconds * sample_rate))
    for time_s in times_s:
        start = round(time_s * sample_rate)
        part = samples[start : start + length]
        part += click[: len(part)]
    samples *= 0.3 / np.abs(samples).max()
    return samples.astype(np.float32)


def match_onsets(found_s: Sequence[float], true_s: NDArray[np.float64], *, after_s: float = 0.0) -> OnsetMatch:
    """Match true onsets with the first found one within `TOLERANCE_S`; those found before `after_s` do not count."""
    found = [time for time in found_s if time > after_s]
    free = list(found)
    latencies = []
    for true in true_s:
        near = next((time for time in free if -0.005 <= time - true <= TOLERANCE_S), None)
        if near is not None:
            free.remove(near)
            latencies.append(near - float(true))
    matched = len(latencies)
    f1 = 2.0 * matched / (len(found) + len(true_s)) if found or len(true_s) else 1.0
    return OnsetMatch(f1, tuple(sorted(latencies)), len(found), len(true_s))
