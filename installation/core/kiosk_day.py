"""A day in numbers: what the kiosk writes at closing time. Pure; nothing of a visitor but how long they stayed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from installation.core.stats import Histogram


@dataclass
class DayLedger:
    """Adds up one day. Owned by the supervisor."""

    day: str
    visits: int = 0
    open_s: float = 0.0
    safe_s: float = 0.0
    frames: int = 0
    restarts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    _dwell_s: list[float] = field(default_factory=list)
    _latency_ms: Histogram = field(default_factory=Histogram)

    MAX_DWELLS = 20000
    """More visits than a day has room for; bounds the memory."""

    def visit(self, dwell_s: float) -> None:
        """One visit has ended."""
        self.visits += 1
        if len(self._dwell_s) < self.MAX_DWELLS:
            self._dwell_s.append(dwell_s)

    def latency(self, milliseconds: float) -> None:
        """One measured capture-to-swap time."""
        self._latency_ms.add(milliseconds)

    def summary(self) -> dict[str, Any]:
        """The day as plain numbers."""
        dwell = sorted(self._dwell_s)

        def part(p: float) -> float:
            return round(dwell[min(int(len(dwell) * p), len(dwell) - 1)], 1) if dwell else 0.0

        return {
            "day": self.day,
            "open_h": round(self.open_s / 3600.0, 2),
            "safe_mode_min": round(self.safe_s / 60.0, 1),
            "visits": self.visits,
            "dwell_s": {
                "median": part(0.5),
                "p90": part(0.9),
                "longest": dwell[-1] if dwell else 0.0,
                "total": round(sum(dwell)),
            },
            "frames": self.frames,
            "latency_ms": {
                "p50": round(self._latency_ms.percentile(50), 1),
                "p95": round(self._latency_ms.percentile(95), 1),
            },
            "restarts": dict(sorted(self.restarts.items())),
            "faults": dict(sorted(self.faults.items())),
        }
