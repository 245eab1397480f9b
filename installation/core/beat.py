"""Beat and tempo from the flux: which period repeats, and where in it we are.

The period is the shortest lag whose autocorrelation is nearly as strong as the strongest, refined on its
multiples (a lag of n periods is n times more exact). The phase is where a comb of that period gathers most
flux; between estimates, onsets near a beat pull it. (Scheirer, "Tempo and beat analysis", JASA 1998.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SLOWEST_BPM, FASTEST_BPM = 50.0, 200.0
WINDOW_S = 8.0
ESTIMATE_EVERY_S = 0.5
STEADY = 0.25
"""Confidence below which no beats are given out."""

_NEARLY = 0.7  # of the strongest lag; white noise at 10 dB SNR takes up to a fifth from the shortest
_NEAR_BEAT = 0.15  # of a period: an onset this close to the expected beat is that beat
_LATE = 2.0  # frames: half a window passes before a sound is seen; beats are given out that much earlier
_PULL = 0.4  # of the distance that such an onset moves the beat


@dataclass(frozen=True, slots=True)
class Beat:
    """What is known of the beat after one frame.

    Attributes:
        tempo_bpm: Beats a minute, 0 while unknown.
        confidence: 0..1; how much of the flux repeats with that period.
        phase: 0..1 through the present beat.
        number: Beats since the start.
        is_beat: Whether a beat falls on this frame.
    """

    tempo_bpm: float = 0.0
    confidence: float = 0.0
    phase: float = 0.0
    number: int = 0
    is_beat: bool = False


class BeatTracker:
    """Follows the beat in a row of flux values at `rate_hz`."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._flux = np.zeros(round(WINDOW_S * rate_hz))
        self._frames = 0
        self._every = round(ESTIMATE_EVERY_S * rate_hz)
        self._period = 0.0  # frames
        self._next = 0.0  # frame of the next beat
        self._confidence = 0.0
        self._number = 0
        self._size = 1 << (2 * len(self._flux) - 1).bit_length()

    def step(self, flux: float, onset: float) -> Beat:
        """Take the next frame: its flux, and the strength of an onset in it (0 for none)."""
        self._flux[self._frames % len(self._flux)] = flux
        self._frames += 1
        if self._frames % self._every == 0:
            self._estimate()
        if self._period <= 0.0:
            return Beat(confidence=self._confidence)
        away = self._frames - _LATE - self._next
        away -= self._period * round(away / self._period)
        if onset > 0.0 and abs(away) < _NEAR_BEAT * self._period:
            self._next += _PULL * away
        is_beat = self._frames >= self._next and self._confidence >= STEADY
        if self._frames >= self._next:
            # a beat that the pull has moved behind us counts once
            self._next += self._period * max(1, round((self._frames - self._next) / self._period))
            self._number += is_beat
        phase = 1.0 - (self._next - self._frames) / self._period
        bpm = 60.0 * self._rate_hz / self._period
        return Beat(bpm, self._confidence, min(max(phase, 0.0), 1.0), self._number, is_beat)

    def _estimate(self) -> None:
        count = min(self._frames, len(self._flux))
        if count < 2 * self._rate_hz:
            return
        flux = np.roll(self._flux, -(self._frames % len(self._flux)))[-count:]
        flux = np.maximum(flux - np.median(flux) - 0.02, 0.0)
        # a click falls on one frame or on two: widening it makes its multiples comparable
        flux = np.convolve(flux, (0.25, 0.5, 1.0, 0.5, 0.25), "same")
        flux -= flux.mean()
        spectrum = np.fft.rfft(flux, self._size)
        correlation = np.fft.irfft((spectrum * spectrum.conj()).real, self._size)[:count]
        if correlation[0] <= 1e-9:
            self._confidence, self._period = 0.0, 0.0
            return
        # fewer frames overlap at a longer lag: every lag is judged by what it had
        correlation /= correlation[0] * (1.0 - np.arange(count) / count)
        lag = self._best_lag(correlation, count)
        if lag is None:
            self._confidence, self._period = 0.0, 0.0
            return
        self._confidence = float(np.clip(correlation[round(lag)], 0.0, 1.0))
        self._set_phase(flux, lag)

    def _best_lag(self, correlation: NDArray[np.float64], count: int) -> float | None:
        first = int(60.0 / FASTEST_BPM * self._rate_hz)
        last = min(int(60.0 / SLOWEST_BPM * self._rate_hz), count // 2)
        inner = correlation[first : last + 1]
        peaks = first + np.flatnonzero(
            (inner > correlation[first - 1 : last]) & (inner >= correlation[first + 1 : last + 2])
        )
        if peaks.size == 0:
            return None
        strongest = float(correlation[peaks].max())
        if strongest <= 0.05:
            return None
        lag = _peak(correlation, int(peaks[correlation[peaks] >= _NEARLY * strongest][0]))
        for multiple in (2, 3, 4, 6, 8):
            centre = round(lag * multiple)
            reach = max(round(0.02 * centre), 2)
            if centre + reach + 1 >= int(0.85 * count):
                break
            near = correlation[centre - reach : centre + reach + 1]
            if near.max() < 0.5 * correlation[round(lag)]:
                break
            lag = _peak(correlation, centre - reach + int(near.argmax())) / multiple
        return lag

    def _set_phase(self, flux: NDArray[np.float64], period: float) -> None:
        """Find where a comb gathers most, the newest beats counting most, and keep the beats that were promised."""
        age = np.arange(len(flux) - 1, -1, -1, dtype=np.float64)
        weighted = np.maximum(flux, 0.0) * 2.0 ** (-age / (3.0 * self._rate_hz))
        steps = max(round(period), 1)
        places = np.minimum((np.mod(age, period) / period * steps).astype(np.int64), steps - 1)
        gathered = np.bincount(places, weighted, steps)
        since = (float(gathered.argmax()) + 0.5) / steps * period  # frames since the last beat
        promised = self._next
        self._next = self._frames - _LATE - since + period
        if self._period > 0.0 and self._next - promised > 0.5 * period:
            self._next -= period
        if self._period > 0.0 and promised - self._next > 0.5 * period:
            self._next += period
        self._period = period


def _peak(values: NDArray[np.float64], index: int) -> float:
    """Place of a peak between samples, by the parabola through three of them."""
    if not 0 < index < len(values) - 1:
        return float(index)
    left, middle, right = values[index - 1 : index + 2]
    bend = left - 2.0 * middle + right
    return index + (0.0 if bend >= 0.0 else float(0.5 * (left - right) / bend))
