"""What the mirror hears, in numbers: levels, colour, onsets, beat, pitch. From samples, without a clock.

Blocks of any length go in, one `AudioFeatures` comes out for each hop: 187 a second at 48 kHz, 172 at 44.1 kHz, never
less than 120. Latency from a sound to its feature, without the device's own: levels and onsets are taken from
a window of about 21 ms, whose middle is 11 ms old; an onset is seen when about a third of the window holds
it. Beats are predicted and so have none. Pitch needs eight windows and is 90 ms old.

Levels are in dB of full scale: 0 dBFS is a sine of full amplitude. Loudness is the momentary loudness of ITU-R
BS.1770-4 (LUFS, 400 ms, one channel), with its K-weighting laid over the spectrum.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from installation.core.audio_gain import AutoGain
from installation.core.beat import BeatTracker
from installation.core.onset import OnsetDetector
from installation.core.pitch import pitch_class

WINDOW_S = 0.0213
"""1024 samples at 48 kHz; at other rates the nearest power of two."""

HOPS_PER_WINDOW = 4
PITCH_WINDOWS = 8
PITCH_EVERY = 8  # hops

BASS_HZ, MID_HZ, TREBLE_HZ = (20.0, 250.0), (250.0, 4000.0), (4000.0, 16000.0)
CENTROID_HZ = (100.0, 8000.0)
"""Centroid 0..1 is the place between these, in octaves."""

SILENCE_DB = -100.0
LOUDNESS_S = 0.4
ONSET_HALF_LIFE_S = 0.08
"""How fast the pulse of an onset or a beat sinks, as a source of mappings."""


@dataclass(frozen=True, slots=True)
class AudioFeatures:
    """One frame. Those without a unit are 0..1 and 0 in silence.

    Attributes:
        time_s: End of the frame in samples of the stream, in seconds.
        level_db: RMS level in dBFS, with attack and release.
        level: The same in the room's own range.
        loudness_lufs: Momentary loudness.
        loudness: The same from -60 to -10 LUFS.
        bass, mid, treble: Energy below 250 Hz, to 4 kHz, and above, each in its own range.
        centroid_hz: Middle of the spectrum; 0 in silence.
        centroid: The same in octaves over `CENTROID_HZ`.
        flux: How much the spectrum rises.
        onset: Pulse of the last onset, sinking by `ONSET_HALF_LIFE_S`.
        is_onset: Whether a sound begins in this frame.
        beat: Pulse of the last beat.
        is_beat: Whether a beat falls on this frame.
        beat_number: Beats since the start.
        beat_phase: 0..1 through the present beat.
        tempo_bpm: Beats a minute, 0 while unknown.
        tempo_confidence: How much of what is heard repeats with it.
        pitch_class: 0 for C to 11 for B, -1 for none.
        pitch_confidence: How far it stands out.
        floor_db, full_db: What counts as silence and as full level now.
    """

    time_s: float = 0.0
    level_db: float = SILENCE_DB
    level: float = 0.0
    loudness_lufs: float = SILENCE_DB
    loudness: float = 0.0
    bass: float = 0.0
    mid: float = 0.0
    treble: float = 0.0
    centroid_hz: float = 0.0
    centroid: float = 0.0
    flux: float = 0.0
    onset: float = 0.0
    is_onset: bool = False
    beat: float = 0.0
    is_beat: bool = False
    beat_number: int = 0
    beat_phase: float = 0.0
    tempo_bpm: float = 0.0
    tempo_confidence: float = 0.0
    pitch_class: int = -1
    pitch_confidence: float = 0.0
    floor_db: float = SILENCE_DB
    full_db: float = 0.0


SOURCES: tuple[str, ...] = (
    *("level", "loudness", "bass", "mid", "treble", "centroid", "flux", "onset", "beat", "beat_phase"),
    *("tempo_bpm", "tempo_confidence", "pitch_class", "pitch_confidence", "level_db", "centroid_hz"),
)
"""Features that mappings may use, as `audio.<name>`."""

AUDIO_REST = AudioFeatures()
"""Silence: what a missing device is."""


class AudioAnalyser:
    """Turns one mono stream into features. A new stream, or another rate, needs a new one.

    Args:
        sample_rate: Hz, 8000 to 192000.
        attack_s, release_s: Half-lives of the level upward and downward.
        adapt_s: Of the automatic gain; None is a fixed gain from `floor_db` to `full_db`.
    """

    def __init__(
        self,
        sample_rate: int,
        *,
        attack_s: float = 0.01,
        release_s: float = 0.25,
        adapt_s: float | None = 120.0,
        floor_db: float = -60.0,
        full_db: float = -12.0,
    ) -> None:
        window = 1 << round(math.log2(sample_rate * WINDOW_S))
        hop = window // HOPS_PER_WINDOW
        self.rate_hz = sample_rate / hop
        self._dt_s = hop / sample_rate
        self._attack_s, self._release_s = attack_s, release_s
        self._samples = np.zeros(PITCH_WINDOWS * window, np.float32)
        self._held = np.zeros(hop, np.float32)
        self._held_count = 0
        self._window = np.hanning(window + 1)[:window]
        self._pitch_window = np.hanning(len(self._samples) + 1)[:-1]
        self._frequencies = np.fft.rfftfreq(window, 1.0 / sample_rate)
        self._pitch_frequencies = np.fft.rfftfreq(len(self._samples), 1.0 / sample_rate)
        # one-sided power of a windowed frame; a full-scale sine sums to 1 over its bins
        self._scale = 4.0 / (window * float(np.sum(self._window**2)))
        self._pitch_scale = 4.0 / float(np.sum(self._pitch_window)) ** 2
        self._k_weight = 0.5 * k_weighting(self._frequencies)  # BS.1770 measures mean squares: a sine is -3 dB
        self._bands = tuple(slice(*np.searchsorted(self._frequencies, edges)) for edges in (BASS_HZ, MID_HZ, TREBLE_HZ))
        self._level_db = SILENCE_DB
        self._band_db = [SILENCE_DB] * 3
        self._gains = [AutoGain(adapt_s, floor_db, full_db) for _ in range(4)]
        self._loudness = np.zeros(max(round(LOUDNESS_S * self.rate_hz), 1))
        self._onsets = OnsetDetector(self._frequencies, self.rate_hz)
        self._beats = BeatTracker(self.rate_hz)
        self._onset_pulse = self._beat_pulse = 0.0
        self._pitch = (-1, 0.0)
        self._hops = 0

    def feed(self, block: NDArray[np.float32]) -> Iterator[AudioFeatures]:
        """Take samples (n,) float32 in -1..1, mono; give a frame for each hop that is complete.

        Samples that are not finite count as silence.
        """
        block = np.nan_to_num(block, copy=True, nan=0.0, posinf=0.0, neginf=0.0)
        np.clip(block, -4.0, 4.0, out=block)
        start = 0
        while start < len(block):
            take = min(len(self._held) - self._held_count, len(block) - start)
            self._held[self._held_count : self._held_count + take] = block[start : start + take]
            self._held_count += take
            start += take
            if self._held_count == len(self._held):
                self._held_count = 0
                yield self._step(self._held)

    def _step(self, hop: NDArray[np.float32]) -> AudioFeatures:
        self._samples[: -len(hop)] = self._samples[len(hop) :]
        self._samples[-len(hop) :] = hop
        self._hops += 1
        spectrum = np.fft.rfft(self._samples[-len(self._window) :] * self._window)
        power = (spectrum.real**2 + spectrum.imag**2) * self._scale
        self._level_db = self._glide(self._level_db, _db(2.0 * float(np.mean(np.square(hop, dtype=np.float64)))))
        level = self._gains[0].step(self._level_db, self._dt_s)
        bands = [self._band(index, power) for index in range(3)]
        loudness = self._loudness_lufs(power)
        centroid_hz = self._centroid_hz(power) if level > 0.0 else 0.0
        flux, onset = self._onsets.step(power)
        beat = self._beats.step(flux, onset)
        fall = math.exp2(-self._dt_s / ONSET_HALF_LIFE_S)
        self._onset_pulse = max(self._onset_pulse * fall, onset)
        self._beat_pulse = max(self._beat_pulse * fall, float(beat.is_beat))
        if self._hops % PITCH_EVERY == 0:
            self._pitch = self._find_pitch() if level > 0.0 else (-1, 0.0)
        return AudioFeatures(
            time_s=self._hops * self._dt_s,
            level_db=self._level_db,
            level=level,
            loudness_lufs=loudness,
            loudness=min(max((loudness + 60.0) / 50.0, 0.0), 1.0),
            bass=bands[0],
            mid=bands[1],
            treble=bands[2],
            centroid_hz=centroid_hz,
            centroid=_octaves(centroid_hz),
            flux=min(flux, 1.0),
            onset=self._onset_pulse,
            is_onset=onset > 0.0,
            beat=self._beat_pulse,
            is_beat=beat.is_beat,
            beat_number=beat.number,
            beat_phase=beat.phase,
            tempo_bpm=beat.tempo_bpm,
            tempo_confidence=beat.confidence,
            pitch_class=self._pitch[0],
            pitch_confidence=self._pitch[1],
            floor_db=self._gains[0].floor_db,
            full_db=self._gains[0].full_db,
        )

    def _glide(self, value: float, goal: float) -> float:
        half_life = self._attack_s if goal > value else self._release_s
        return goal + (value - goal) * math.exp2(-self._dt_s / half_life)

    def _band(self, index: int, power: NDArray[np.float64]) -> float:
        self._band_db[index] = self._glide(self._band_db[index], _db(float(power[self._bands[index]].sum())))
        return self._gains[1 + index].step(self._band_db[index], self._dt_s)

    def _loudness_lufs(self, power: NDArray[np.float64]) -> float:
        self._loudness[self._hops % len(self._loudness)] = float(np.dot(power, self._k_weight))
        return max(-0.691 + _db(float(self._loudness.mean())), SILENCE_DB)

    def _centroid_hz(self, power: NDArray[np.float64]) -> float:
        total = float(power.sum())
        return float(np.dot(power, self._frequencies)) / total if total > 1e-12 else 0.0

    def _find_pitch(self) -> tuple[int, float]:
        spectrum = np.fft.rfft(self._samples * self._pitch_window)
        return pitch_class((spectrum.real**2 + spectrum.imag**2) * self._pitch_scale, self._pitch_frequencies)


def k_weighting(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power response of the two filters of ITU-R BS.1770-4 (head shelf and RLB high-pass), from their analogue form.

    The recommendation gives coefficients for 48 kHz alone; these parameters reproduce them (De Man, "Evaluation of
    implementations of the EBU R128 loudness measurement", AES 2018).
    """
    s = 1j * np.maximum(frequencies, 1e-3)
    f0, gain_db, q = 1681.974450955533, 3.999843853973347, 0.7071752369554196
    v0 = 10.0 ** (gain_db / 20.0)
    vb = v0**0.4996667741545416
    x = s / f0
    shelf = (v0 * x**2 + vb / q * x + 1.0) / (x**2 + x / q + 1.0)
    f0, q = 38.13547087602444, 0.5003270373238773
    x = s / f0
    high_pass = x**2 / (x**2 + x / q + 1.0)
    response = shelf * high_pass
    return np.asarray(response.real**2 + response.imag**2, np.float64)


def _db(power: float) -> float:
    return 10.0 * math.log10(power) if power > 1e-10 else SILENCE_DB


def _octaves(hertz: float) -> float:
    if hertz <= 0.0:
        return 0.0
    low, high = CENTROID_HZ
    return min(max(math.log2(hertz / low) / math.log2(high / low), 0.0), 1.0)
