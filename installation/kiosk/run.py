"""`mirror kiosk`: the supervisor that keeps the screen alive for weeks.

Each tick looks at progress, asks the plan (`core/kiosk.py`) what is wanted, and lets the wards do it.
Nothing here waits for a process, a disk or a client.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime

from installation.app import CONFIG_FILE
from installation.core.kiosk import KioskPlan, NightlyRestart, RestartBudget, Wanted
from installation.display.screens import has_screen
from installation.errors import ConfigError, DisplayError, MissingExtra
from installation.kiosk.body import forbid_core_dumps, hold_memory_together
from installation.kiosk.commands import Command
from installation.kiosk.company import Company, KioskOptions
from installation.kiosk.config import restart_time
from installation.kiosk.config_file import ConfigFile
from installation.kiosk.curtain import Cover
from installation.kiosk.daybook import Daybook
from installation.kiosk.facts import Standing
from installation.kiosk.herald import Herald
from installation.kiosk.keepsake import sweep
from installation.kiosk.state import read_state, require_acknowledgement, state_folder, write_state
from installation.kiosk.ward import NOT_STARTED, Failure, Ward
from installation.report import write_report
from installation.runtime.memory import MemoryWatch
from installation.runtime.supervisor import stop_signals

TICK_S = 0.05
HEALTHY_S = 10.0
"""A show that drew for so long before it failed was no part of a crash loop."""

_STANDSTILL_S = 1.0
"""When the supervisor itself comes so late, the machine stood still: to restart everything would only prolong it."""

_FACTS_EVERY_S = 0.2
_RESUME_EVERY_S = 2.0
_SWEEP_EVERY_S = 30.0
_PORT_EVERY_S = 60.0
_NO_SCREEN = "no screen is named (DISPLAY, WAYLAND_DISPLAY): the show draws where nobody sees it"
_PERMANENT = (ConfigError.exit_code, MissingExtra.exit_code, NOT_STARTED)
_MEMORY_SETTLES_S = 60.0


def run_kiosk(options: KioskOptions) -> int:
    """Run until somebody stops it; returns the exit code.

    Raises:
        NotAcknowledged: Nobody has confirmed the notice for visitors.
    """
    forbid_core_dumps()
    hold_memory_together()
    while True:
        kiosk = Kiosk(options)
        kiosk.run()
        if not kiosk.start_afresh:
            return 0


class Kiosk:
    """One life of the supervisor. Everything it started is gone when `run` returns."""

    def __init__(self, options: KioskOptions) -> None:
        self._options = options
        self._file = ConfigFile(options.config or (CONFIG_FILE if CONFIG_FILE.is_file() else None))
        self._config = config = self._file.config
        self._fault = self._file.fault
        if not self._fault:
            require_acknowledgement(config)
        self._folder = state_folder(config.kiosk)
        self._hours = config.hours.table()
        self._book = Daybook(self._folder, config.health, self._local())
        self._faults: tuple[str, ...] = (self._fault,) if self._fault else ()
        if self._fault:
            self._book.tell(f"safe mode, because the config is wrong:\n{self._fault}", "config")
        self._saved = read_state(self._folder / "resume.json")
        self._paused = bool(self._saved.get("paused", False))
        headless = options.headless or not has_screen()
        if headless and not options.headless:
            self._faults += (_NO_SCREEN,)
            self._book.tell(_NO_SCREEN, "screen")
        resume = dict(self._saved.get("show", {}))
        self._company = Company(config, self._fault, options, headless=headless, resume=resume)
        budget = RestartBudget(config.kiosk.restarts, config.kiosk.restarts_window_s)
        self._plan = KioskPlan(budget, retry_s=config.kiosk.retry_s, healthy_s=HEALTHY_S)
        self._nightly = NightlyRestart(restart_time(config.kiosk), self._local())
        self._memory = MemoryWatch(_MEMORY_SETTLES_S)
        self._herald = Herald(config.health, self._book)
        self._rss: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._began = time.monotonic()
        self._visit_at = self._ticked_at = self._began
        self._first_drawn: float | None = None
        self._drawn_since: float | None = None
        self._open = self._hours.is_open(datetime.now(UTC))
        self._next_change = ""
        self._film_missing = False
        self._renew_curtain = False
        self._stop = self._leave_at_once = False
        self.start_afresh = False
        """Set when the config was mended: make a new kiosk."""

    def run(self) -> None:
        """Supervise until stopped."""
        self._book.log.event("start", pid=os.getpid())
        try:
            with stop_signals(self._on_signal):
                while not self._stop:
                    self._tick(time.monotonic())
                    time.sleep(TICK_S)
                self._herald.stopping()
                self._end_all()
        finally:
            self._close()

    def _tick(self, now: float) -> None:
        company = self._company
        if now - self._ticked_at > _STANDSTILL_S:
            for ward in company.wards:
                ward.forgive(now)
        self._ticked_at = now
        if self._every("second", now, 1.0):
            self._each_second(now)
        company.read_status()
        drawing = company.is_drawing(now)
        wanted = self._plan.step(now, is_open=self._open, paused=self._paused, drawing=drawing)
        company.closed.set(float(wanted.black))
        company.cover.set(Cover.HIDDEN if not wanted.curtain else Cover.BLACK if wanted.black else Cover.FILM)
        if drawing and self._drawn_since is None:
            self._drawn_since = now
            self._first_drawn = self._first_drawn or now
        if drawing and self._renew_curtain:
            self._renew_curtain = False
            company.curtain.end(now)
        for ward, is_wanted in (
            (company.curtain, True),
            (company.show, wanted.show),
            (company.eye, wanted.eye),
            (company.docent, self._config.docent.enabled and not self._fault),
            (company.film, drawing and self._film_missing),
        ):
            failure = ward.tend(now, is_wanted)
            if failure is not None:
                self._note(now, ward, failure)
                break  # something else may be wanted now: the next tick asks the plan
        if not wanted.eye:
            company.forget_camera()
        company.take_report()
        for command in company.commands(now):
            self._obey(now, command, drawing)
        if self._every("facts", now, _FACTS_EVERY_S):
            self._publish(now, wanted, drawing)
        shown = drawing or (wanted.curtain and company.is_covered(now))
        if shown and self._every("watchdog", now, 1.0):
            self._herald.feed()
        seconds = self._options.seconds
        if seconds is not None and self._first_drawn is not None and now - self._first_drawn >= seconds:
            self._stop = True

    def _each_second(self, now: float) -> None:
        was_open, self._open = self._open, self._hours.is_open(datetime.now(UTC))
        if was_open and not self._open:
            self._paused = False  # a pause ends with the day
        if self._company.status.get("stage", "nobody") != "nobody":
            self._visit_at = now
        quiet = not self._open or now - self._visit_at > self._config.kiosk.quiet_s
        if self._nightly.due(self._local(), quiet=quiet):
            self._restart_everything(now)
        self._rss = self._company.rss_mb()
        self._memory.sample(now, [pid for pid in self._company.pids().values() if pid is not None])
        film = self._company.film_file()
        self._film_missing = film is not None and not film.is_file()
        if self._file.mended():
            self._book.tell("the config is mended; starting afresh", "config")
            self.start_afresh = self._stop = True
        if self._every("resume", now, _RESUME_EVERY_S):
            self._save_resume()
        if self._config.keepsake.enabled and self._every("sweep", now, _SWEEP_EVERY_S):
            self._sweep()
        if self._every("port", now, _PORT_EVERY_S):
            self._herald.listen()
        if self._every("hours", now, 60.0):
            change = self._hours.next_change(datetime.now(UTC))
            self._next_change = change.astimezone(self._hours.zone).isoformat(timespec="minutes") if change else ""

    def _note(self, now: float, ward: Ward, failure: Failure) -> None:
        company = self._company
        if ward is company.film and failure.code == 0:
            return  # it is made
        self._book.failure(now, ward.name, failure.text)
        if ward is not company.show:
            return
        drew_for = 0.0 if self._drawn_since is None else now - self._drawn_since
        self._drawn_since = None
        self._book.new_show()
        if failure.code == DisplayError.exit_code:
            return  # without a screen safe mode would show nothing either: go on trying
        permanent = failure.code in _PERMANENT
        if permanent or drew_for < HEALTHY_S:
            self._plan.show_failed(now, permanent=permanent)

    def _obey(self, now: float, command: Command, drawing: bool) -> None:
        self._book.log.event("command", do=command.do, value=str(command.value))
        if command.do == "pause":
            self._paused = command.value
        elif command.do == "restart":
            self._plan.retry_now(now)
            self._company.show.end(now)
        elif drawing:
            self._company.send(command)

    def _publish(self, now: float, wanted: Wanted, drawing: bool) -> None:
        standing = Standing(
            wanted=wanted,
            paused=self._paused,
            drawing=drawing,
            faults=self._faults,
            last_failure=self._company.show.last_failure,
            rss_mb=self._rss,
            uptime_s=now - self._began,
            next_change=self._next_change,
            log_lost=self._book.log.lost,
        )
        self._herald.publish(now, self._local(), self._company, standing)

    def _restart_everything(self, now: float) -> None:
        self._book.tell("nightly restart", "nightly")
        self._renew_curtain = True
        for ward in (self._company.show, self._company.eye, self._company.docent):
            ward.end(now)

    def _every(self, what: str, now: float, seconds: float) -> bool:
        if now < self._due.get(what, float("-inf")):
            return False
        self._due[what] = now + seconds
        return True

    def _local(self) -> datetime:
        return datetime.now(self._hours.zone)

    def _save_resume(self) -> None:
        state = {"show": self._company.resume, "paused": self._paused}
        if state != self._saved and write_state(self._folder / "resume.json", state):
            self._saved = state

    def _sweep(self) -> None:
        deleted, stuck = sweep(self._company.keepsake_folder(), time.time())
        if deleted:
            self._book.log.event("keepsakes", deleted=deleted)
        if stuck:
            self._book.tell(f"{len(stuck)} pictures are due and cannot be deleted: {stuck[0]}", "keepsakes-stuck")

    def _on_signal(self) -> None:
        self._leave_at_once, self._stop = self._stop, True

    def _end_all(self) -> None:
        """Ask every process; the wards kill what does not go."""
        wards = self._company.wards
        for ward in wards:
            ward.end(time.monotonic())
        while any(ward.pid is not None for ward in wards) and not self._leave_at_once:
            for ward in wards:
                ward.tend(time.monotonic(), False)
            time.sleep(TICK_S)
        self._company.take_report()

    def _close(self) -> None:
        company = self._company
        self._save_resume()
        self._book.close_day(self._local())
        if self._options.report is not None:
            restarts = {ward.name: ward.restarts for ward in company.wards}
            figures = {
                **company.report,
                "rss_mb": self._memory.summary(),
                "restarts": restarts,
                "facts": self._herald.facts,
            }
            write_report(self._options.report, figures)
        self._herald.close()
        company.close()
        self._book.log.event("stop")
        self._book.log.close()
