"""`mirror bench --throttle`: a smooth screen over slow networks, which are held to 2, 10 and 25 results a second.

Two figures for each rate: how often the real show swapped, against the rate of the screen; and the largest step between
two successive displayed pictures while the networks swing between black and white, which is the worst they can do, on
the clock of the show and by the real shaders. The threshold of a step is `step_threshold`.
"""

from __future__ import annotations

import argparse
import json

import numpy as np

from installation.app import Run, RunOptions
from installation.core.crossfade import AT_ONCE_BELOW, Crossfade
from installation.display.config import DisplayConfig
from installation.display.reflection import Reflection
from installation.display.scene import Picture
from installation.display.shaders import ShaderLibrary
from installation.display.windows import open_window

RATES_HZ = (2, 10, 25)
USUAL_HZ = 60.0
SIDE_PX = 16
FRAMES = 240
SLACK = 1.35
"""How much of an even share a step may be: results that come 30 % early or late move the estimate of their rate."""


def step_threshold(rate_hz: float, display_hz: float) -> float:
    """Give the largest step that is allowed, as a part of the way from one picture to the next, in light.

    An even share of the way, times `SLACK`, and one code of 255. Where results come nearly as fast as frames, each is
    shown at once and there is nothing to smooth: the whole way.
    """
    share = rate_hz / display_hz
    return 1.0 if share >= 1.0 / AT_ONCE_BELOW else min(1.0, SLACK * share + 1 / 255)


def largest_step(reflection: Reflection, rate_hz: float, display_hz: float, *, jitter: float = 0.0) -> float:
    """Measure the largest step between displayed frames, in light as the shaders mix it (squares of codes), 0..1.

    Args:
        reflection: Draws; on its own context.
        rate_hz: Results of the networks, black and white in turn.
        display_hz: Frames, on a virtual clock.
        jitter: Part of an interval by which results come early or late at random.
    """
    rng, fade = np.random.default_rng(3), Crossfade()
    made, due, seen = 0, 0.0, []
    for frame in range(FRAMES):
        now = frame / display_hz
        if now >= due - 1e-9:
            level = np.full((1, 3, SIDE_PX, SIDE_PX), 1.0 if made % 2 else -1.0, np.float32)
            reflection.upload(Picture(level, 0.0, made, 1, 0.0))
            fade.arrive(now)
            made += 1
            due += (1.0 + rng.uniform(-jitter, jitter)) / rate_hz
        shown = reflection.render(fade.blend(now, 1.0 / display_hz), SIDE_PX)
        assert shown is not None
        seen.append(float(np.frombuffer(shown.read(), np.float16)[0]) ** 2)
    # From the third result on: the first two tell how fast they come.
    return float(np.abs(np.diff(seen[int(2.0 * (1.0 + jitter) * display_hz / rate_hz) + 1 :])).max())


def measure_steps(display_hz: float) -> dict[int, dict[str, float]]:
    """Measure the largest step at every rate, with even and uneven intervals."""
    window = open_window(DisplayConfig(size=(64, 64)), headless=True)
    shaders = ShaderLibrary(window.ctx)
    steps = {}
    for rate in RATES_HZ:
        found = {}
        for name, jitter in (("even", 0.0), ("uneven", 0.3)):
            reflection = Reflection(shaders)
            found[name] = round(largest_step(reflection, rate, display_hz, jitter=jitter), 4)
            reflection.release()
        steps[rate] = {**found, "threshold": round(step_threshold(rate, display_hz), 4)}
    shaders.release()
    window.close()
    return steps


def throttle(options: argparse.Namespace) -> int:
    """Measure and print; 1 if a swap rate or a step misses."""
    rates: dict[int, dict[str, float]] = {}
    hz = 0.0
    for rate in RATES_HZ:
        run = Run(
            RunOptions(
                config=options.config,
                source=options.source,
                pack=options.pack,
                headless=True,
                seconds=options.seconds / len(RATES_HZ),
            )
        )
        hz = run.config.display.hz
        engine = run.config.engine.model_copy(update={"rate_hz": float(rate)})
        run.config = run.config.model_copy(update={"engine": engine})
        run.run()
        rates[rate] = {name: run.report.get("fps", {}).get(name, 0.0) for name in ("inference", "display")}
    steps = {screen: measure_steps(screen) for screen in sorted({hz, USUAL_HZ})}
    kept = all(abs(row["display"] - hz) <= 1.0 for row in rates.values()) and all(
        max(row["even"], row["uneven"]) <= row["threshold"] for rows in steps.values() for row in rows.values()
    )
    if options.json:
        print(json.dumps({"screen_hz": hz, "rates": rates, "steps": steps, "kept": kept}, indent=2))
    else:
        print(_table(hz, rates, steps))
        print("kept" if kept else "MISSED: a swap rate is off by more than 1 Hz, or a step is too large")
    return 0 if kept else 1


def _table(hz: float, rates: dict[int, dict[str, float]], steps: dict[float, dict[int, dict[str, float]]]) -> str:
    lines = [f"real show, screen of {hz:g} Hz", f"{'asked Hz':>10}{'inference':>11}{'swaps':>9}"]
    lines += [f"{rate:>10}{row['inference']:>11.2f}{row['display']:>9.2f}" for rate, row in rates.items()]
    for screen, rows in steps.items():
        lines += ["", f"largest step on a screen of {screen:g} Hz, part of the way from black to white in light"]
        lines += [f"{'asked Hz':>10}{'even':>11}{'uneven':>9}{'allowed':>9}"]
        lines += [
            f"{r:>10}{row['even']:>11.3f}{row['uneven']:>9.3f}{row['threshold']:>9.3f}" for r, row in rows.items()
        ]
    return "\n".join(lines)
