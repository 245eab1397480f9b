"""A kiosk that nothing is done to but use: hours of visitors, a thousand lost connections. What grows, is told."""

from __future__ import annotations

import time
from typing import Any

from installation.kiosk.finding import print_findings
from installation.kiosk.growth import GrowthWatch
from installation.kiosk.judge import judge
from installation.kiosk.loopback import Mood
from installation.kiosk.rehearsal import Rehearsal, RehearsalOptions
from installation.runtime.progress import Progress

_SAMPLE_S = 2.0
_VISIT_S, _EMPTY_S = 8.0, 5.0
_FLAP_RETRY_S = 0.05
_RECONNECT_LIMIT_MB = 5.0
_SLOPE_LIMIT_MB_PER_H = 1.0


def soak(options: RehearsalOptions, seconds: float) -> tuple[int, dict[str, Any]]:
    """Run for a long time with visitors who come and go quickly; print growth by process, and what was touched."""
    rehearsal, growth = Rehearsal(options), GrowthWatch()
    with rehearsal, Progress(int(seconds), "soak") as progress:
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            visiting = passed % (_VISIT_S + _EMPTY_S) < _VISIT_S
            rehearsal.camera.mood = Mood.LIVE if visiting else Mood.EMPTY
            growth.sample(time.monotonic(), rehearsal.resources())
            progress.advance(int(passed) - progress.done)
            time.sleep(_SAMPLE_S)
        facts = rehearsal.facts()
        black = rehearsal.screen.longest_black_s() if rehearsal.screen is not None else None
    slope = growth.total_slope_mb_per_h()
    creeping = growth.creeping()
    print(f"visits: {facts['show'].get('visits', 0)}, pictures: {facts['show'].get('displayed', 0)}, "
          f"restarts: {facts['restarts']}")  # fmt: skip
    print("longest black: " + ("not measured" if black is None else f"{black:.2f} s"))
    print(f"left behind: {', '.join(rehearsal.left) or 'nothing'}")
    print(growth.table())
    print(f"all processes together: {slope:+.2f} MB/h after warm-up (limit {_SLOPE_LIMIT_MB_PER_H:+g})")
    print(f"files and threads: {', '.join(creeping) or 'flat'}")
    wrong = len(creeping) + len(rehearsal.left) + (slope > _SLOPE_LIMIT_MB_PER_H)
    if rehearsal.witness is not None:
        wrong += print_findings(judge(rehearsal.witness.trace, rehearsal.folder))
    told = {
        "seconds": seconds,
        "visits": facts["show"].get("visits", 0),
        "displayed": facts["show"].get("displayed", 0),
        "restarts": facts["restarts"],
        "black_s": black,
        "slope_mb_per_h": slope,
        "left": rehearsal.left,
        "creeping": creeping,
        "growth": growth.figures(),
    }
    return (1 if wrong else 0), told


def reconnects(options: RehearsalOptions, count: int) -> tuple[int, dict[str, Any]]:
    """Let the camera hang up `count` times; print how much the eye has grown."""
    quick = {"camera": {"retry_first_s": _FLAP_RETRY_S, "retry_max_s": _FLAP_RETRY_S}}
    rehearsal = Rehearsal(options, quick)
    with rehearsal, Progress(count, "reconnects") as progress:
        rehearsal.camera.mood = Mood.FLAP
        settled, begun, baseline = min(50, count // 4), rehearsal.camera.connections, 0.0
        while (done := rehearsal.camera.connections - begun) < count:
            if not baseline and done >= settled:
                baseline = rehearsal.resources()["eye"][0]
            progress.advance(done - progress.done)
            time.sleep(_SAMPLE_S / 4)
        restarts = rehearsal.facts()["restarts"]["eye"]
        grown = rehearsal.resources()["eye"][0] - baseline
    print(f"{count} reconnects: the eye grew by {grown:+.1f} MB (limit {_RECONNECT_LIMIT_MB:g}), restarted {restarts}x")
    print(f"left behind: {', '.join(rehearsal.left) or 'nothing'}")
    told = {"reconnects": count, "grown_mb": grown, "eye_restarts": restarts, "left": rehearsal.left}
    return (1 if grown > _RECONNECT_LIMIT_MB or rehearsal.left else 0), told
