"""What a run can say about itself: the figures behind `--report`, the overlay and `mirror bench`.

`ShowFigures` is filled by the show; the supervisor adds memory and restarts. Numbers only: nothing
of a visitor is in here.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from installation.core.stats import Histogram

_RECENT = 120
"""Samples kept for the overlay's graph: four seconds at 30 Hz."""


class StageTimes:
    """Milliseconds by stage name: histogram for the report, the last ones for the overlay. Any thread may add."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._histograms: dict[str, Histogram] = {}
        self._recent: dict[str, deque[float]] = {}

    def add(self, stage: str, seconds: float) -> None:
        """Count one run of a stage."""
        milliseconds = seconds * 1000.0
        with self._lock:
            if stage not in self._histograms:
                self._histograms[stage] = Histogram()
                self._recent[stage] = deque(maxlen=_RECENT)
            self._histograms[stage].add(milliseconds)
            self._recent[stage].append(milliseconds)

    def summary(self) -> dict[str, dict[str, float]]:
        """p50, p95 and worst of every stage, in ms."""
        with self._lock:
            return {stage: histogram.summary() for stage, histogram in self._histograms.items()}

    def recent(self) -> dict[str, tuple[float, ...]]:
        """The last milliseconds of every stage, oldest first."""
        with self._lock:
            return {stage: tuple(values) for stage, values in self._recent.items()}


class ShowFigures:
    """Counts of one show, from the curtain on. Owned by the show's main thread.

    `latency` is capture to swap; `control` is from the receipt of an operator's message to the W+ that it
    changed, `control_to_swap` to the swap of the first frame drawn from that W+.
    """

    def __init__(self) -> None:
        self.stages = StageTimes()
        self.latency = Histogram()
        self.control = Histogram()
        self.control_to_swap = Histogram()
        self.displayed = 0
        self.inferences = 0
        self.visits = 0
        self.reacquired = 0
        self.frames_with_face = 0
        self.dropped = 0
        self.captured = 0
        self.first_reflection_s: float | None = None
        self.errors: list[str] = []
        self._began: float | None = None
        self._ended = 0.0
        self._looked = 0
        self._first: tuple[int, ...] | None = None
        self._last: tuple[int, ...] = ()
        self._kept: tuple[int, ...] = (0, 0, 0, 0)

    def begin(self, now: float) -> None:
        """The curtain: everything before is warm-up and does not count."""
        self._began = self._ended = now
        self._first = None

    def tick(self, now: float) -> None:
        """One displayed frame."""
        self.displayed += 1
        self._ended = now

    def see(self, record: Mapping[str, Any]) -> None:
        """Take the eye's counters. `dropped` are pictures that were captured and not looked at.

        A restarted eye counts from nothing; what it had counted before is kept.
        """
        names = ("captured", "looked", "with_face", "reacquired")
        now = tuple(int(record[name]) for name in names)
        if self._began is None:
            return
        if self._first is None or any(value < last for value, last in zip(now, self._last, strict=True)):
            self._kept = (self.captured, self._looked, self.frames_with_face, self.reacquired)
            self._first = now
        self._last = now
        captured, self._looked, self.frames_with_face, self.reacquired = (
            kept + value - first for kept, value, first in zip(self._kept, now, self._first, strict=True)
        )
        self.captured = captured
        self.dropped = max(0, captured - self._looked)

    def error(self, text: str) -> None:
        """Remember a fault, a hundred at most."""
        if len(self.errors) < 100:
            self.errors.append(text)

    def summary(self) -> dict[str, Any]:
        """The show's part of the report."""
        seconds = max(self._ended - self._began, 1e-9) if self._began is not None else 0.0

        def rate(count: int) -> float:
            return round(count / seconds, 2) if seconds else 0.0

        return {
            "seconds": round(seconds, 2),
            "frames": {"captured": self.captured, "displayed": self.displayed, "dropped": self.dropped},
            "fps": {
                "display": rate(self.displayed),
                "inference": rate(self.inferences),
                "capture": rate(self.captured),
            },
            "latency_ms": _percentiles(self.latency),
            "control_ms": _percentiles(self.control),
            "control_to_swap_ms": _percentiles(self.control_to_swap),
            "first_reflection_s": None if self.first_reflection_s is None else round(self.first_reflection_s, 2),
            "stages_ms": self.stages.summary(),
            "visits": self.visits,
            "faces": {"frames_with_face": self.frames_with_face, "reacquired": self.reacquired},
            "errors": list(self.errors),
        }


def _percentiles(histogram: Histogram) -> dict[str, float]:
    return {f"p{percent}": round(histogram.percentile(percent), 1) for percent in (50, 95, 99)}


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Write the report as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", "utf-8")
    partial.replace(path)
