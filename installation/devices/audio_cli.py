"""`mirror audio`: meters in the terminal, the list of inputs, and the measure of the detectors.

mirror audio                      meters of the input in config.toml, or of --source
mirror audio list                 the inputs of this machine
mirror audio onsets [--snr 10]    F1, latency and tempo error on synthetic clicks in noise
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

import numpy as np

from installation.core.audio_features import AudioAnalyser, AudioFeatures
from installation.core.clicks import CLICK_KINDS, click_track, match_onsets
from installation.core.pitch import PITCH_NAMES
from installation.devices.audio import AudioHealth, AudioListener
from installation.devices.audio_sources import list_inputs
from installation.devices.instrument_config import AudioConfig

_METERS = ("level", "loudness", "bass", "mid", "treble", "centroid", "flux", "onset", "beat")
_WIDTH = 40
_REDRAW_S = 1 / 20
_WARM_UP_S = 1.0  # the onset detector hears a second before it judges
_TEMPO_FROM_S = 6.0


def main(argv: Sequence[str], config: AudioConfig | None = None) -> int:
    """Run `mirror audio`; returns the exit code.

    Raises:
        DeviceError: If the inputs cannot be listed.
    """
    parser = argparse.ArgumentParser("mirror audio", description="Meters of what the mirror hears.")
    parser.add_argument("what", nargs="?", choices=("meters", "list", "onsets"), default="meters")
    parser.add_argument("--source", help="default, a part of an input's name, or a sound file")
    parser.add_argument("--seconds", type=float, help="end after so many seconds")
    parser.add_argument("--snr", type=float, default=10.0, help="onsets: signal-to-noise ratio within a click, in dB")
    options = parser.parse_args(argv)
    if options.what == "list":
        inputs = list_inputs()
        print("\n".join(f"{name}  ({api}, {rate} Hz)" for name, api, rate in inputs) or "there is no input")
        return 0
    if options.what == "onsets":
        return _measure(options.snr)
    config = config or AudioConfig()
    source = options.source or (config.source if config.source != "off" else "default")
    return _show_meters(config.model_copy(update={"source": source}), options.seconds, sys.stdout)


def meter_lines(frame: AudioFeatures, health: AudioHealth) -> list[str]:
    """The picture of one frame, a line for each meter."""
    lines = [f"{name:>9} |{_bar(float(getattr(frame, name)))}|" for name in _METERS]
    note = PITCH_NAMES[frame.pitch_class] if frame.pitch_class >= 0 else "-"
    room = f"room {frame.floor_db:.0f} to {frame.full_db:.0f} dB"
    lines.append(f"{frame.level_db:6.1f} dBFS   {frame.loudness_lufs:6.1f} LUFS   {room}")
    lines.append(
        f"{frame.tempo_bpm:6.1f} bpm ({frame.tempo_confidence:.2f})   note {note:2} ({frame.pitch_confidence:.2f})"
        f"   {frame.centroid_hz:5.0f} Hz"
    )
    lines.append(f"{health.state}; lost blocks {health.lost_blocks}; {health.message}")
    return lines


def _bar(value: float) -> str:
    full = round(min(max(value, 0.0), 1.0) * _WIDTH)
    return "#" * full + " " * (_WIDTH - full)


def _show_meters(config: AudioConfig, seconds: float | None, out: TextIO) -> int:
    listener = AudioListener(config)
    listener.start()
    pause = threading.Event()
    end = None if seconds is None else time.monotonic() + seconds
    drawn = 0
    try:
        while end is None or time.monotonic() < end:
            pause.wait(_REDRAW_S)
            lines = meter_lines(listener.features(time.monotonic()), listener.health)
            back = f"\x1b[{drawn}A" if drawn and out.isatty() else ""
            out.write(back + "".join(f"\x1b[2K{line}\n" if out.isatty() else f"{line}\n" for line in lines))
            out.flush()
            drawn = len(lines)
    except KeyboardInterrupt:
        pass
    finally:
        listener.stop()
    return 0 if listener.health.frames else 3


@dataclass(frozen=True, slots=True)
class _Trial:
    rate: int
    kind: str


def _measure(snr_db: float) -> int:
    """Print how well onsets and tempo are found; 1 if F1, latency or tempo miss what the manual promises."""
    good = True
    print(f"onsets: 60 s of clicks 0.15 to 0.8 s apart in white noise, SNR {snr_db:g} dB within a click")
    print("  rate  kind      F1     found/true   latency ms: median  p95  worst   us a hop")
    for trial in [_Trial(rate, kind) for rate in (44100, 48000) for kind in CLICK_KINDS]:
        times = np.cumsum(np.random.default_rng(1).uniform(0.15, 0.8, 200))
        times = times[times < 59.5]
        samples = click_track(times, 60.0, trial.rate, trial.kind, snr_db=snr_db, seed=2)
        analyser = AudioAnalyser(trial.rate)
        began = time.perf_counter()
        frames = list(analyser.feed(samples))
        cost_us = (time.perf_counter() - began) / len(frames) * 1e6
        found = [frame.time_s for frame in frames if frame.is_onset]
        match = match_onsets(found, times[times > _WARM_UP_S], after_s=_WARM_UP_S)
        ms = np.array(match.latencies_s or (np.inf,)) * 1e3
        good &= match.f1 >= 0.95 and float(ms[-1]) <= 30.0
        print(
            f"{trial.rate:6d}  {trial.kind:8s} {match.f1:.3f}   {match.found:4d}/{match.true:<4d}"
            f"              {np.median(ms):6.1f} {np.percentile(ms, 95):5.1f}  {ms[-1]:5.1f}   {cost_us:6.0f}"
        )
    worst = 0.0
    for bpm in np.arange(60.0, 181.0, 7.5):
        times = np.arange(0.5, 14.5, 60.0 / bpm)
        frames = list(AudioAnalyser(48000).feed(click_track(times, 14.5, 48000, "tone", snr_db=snr_db, seed=3)))
        late = [abs(frame.tempo_bpm / bpm - 1.0) for frame in frames if frame.time_s > _TEMPO_FROM_S]
        worst = max(worst, *late)
    good &= worst <= 0.02
    print(f"tempo: 60 to 180 bpm in 17 steps, worst error of any frame after {_TEMPO_FROM_S:g} s: {100 * worst:.2f} %")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
