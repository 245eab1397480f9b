"""The show's main loop: events, visit, instrument, picture, swap; once per refresh, whatever the networks do.

Everything arrives through newest-value slots. The loop never waits for a network, a camera or a client;
it always has something to show.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from installation.config import Config
from installation.core.crossfade import Crossfade
from installation.core.governor import SHARPNESS, Governor
from installation.core.instrument import Instrument
from installation.core.pacing import Pacer
from installation.core.types import FaceMeasures
from installation.core.visit import Stage, Visit, VisitState
from installation.devices.eye_record import read_measures
from installation.display.further_windows import FurtherWindows
from installation.display.renderer import Renderer
from installation.display.scene import VIEWS, OverlayData, Picture, Scene
from installation.display.window import KEYS_HELP, Window
from installation.errors import MirrorError
from installation.film import Film
from installation.kiosk.steward import Orders, Steward
from installation.reflection import ReflectionThread
from installation.report import ShowFigures
from installation.runtime.slots import SharedSlot
from installation.wish import Reflection, Wish
from installation.words import Words

FACE_STALE_S = 0.5
"""A face record older than this counts as no face: the eye may have died."""

_BLACKOUT_S = 0.4


@dataclass(frozen=True, slots=True)
class Faces:
    """What the eye says now, reduced to what the show needs."""

    followed: bool
    face_id: int
    captured: int
    fps: float
    source_state: int
    measures: FaceMeasures | None = None


class Show:
    """One run of the show. Lives on the main thread, which owns the window and its GL context.

    `targets` maps the names of the targets to their captions, in the order in which visitors meet them.
    """

    def __init__(
        self,
        config: Config,
        window: Window,
        renderer: Renderer,
        eye: SharedSlot,
        thread: ReflectionThread,
        instrument: Instrument,
        figures: ShowFigures,
        targets: Mapping[str, str],
        film: Film,
        further: FurtherWindows,
        *,
        tell: Callable[[str], None] = lambda text: None,
        steward: Steward | None = None,
        overlay: bool = False,
        started_at: float | None = None,
        on_stage: Callable[[Stage, float], None] = lambda stage, now: None,
        play: Callable[[float, FaceMeasures | None, Mapping[str, float]], None] = lambda now, face, visit: None,
        describe_players: Callable[[float], Mapping[str, str]] = lambda now: {},
        meters: Callable[[float], Mapping[str, float]] = lambda now: {},
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._window = window
        self._renderer = renderer
        self._eye = eye
        self._thread = thread
        self._instrument = instrument
        self._figures = figures
        self._played_at: float | None = None
        self._film = film
        self._further = further
        self._tell = tell
        self._steward = steward
        self._on_stage = on_stage
        self._play = play
        self._describe_players, self._meters = describe_players, meters
        self._approached_at = 0.0
        self._clock = clock
        self._visit = Visit(config.visit.times())
        if steward is not None:
            steward.resume_visit(self._visit)
        self._words = Words(targets)
        self._overlay = overlay
        self._grid = False
        self._quit = False
        self._notice = ""
        self._told: set[str] = set()
        self._last_sequence = 0
        self._last_face_sequence = 0
        self._newest: Picture | None = None
        self._before: Picture | None = None
        self._fade = Crossfade()
        self._shown_wish: Wish | None = None
        self._black = 0.0
        sharpness = SHARPNESS[:1] if film.runs else SHARPNESS
        self._governor = Governor(1.0 / window.hz, config.engine.rate_hz, sharpness=sharpness)
        self._drawing_s = 0.0
        self._began = clock() if started_at is None else started_at

    def run(self, should_stop: Callable[[], bool], beat: Callable[[int], None], seconds: float | None = None) -> None:
        """Draw until the window closes, `should_stop`, or `seconds` have passed since the curtain.

        Raises:
            MirrorError: What ended the neural thread, with its cause.
        """
        pacer = Pacer(self._window.hz) if self._window.framebuffer is None else None
        curtain: float | None = None
        last = self._clock()
        while not (should_stop() or self._quit or self._window.should_close):
            if pacer is not None:
                time.sleep(pacer.wait_s(self._clock()))
            now = self._clock()
            if curtain is None and self._newest is not None:
                curtain = now
                self._figures.begin(now)
            if curtain is not None and seconds is not None and now - curtain >= seconds:
                return
            self._check_thread()
            self._handle_keys(now)
            self._tell_troubles()
            swapped = self._tick(now, now - last)
            last = now
            if curtain is not None:
                self._count(swapped)
                self._govern(swapped)
            beat(self._figures.displayed + 1)

    def _tick(self, now: float, dt: float) -> float:
        """Draw one frame; returns the time of its swap."""
        faces = self._faces(now)
        orders = Orders(faces.followed)
        if self._steward is not None:
            orders = self._steward.step(now, self._visit, followed=faces.followed, face_id=faces.face_id)
        visit = self._visit.step(now, orders.followed)
        self._play_visit(visit, faces, now)
        snapshot = self._instrument.tick(now)
        view = str(snapshot["/mirror/view"])
        views = {view, *(own or view for own in self._further.views)}
        several = views & {"series", "strip"}
        wish = Wish(
            visit.presence,
            series="series" in several and len(self._words.targets) > 1,
            ladder="strip" in several,
            single=bool(several) and views != several,
            camera=bool(views & {"mirror", "split"}),
            forget=visit.stage is Stage.NOBODY,
            look=orders.followed or visit.stage is not Stage.NOBODY,
            idle=orders.idle,
            # Asked of the windows when the networks are there, and again each time: a GPU can be lost.
            resident=self._thread.resident and self._renderer.takes_gpu() and self._further.takes_gpu(),
        )
        self._thread.wish.publish(wish)
        self._take_reflection(now)
        target_black = 1.0 if orders.black or bool(snapshot["/mirror/blackout"]) else 0.0
        self._black += float(np.clip(target_black - self._black, -dt / _BLACKOUT_S, dt / _BLACKOUT_S))
        scene = Scene(
            view=view if view in VIEWS else "portrait",
            time_s=now - self._began,
            blend=self._fade.blend(now, 1.0 / self._window.hz),
            notice=orders.words,
            notice_alpha=orders.words_alpha,
            leaving=self._film.leaving,
            fade=1.0 - (1.0 - self._black) * orders.light,
            presence=visit.presence if self._shows_visitor() else 0.0,
            freeze=bool(snapshot["/mirror/freeze"]),
            look=str(snapshot["/mirror/look"]),
            uniforms=snapshot.uniforms(),
            overlay=self._overlay_data(faces, visit),
        )
        opacity = float(snapshot["/mirror/caption"])
        if self._newest is not None:
            self._further.reveal()
            self._window.reveal()  # with the first picture: what was on the screen before us stays as long
        began = self._clock()
        self._renderer.draw(self._words.caption(scene, visit, self._shown_wish, opacity), self._window.size_px)
        if self._window.framebuffer is not None:
            self._renderer.present(self._window.framebuffer)
        self._further.draw(
            lambda own: self._words.caption(
                replace(scene, view=own or scene.view, overlay=None), visit, self._shown_wish, opacity
            )
        )
        drawn = self._clock()
        if self._newest is not None:  # a film begins with the curtain
            self._film.take(now)
        if orders.keep and self._steward is not None and (frame := self._renderer.read(now=True)) is not None:
            self._steward.keep(frame)
        kept = self._clock()
        self._window.swap()
        swapped = self._clock()
        self._drawing_s = drawn - began
        self._figures.stages.add("draw", self._drawing_s)
        self._figures.stages.add("record", kept - drawn)
        self._figures.stages.add("swap", swapped - kept)
        self._figures.visits = visit.visits
        if self._steward is not None:
            inferences = self._thread.inferences
            self._steward.tell(swapped, visit, self._newest, inferences, self._renderer.look_at_pictures)
        return swapped

    def _faces(self, now: float) -> Faces:
        sequence, record = self._eye.latest()
        if record is None:
            return Faces(False, 0, 0, 0.0, 0)
        face_id = int(record["face_id"])
        fresh = now - float(record["captured_at"]) < FACE_STALE_S
        if sequence != self._last_face_sequence:
            self._last_face_sequence = sequence
            self._figures.see(record)
        return Faces(
            bool(face_id) and fresh,
            face_id,
            int(record["captured"]),
            float(record["fps"]),
            int(record["source_state"]),
            read_measures(record) if face_id and fresh else None,
        )

    def _play_visit(self, visit: VisitState, faces: Faces, now: float) -> None:
        """The visit plays the instrument with its own hand, under everybody else's."""
        current = self._words.target(visit)
        for name in self._words.targets:
            weight = visit.amount if name == current else 0.0
            self._instrument.set(f"/mirror/morph/{name}", weight, "visit", now)
        for stage in visit.entered:
            if stage is Stage.APPROACH:
                self._approached_at = now
            self._on_stage(stage, now)
        seconds = 0.0 if visit.stage is Stage.NOBODY else now - self._approached_at
        clock = {"presence": visit.presence, "amount": visit.amount, "seconds": seconds, "visits": float(visit.visits)}
        self._play(now, faces.measures, clock)

    def _take_reflection(self, now: float) -> None:
        sequence, reflection = self._thread.reflections.peek()
        if reflection is None or sequence == self._last_sequence:
            return
        self._last_sequence = sequence
        began = self._clock()
        picture = reflection.picture
        self._fade.arrive(now)
        self._before, self._newest = self._newest, picture
        self._played_at = reflection.played_at
        self._shown_wish = reflection.wish if picture.images.shape[0] > 1 else None
        self._renderer.show_pictures(picture)
        self._further.show_pictures(picture)
        self._show_camera(reflection)
        self._figures.stages.add("upload", self._clock() - began)

    def _show_camera(self, reflection: Reflection) -> None:
        camera = reflection.camera
        if camera is not None:
            taken = (camera.pixels, camera.size_wh, camera.landmarks, camera.quad)
            self._renderer.show_camera(*taken)
            self._further.show_camera(*taken)

    def _shows_visitor(self) -> bool:
        return self._newest is not None and self._newest.face_id > 0

    def _count(self, swapped: float) -> None:
        figures = self._figures
        figures.inferences = self._thread.inferences
        figures.tick(swapped)
        if self._played_at is not None:
            figures.control_to_swap.add((swapped - self._played_at) * 1000.0)
            self._played_at = None
        picture = self._newest
        if picture is None or picture.face_id == 0:
            return
        if figures.first_reflection_s is None:
            figures.first_reflection_s = swapped - self._began
        blend = self._fade.blend(swapped, 1.0 / self._window.hz)
        age = swapped - picture.captured_at
        if self._before is not None and self._before.face_id == picture.face_id:
            age += (1.0 - blend) * (picture.captured_at - self._before.captured_at)
        figures.latency.add(age * 1000.0)

    def _govern(self, swapped: float) -> None:
        """Ask less of the machine when the screen misses its rate, and more when it has kept it for a while."""
        change = self._governor.tick(swapped, self._drawing_s)
        if change:
            self._thread.rate_hz = self._governor.rate_hz
            self._renderer.sharpness = self._governor.sharpness
            self._further.sharpen(self._governor.sharpness)
            self._tell(change)

    def _check_thread(self) -> None:
        if self._thread.error is not None:
            raise self._thread.error
        if self._thread.failure:
            raise MirrorError(f"the neural thread failed:\n{self._thread.failure}")

    def _tell_troubles(self) -> None:
        """Tell the operator once of each thing that does not work; the show goes on without it."""
        for trouble in self._troubles:
            if trouble not in self._told:
                self._told.add(trouble)
                self._tell(trouble)

    @property
    def _troubles(self) -> tuple[str, ...]:
        return (*self._film.failures, *self._renderer.notices, *self._further.notices)

    def _handle_keys(self, now: float) -> None:
        snapshot = self._instrument.snapshot
        keys = [event for event in self._window.poll() if not self._renderer.handle(event)]
        for event in (*keys, *self._further.poll()):
            if event == "quit":
                self._quit = self._steward is None  # a kiosk is not left by a key
            elif event == "view":
                views = self._instrument.table["/mirror/view"].choices
                following = views[(views.index(str(snapshot["/mirror/view"])) + 1) % len(views)]
                self._instrument.set("/mirror/view", following, "operator", now)
            elif event == "target":
                self._visit.next_target()
            elif event == "freeze":
                self._instrument.set("/mirror/freeze", not snapshot["/mirror/freeze"], "operator", now)
            elif event == "snapshot":
                self._notice = self._film.snapshot()
            elif event == "help":
                self._overlay = not self._overlay
            elif event == "grid":
                self._grid = not self._grid

    def _overlay_data(self, faces: Faces, visit: VisitState) -> OverlayData | None:
        """What the technician has asked for: the panel, the test pattern, both, or nothing."""
        if not self._overlay:
            return OverlayData(grid=True) if self._grid else None
        figures = self._figures.summary()
        values: dict[str, str] = {
            "display": f"{figures['fps']['display']:.1f} Hz",
            "inference": f"{figures['fps']['inference']:.1f} Hz",
            "camera": f"{faces.fps:.1f} Hz" if faces.source_state == 1 else "no picture",
            "latency p95": f"{figures['latency_ms']['p95']:.0f} ms",
            "visit": str(visit.stage),
            "face": str(faces.face_id) if faces.followed else "nobody",
            "visits": str(visit.visits),
        }
        if self._thread.preparing:
            values["engines"] = self._thread.preparing
        if self._words.targets:
            values["target"] = self._words.target(visit)
        now = self._clock()
        values |= self._describe_players(now)
        stages = self._figures.stages.recent()
        notice = "\n".join(line for line in (self._notice, *self._troubles) if line)
        return OverlayData(stages, values, KEYS_HELP, notice, self._meters(now), self._grid)
