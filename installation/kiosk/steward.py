"""The kiosk's hand inside the show process: notice, commands, closing time, and what the supervisor is told.

Called once a frame by the show's loop, on its thread. `step` says what the kiosk wants of the frame,
`tell` takes note of what was drawn. Nothing of a visitor leaves here but counts and times; the preview is
a few coloured cells.
"""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from installation.core.control import ROOT
from installation.core.cues import Cue
from installation.core.instrument import Instrument
from installation.core.kiosk import NoticeGate
from installation.core.visit import Stage, Visit, VisitState
from installation.display.scene import Picture
from installation.kiosk.config import PrivacyConfig
from installation.kiosk.keepsake import Keepsakes, KeepsakeTask
from installation.kiosk.links import Dial, JsonSlot
from installation.runtime.board import Heartbeat
from installation.runtime.slots import SharedLayout

TELL_EVERY_S = 0.2
_PREVIEW_EVERY_S = 1.0
_LIGHT_S = 0.6  # for half of a change of brightness
_DWELLS = 64


@dataclass(frozen=True, slots=True)
class KioskTask:
    """What the show process is told when it runs in a kiosk; pickled to it.

    Attributes:
        status: Where the steward tells, a `JsonSlot`.
        commands: What the supervisor asks, small dictionaries.
        closed: Not 0 while the doors are closed.
        inference: Heart beat of the networks.
        privacy: Notice and language.
        preview_cells: Width of the preview.
        keepsake: Pictures on request.
        resume: What `state()["resume"]` of the last show was.
    """

    status: SharedLayout
    commands: Connection
    closed: Dial
    inference: Heartbeat
    privacy: PrivacyConfig
    preview_cells: int
    keepsake: KeepsakeTask
    resume: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Orders:
    """What the kiosk wants of one frame.

    Attributes:
        followed: Whether the visit may see a face.
        black: Fade to black.
        idle: The networks rest.
        light: Brightness, 0..1.
        words: Lines for the visitor, or nothing.
        words_alpha: Their opacity.
        keep: Save this frame: somebody asked for it.
    """

    followed: bool
    black: bool = False
    idle: bool = False
    light: float = 1.0
    words: str = ""
    words_alpha: float = 0.0
    keep: bool = False


class Steward:
    """Lives in the show process, on its main thread."""

    def __init__(self, task: KioskTask, instrument: Instrument, now: float) -> None:
        self._task = task
        self._instrument = instrument
        self._status = JsonSlot(task.status)
        self._gate = NoticeGate(task.privacy.notice_s)
        self._keepsakes = Keepsakes(task.keepsake)
        resume = task.resume
        self._language = str(resume.get("language", task.privacy.language))
        self._light = self._light_wanted = float(resume.get("light", 1.0))
        self._target = int(resume.get("target", 0))
        self._stage = Stage.NOBODY
        self._face_id = 0
        self._visit_face = 0
        self._visit_began = 0.0
        self._visits_done = 0
        self._dwells: deque[float] = deque(maxlen=_DWELLS)
        self._now = now
        self._told_at = float("-inf")
        self._preview_at = float("-inf")
        self._preview = ""
        self._idle_beats = 0
        self._displayed = 0
        self._recall(resume, now)

    def resume_visit(self, visit: Visit) -> None:
        """Go on with the target at which the last show stopped."""
        for _ in range(self._target):
            visit.next_target()

    def step(self, now: float, visit: Visit, *, followed: bool, face_id: int) -> Orders:
        """Before a frame: carry out what was asked, and say what the frame must respect."""
        dt, self._now = max(0.0, now - self._now), now
        self._face_id = face_id if followed else 0
        self._obey(now, visit)
        self._light += (self._light_wanted - self._light) * (1.0 - 2.0 ** (-dt / _LIGHT_S))
        if self._task.closed.value:
            self._keepsakes.cancel()
            return Orders(followed=False, black=True, idle=True, light=self._light)
        known = face_id == self._visit_face
        visiting = self._stage not in (Stage.NOBODY, Stage.FAREWELL) or (self._stage is Stage.FAREWELL and known)
        allowed = self._gate.step(now, followed=followed, visiting=visiting)
        keep = self._keepsakes.step(now, present=visiting)
        words, alpha = self._keepsakes.words, 1.0
        if not words:
            words, alpha = self._words(), self._gate.alpha
        return Orders(followed=allowed, light=self._light, words=words, words_alpha=alpha, keep=keep)

    def tell(
        self,
        now: float,
        visit: VisitState,
        picture: Picture | None,
        inferences: int,
        look: Callable[[], NDArray[np.uint8]],
    ) -> None:
        """After the swap at `now`: note the visit, and publish every now and then.

        `look` shows the newest picture as the renderer has it, (s, n * s, 3) uint8, the first of it counts.
        """
        self._follow(visit, now)
        self._displayed += 1
        self._idle_beats += bool(self._task.closed.value)  # resting is progress too
        self._task.inference.beat(inferences + self._idle_beats)
        if now - self._told_at < TELL_EVERY_S:
            return
        self._told_at = now
        if now - self._preview_at >= _PREVIEW_EVERY_S:
            self._preview_at = now
            cells = self._task.preview_cells
            self._preview = preview(look(), cells, self._light) if picture is not None and cells else ""
        snapshot = self._instrument.snapshot
        self._status.write(
            {
                "drawing": picture is not None,
                "stage": str(visit.stage),
                "visits": visit.visits,
                "visits_done": self._visits_done,
                "dwell_s": list(self._dwells),
                "displayed": self._displayed,
                "inferences": inferences,
                "latency_ms": round((now - picture.captured_at) * 1e3, 1) if picture and picture.face_id else 0.0,
                "cue": snapshot.cue,
                "cues": [cue.id for cue in self._instrument.cues][:100],
                "view": str(snapshot["/mirror/view"]),
                "look": str(snapshot["/mirror/look"]),
                "blackout": bool(snapshot.goal(f"{ROOT}/blackout")),
                "light": round(self._light_wanted, 3),
                "language": self._language,
                "keepsake": self._keepsakes.state,
                "preview": self._preview,
                "resume": self._resume(visit),
            }
        )

    def keep(self, rgb: NDArray[np.uint8]) -> None:
        """Take the frame that `Orders.keep` asked for."""
        self._keepsakes.save(rgb)

    def close(self) -> None:
        """Detach."""
        self._status.close()

    def _obey(self, now: float, visit: Visit) -> None:
        """Carry out what came since the last frame; the supervisor has checked it."""
        while self._task.commands.poll():
            try:
                command = self._task.commands.recv()
            except (EOFError, OSError):  # the supervisor is gone, and we shall follow
                return
            value = command["value"]
            match command["do"]:
                case "blackout":
                    self._instrument.set(f"{ROOT}/blackout", bool(value), "operator", now)
                case "light":
                    self._light_wanted = float(value)
                case "language":
                    self._language = str(value)
                case "cue":
                    self._instrument.command(f"{ROOT}/cue/{value}/go", (), "operator", now)
                case "target":
                    visit.next_target()
                case "keepsake":
                    self._keepsakes.ask(now, bool(value))

    def _words(self) -> str:
        notices = self._task.privacy.notice
        return notices.get(self._language) or notices[self._task.privacy.language]

    def _follow(self, visit: VisitState, now: float) -> None:
        if visit.stage is Stage.APPROACH and self._stage in (Stage.NOBODY, Stage.FAREWELL):
            self._end_visit(now)
            self._visit_began, self._visit_face = now, self._face_id
        elif visit.stage is Stage.NOBODY:
            self._end_visit(now)
        self._stage = visit.stage

    def _end_visit(self, now: float) -> None:
        if self._visit_face:
            self._dwells.append(round(now - self._visit_began, 1))
            self._visits_done += 1
            self._visit_face = 0

    def _resume(self, visit: VisitState) -> dict[str, Any]:
        """What the next show needs to go on: how operators have set the instrument; nothing of a visitor."""
        table = self._instrument.table
        values = {
            address: value
            for address, value in self._instrument.standing().items()
            if (table[address].in_cue or address == f"{ROOT}/blackout")
            and not address.startswith(f"{ROOT}/morph/")  # the visit plays these itself
        }
        return {
            "cue": self._instrument.snapshot.cue,
            "values": values,
            "target": visit.target % 64,
            "light": self._light_wanted,
            "language": self._language,
        }

    def _recall(self, resume: dict[str, Any], now: float) -> None:
        if resume.get("values") or resume.get("cue"):
            self._instrument.go(Cue(str(resume.get("cue", "")), dict(resume.get("values", {}))), now, 0.0)


def preview(rgb: NDArray[np.uint8], cells: int, light: float) -> str:
    """Reduce a picture, the first s columns of (s, n * s, 3), to at most `cells` x `cells` colours.

    Returns:
        Base64 of RGB, row by row.
    """
    side = rgb.shape[0]
    edges = np.linspace(0, side, min(cells, side) + 1).astype(int)[:-1]
    rows = np.add.reduceat(rgb[:, :side].astype(np.float32), edges, axis=0)
    sums = np.add.reduceat(rows, edges, axis=1)
    counts = np.diff(np.append(edges, side))
    means = sums / (counts[:, None, None] * counts[None, :, None])
    return base64.b64encode(np.clip(means * light, 0, 255).astype(np.uint8).tobytes()).decode()
