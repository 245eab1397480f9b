"""The kiosk's memory of the day: log lines, the ledger, and one line of numbers at closing time."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from installation.core.kiosk import Mode
from installation.core.kiosk_day import DayLedger
from installation.kiosk.config import HealthConfig
from installation.runtime.logs import JsonLog
from installation.runtime.supervisor import tell_on_stderr

_MAX_SUMMARY_BYTES = 4 << 20  # some thousand days
_SAMPLE_S = 1.0
_TELL_AGAIN_S = 600.0


class Daybook:
    """Owned by the supervisor. Every method bears a full disk.

    Args:
        folder: The state folder.
        config: Size and rate of the log.
        local: Local time of the start.
    """

    def __init__(self, folder: Path, config: HealthConfig, local: datetime) -> None:
        self._summaries = folder / "summaries.jsonl"
        self.log = JsonLog(folder / "log", int(config.log_mb * 1e6), config.log_per_minute, clock=time.monotonic)
        self._ledger = DayLedger(local.date().isoformat())
        self._mode: Mode | None = None
        self._camera = ""
        self._told: dict[str, tuple[str, float]] = {}
        self._visits_done = 0
        self._displayed = 0
        self._sampled_at = float("-inf")

    def tell(self, text: str, kind: str = "note") -> None:
        """One sentence for the operator: on standard error and in the log."""
        tell_on_stderr(text)
        self.log.event(kind, text=text)

    def failure(self, now: float, process: str, text: str) -> None:
        """A process ended that should not have. The same sentence again is told now and then, and logged always."""
        self._ledger.restarts[process] += 1
        self.log.event(f"failure-{process}", text=text)
        last_text, told_at = self._told.get(process, ("", 0.0))
        if text != last_text or now - told_at >= _TELL_AGAIN_S:
            self._told[process] = text, now
            tell_on_stderr(text)

    def new_show(self) -> None:
        """The show begins to count from nothing."""
        self._visits_done = self._displayed = 0

    def follow(self, now: float, local: datetime, mode: Mode, camera: str, status: Mapping[str, Any]) -> None:
        """Note what changed; once a second add up what went on."""
        if mode is not self._mode:
            self.log.event("mode", mode=str(mode))
            if mode is Mode.CLOSED and self._mode is not None:
                self.close_day(local)
            self._mode = mode
        if camera != self._camera:
            self.log.event("camera", state=camera)
            self._ledger.faults[f"camera {camera}"] += camera in ("stalled", "failed")
            self._camera = camera
        if now - self._sampled_at < _SAMPLE_S:
            return
        passed = min(now - self._sampled_at, 10.0) if self._sampled_at > 0.0 else 0.0
        self._sampled_at = now
        self._ledger.open_s += passed * (mode is not Mode.CLOSED)
        self._ledger.safe_s += passed * (mode is Mode.SAFE)
        self._add(status)
        if local.date().isoformat() != self._ledger.day:
            self.close_day(local)

    def close_day(self, local: datetime) -> None:
        """Write the ledger's line and begin a new one."""
        self._ledger.faults = +self._ledger.faults  # drops the zeros
        summary = self._ledger.summary()
        self._ledger = DayLedger(local.date().isoformat())
        self.log.event("summary", text=json.dumps(summary))
        try:
            self._summaries.parent.mkdir(parents=True, exist_ok=True)
            if self._summaries.exists() and self._summaries.stat().st_size > _MAX_SUMMARY_BYTES:
                self._summaries.replace(self._summaries.with_suffix(".old.jsonl"))
            with self._summaries.open("a", encoding="utf-8") as file:
                file.write(json.dumps(summary) + "\n")
        except OSError as error:
            self.tell(f"the day's summary could not be written: {error}")

    def _add(self, status: Mapping[str, Any]) -> None:
        done, dwells = int(status.get("visits_done", 0)), list(status.get("dwell_s", ()))
        new = min(done - self._visits_done, len(dwells))
        for dwell in dwells[len(dwells) - new :] if new > 0 else ():
            self._ledger.visit(float(dwell))
        self._visits_done = max(done, self._visits_done)
        displayed = int(status.get("displayed", 0))
        self._ledger.frames += max(0, displayed - self._displayed)
        self._displayed = displayed
        if status.get("latency_ms"):
            self._ledger.latency(float(status["latency_ms"]))
