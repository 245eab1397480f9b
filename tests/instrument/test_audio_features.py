"""Audio features against signals whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from installation.core.audio_features import SOURCES, AudioAnalyser, AudioFeatures
from installation.core.audio_gain import AutoGain
from installation.core.clicks import CLICK_KINDS, click_track, match_onsets
from installation.core.pitch import PITCH_NAMES

FS = 48000
RNG = np.random.default_rng(8)


def analyse(samples: NDArray[np.floating], rate: int = FS, **options: float | None) -> list[AudioFeatures]:
    return list(AudioAnalyser(rate, **options).feed(samples.astype(np.float32)))  # type: ignore[arg-type]


def sine(hertz: float, seconds: float, amplitude: float = 1.0, rate: int = FS) -> NDArray[np.float64]:
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize("amplitude_db", [0.0, -6.0, -20.0, -40.0])
def test_levels_of_a_sine(amplitude_db: float) -> None:
    frame = analyse(sine(997.0, 1.5, 10 ** (amplitude_db / 20)))[-1]
    assert frame.level_db == pytest.approx(amplitude_db, abs=0.3)
    # BS.1770-4: a full-scale sine of 997 Hz in one channel reads -3.01 LKFS
    assert frame.loudness_lufs == pytest.approx(amplitude_db - 3.01, abs=0.1)
    assert frame.centroid_hz == pytest.approx(997.0, abs=5.0)


def test_silence_is_rest() -> None:
    frames = analyse(np.zeros(FS))
    for name in SOURCES:
        if name not in ("level_db", "pitch_class"):
            assert getattr(frames[-1], name) == 0.0, name
    assert frames[-1].level_db == -100.0
    assert frames[-1].pitch_class == -1
    assert not any(frame.is_onset or frame.is_beat for frame in frames)


@pytest.mark.parametrize(("hertz", "band"), [(80.0, "bass"), (1000.0, "mid"), (9000.0, "treble")])
def test_each_band_hears_its_own(hertz: float, band: str) -> None:
    frame = analyse(sine(hertz, 1.0, 0.3), adapt_s=None)[-1]
    values = {name: getattr(frame, name) for name in ("bass", "mid", "treble")}
    assert values.pop(band) > 0.9
    assert max(values.values()) < 0.35


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 32000, 44100, 48000, 96000, 192000])
def test_ninety_frames_a_second_at_every_rate(rate: int) -> None:
    analyser = AudioAnalyser(rate)
    assert analyser.rate_hz >= 90.0
    frames = list(analyser.feed(sine(440.0, 1.0, 0.5, rate).astype(np.float32)))
    assert len(frames) == int(analyser.rate_hz)
    assert frames[-1].pitch_class == PITCH_NAMES.index("A")
    assert frames[-1].level_db == pytest.approx(-6.0, abs=0.5)


@settings(max_examples=15)
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=20))
def test_the_cut_into_blocks_changes_nothing(cuts: list[int]) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 12000).astype(np.float32)
    whole, analyser, parts, at = analyse(noise), AudioAnalyser(FS), [], 0
    for cut in [*cuts, 12000]:
        parts += list(analyser.feed(noise[at : at + cut]))
        at += cut
    assert parts == whole


def test_samples_that_are_no_numbers_are_silence() -> None:
    samples = sine(440.0, 0.5, 0.3)
    samples[100], samples[2000], samples[9000] = np.nan, np.inf, 1e30
    for frame in analyse(samples):
        assert np.isfinite([getattr(frame, name) for name in SOURCES]).all()


@pytest.mark.parametrize("note", range(12))
def test_pitch_classes_of_notes_with_partials(note: int) -> None:
    octave = 3 + note % 3
    hertz = 440.0 * 2 ** ((12 * (octave + 1) + note - 69) / 12)
    tone = sum(sine(k * hertz, 0.5, 0.3 / k) for k in range(1, 8)) + RNG.normal(0, 0.003, FS // 2)
    frame = analyse(np.asarray(tone))[-1]
    assert PITCH_NAMES[frame.pitch_class] == PITCH_NAMES[note]
    assert frame.pitch_confidence > 0.3


def test_noise_has_no_pitch_and_no_onsets() -> None:
    frames = analyse(RNG.normal(0, 0.05, 12 * FS))
    assert sum(frame.is_onset for frame in frames) <= 1
    assert max(frame.tempo_confidence for frame in frames[-400:]) < 0.25


@pytest.mark.parametrize(
    ("kind", "rate"), [*((kind, 48000) for kind in CLICK_KINDS), ("noise", 16000), ("tone", 44100)]
)
def test_onsets_in_noise_at_10_db(kind: str, rate: int) -> None:
    times = np.cumsum(np.random.default_rng(4).uniform(0.15, 0.8, 60))
    times = times[times < 9.5]
    samples = click_track(times, 10.0, rate, kind, snr_db=10.0, seed=3)
    found = [frame.time_s for frame in analyse(samples, rate) if frame.is_onset]
    match = match_onsets(found, times[times > 1.0], after_s=1.0)
    assert match.f1 >= 0.95
    assert match.worst_latency_s <= 0.030


@pytest.mark.parametrize(("bpm", "kind"), [(60.0, "tone"), (96.5, "low"), (143.0, "tone"), (180.0, "low")])
def test_tempo_and_beats(bpm: float, kind: str) -> None:
    times = np.arange(0.5, 11.0, 60.0 / bpm)
    frames = analyse(click_track(times, 11.0, FS, kind, snr_db=10.0, seed=5))
    for frame in frames[6 * 187 :]:
        assert frame.tempo_bpm == pytest.approx(bpm, rel=0.02)
    beats = [frame.time_s for frame in frames if frame.is_beat and 7.0 < frame.time_s < times[-1]]
    expected = times[(times > 7.0) & (times < times[-1])]
    assert abs(len(beats) - len(expected)) <= 1
    for beat in beats:
        assert np.abs(times - beat).min() < 0.02


def test_the_tempo_follows_a_change() -> None:
    times = np.concatenate([np.arange(0.5, 10.0, 0.6), np.arange(10.1, 24.0, 60.0 / 140.0)])
    frames = analyse(click_track(times, 24.0, FS, "tone", snr_db=20.0, seed=6))
    assert frames[9 * 187].tempo_bpm == pytest.approx(100.0, rel=0.02)
    assert frames[-1].tempo_bpm == pytest.approx(140.0, rel=0.02)


def test_the_gain_learns_a_loud_room_and_a_hum() -> None:
    gain = AutoGain(60.0)
    for _ in range(600 * 10):
        hum = gain.step(-35.0, 0.1)
    assert hum == 0.0  # ten minutes of hum are silence
    for _ in range(30):
        loud = gain.step(-8.0, 0.1)
    assert loud > 0.9
    for _ in range(600 * 10):
        gain.step(-70.0, 0.1)
    assert gain.step(-45.0, 0.1) > 0.3  # after a quiet night a whisper counts


@given(st.lists(st.floats(-120, 10), min_size=1, max_size=40), st.sampled_from([None, 5.0]))
def test_the_gain_stays_in_its_range(levels: list[float], adapt_s: float | None) -> None:
    gain = AutoGain(adapt_s)
    assert all(0.0 <= gain.step(level, 0.5) <= 1.0 for level in levels)


def test_splitting_time_changes_the_gain_little() -> None:
    once, often = AutoGain(30.0), AutoGain(30.0)
    once.step(-30.0, 10.0)
    for _ in range(1000):
        often.step(-30.0, 0.01)
    assert once.floor_db == pytest.approx(often.floor_db, abs=1e-6)
