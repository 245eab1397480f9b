"""Pitch class: which of the twelve notes sounds, whatever its octave.

Spectral peaks of a long window are placed between bins and summed by pitch class, weak ones less (chroma:
Fujishima, "Realtime chord recognition of musical sound", ICMC 1999). The strongest class wins; its
confidence is how far it stands above the others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PITCH_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
A4_HZ = 440.0
LOWEST_HZ, HIGHEST_HZ = 100.0, 2500.0

_PEAK_ABOVE = 8.0  # a peak is this many times (18 dB) above the middle of the spectrum
_TILT = 0.5  # upper partials speak less for the note than the lower ones


def pitch_class(power: NDArray[np.float64], frequencies: NDArray[np.float64]) -> tuple[int, float]:
    """Find the pitch class of a power spectrum of a Hann window, both (bins,).

    Returns:
        (0 for C to 11 for B, confidence 0..1); (-1, 0.0) where nothing stands out.
    """
    first, last = np.searchsorted(frequencies, (LOWEST_HZ, HIGHEST_HZ))
    last = min(int(last), len(power) - 1)
    magnitude = np.sqrt(power)
    inner = magnitude[first:last]
    threshold = _PEAK_ABOVE * float(np.median(inner)) + 1e-5
    is_peak = (
        (inner > magnitude[first - 1 : last - 1]) & (inner >= magnitude[first + 1 : last + 1]) & (inner > threshold)
    )
    bins = first + np.flatnonzero(is_peak)
    if bins.size == 0:
        return -1, 0.0
    log = np.log(magnitude[np.stack([bins - 1, bins, bins + 1])] + 1e-12)
    bend = log[0] - 2.0 * log[1] + log[2]
    shift = np.where(bend < -1e-9, 0.5 * (log[0] - log[2]) / np.minimum(bend, -1e-9), 0.0)
    hertz = (bins + np.clip(shift, -0.5, 0.5)) * frequencies[1]
    notes = np.round(69.0 + 12.0 * np.log2(hertz / A4_HZ)).astype(np.int64) % 12
    chroma = np.bincount(notes, magnitude[bins] * (hertz / LOWEST_HZ) ** -_TILT, 12)
    best = int(chroma.argmax())
    others = float(np.delete(chroma, best).max())
    return best, float(1.0 - others / chroma[best])
