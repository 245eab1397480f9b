"""The eye process: camera, landmarks, alignment. It may be killed at any moment.

It publishes one record per picture through a `SharedSlot` that the supervisor made: the camera picture
whether or not somebody is there, and the followed face if there is one. The record's fields are in
`devices/eye_record.py`. A dead or hanging eye shows in the age of its newest record.

The camera opens while MediaPipe loads, so that the first face is there as soon as the slower of the
two allows.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import astuple
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from installation.core.types import Frame
from installation.devices.config import CameraConfig, FacesConfig
from installation.devices.eye_record import write_message
from installation.devices.reader import FrameReader, ReaderStatus
from installation.devices.source import SourceState
from installation.devices.sources import open_source
from installation.errors import ConfigError, DeviceError, MirrorError
from installation.runtime.memory import return_large_blocks
from installation.runtime.slots import BUFFERS, SharedLayout, SharedSlot

if TYPE_CHECKING:
    from installation.devices.watcher import FaceWatcher

_TURN_S = 0.1  # longest wait for a picture, so that the heartbeat goes on
_BLACK_LEVEL = 3.0  # mean brightness, 0..255, below which a picture shows nothing
_BLACK_AFTER_S = 3.0
_MEMORY_EVERY_S = 10.0
_MEMORY_SETTLED_S = 60.0  # networks and decoders have their buffers by then


class StopSignal(Protocol):
    """What tells the eye to end."""

    def is_set(self) -> bool:
        """Whether the eye shall end."""
        ...


class Pulse(Protocol):
    """Where the eye tells that it is at work."""

    def beat(self, progress: float) -> None:
        """Tell a number that grows with every turn of the loop."""
        ...


def run_eye(
    layout: SharedLayout,
    camera: CameraConfig,
    faces: FacesConfig,
    source_spec: str,
    crop_size: int,
    stop: StopSignal,
    heartbeat: Pulse,
    as_fast_as_possible: bool = False,
    upright_crops: bool = False,
) -> None:
    """Be the eye until `stop` is set: the body of a process started with `spawn`.

    A source that can never work is told in the record (`SourceState.FAILED` and a sentence) and the eye
    idles: whether that ends the show is not its decision. It ends by itself, to be started afresh, when the
    camera's driver hangs (exit code of `DeviceError`) or when it has grown too large (exit code 0).

    Args:
        layout: Of the shared slot, made with `eye_fields(crop_size, camera.max_side_px)`; never unlinked here.
        camera: `[camera]`.
        faces: `[faces]`.
        source_spec: What `open_source` takes.
        crop_size: Side of the crop in pixels.
        stop: Ends the eye within a tenth of a second.
        heartbeat: Told a growing number at least ten times a second while the loop runs.
        as_fast_as_possible: Play a file without waiting, every picture of it.
        upright_crops: Leave the head's roll in the crop, for encoders that show it.
    """
    if threading.current_thread() is threading.main_thread():
        # Ctrl-C reaches every process of the terminal; only the supervisor acts on it, and stops us in order.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return_large_blocks()
    # Read when cv2 is imported; its default is to sit silent for 10 s.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(max(round(camera.read_timeout_s), 1)))
    slot = SharedSlot(layout=layout)
    try:
        eye = _Eye(slot, camera, faces, heartbeat, upright_crops)
        try:
            source = open_source(source_spec, camera, as_fast_as_possible=as_fast_as_possible)
        except ConfigError as error:
            eye.tell_failure(error)
            eye.idle(stop)
            return
        reader = FrameReader(source, camera, lossless=as_fast_as_possible)
        reader.start()
        try:
            eye.run(reader, stop)
        finally:
            reader.stop()
    except DeviceError as error:
        print(f"eye: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    finally:
        slot.close()


class _Eye:
    """The process's main thread: it owns MediaPipe and writes the slot; the reader's thread owns the camera."""

    def __init__(
        self, slot: SharedSlot, camera: CameraConfig, faces: FacesConfig, heartbeat: Pulse, upright_crops: bool
    ) -> None:
        self._slot = slot
        self._upright_crops = upright_crops
        self._camera = camera
        self._faces = faces
        self._heartbeat = heartbeat
        self._turns = 0
        self._frame = Frame(np.zeros((1, 1, 3), np.uint8), 0, time.monotonic())
        self._told: tuple[int, str] | None = None
        self._reacquired = 0
        self._looked = 0
        self._with_face = 0
        self._black_since: float | None = None
        self._to_wipe = 0

    def run(self, reader: FrameReader, stop: StopSignal) -> None:
        """Watch the source until told to stop. The first beat comes when all is loaded, however long that takes."""
        # Here, while the reader's thread opens the camera.
        from installation.devices.landmarks import FaceFinder
        from installation.devices.watcher import FaceWatcher

        finder = FaceFinder()
        watcher = FaceWatcher(self._faces, self._camera.view_angle_deg, finder, upright_crops=self._upright_crops)
        memory = _MemoryGuard(self._faces.max_growth_mb)
        try:
            while not stop.is_set() and not memory.overgrown(time.monotonic()):
                self._beat()
                try:
                    frame = reader.wait_newer(_TURN_S)
                except MirrorError as error:
                    self.tell_failure(error)
                    self.idle(stop)
                    return
                if reader.stuck_s > self._camera.stuck_after_s:
                    raise DeviceError(f"{reader.source.name} hangs in its driver; starting anew")
                status = reader.status()
                if frame is None:
                    self._publish_state(status)
                else:
                    self._publish_frame(self._turned(frame), watcher, status)
        finally:
            finder.close()

    def tell_failure(self, error: MirrorError) -> None:
        """Publish that the source cannot work."""
        self._publish_state(ReaderStatus(SourceState.FAILED, str(error), float("inf"), self._frame.frame_id, 0.0))

    def idle(self, stop: StopSignal) -> None:
        """Wait for the end, alive."""
        while not stop.is_set():
            self._beat()
            time.sleep(_TURN_S)

    def _publish_frame(self, frame: Frame, watcher: FaceWatcher, status: ReaderStatus) -> None:
        self._frame = frame
        started = time.perf_counter()
        record = self._slot.begin()
        sighting = watcher.watch(frame, record["crop"])
        watched = time.perf_counter()
        scale = self._write_picture(record)
        record["face_id"][...] = 0 if sighting is None else sighting.face_id
        record["faces"][...] = watcher.faces
        if sighting is not None:
            np.multiply(sighting.landmarks, scale, out=record["landmarks"])
            np.multiply(sighting.quad, scale, out=record["quad"], casting="same_kind")
            record["crop_landmarks"][...] = sighting.crop_landmarks
            record["measures"][...] = astuple(sighting.measures)
            self._to_wipe = BUFFERS
        else:
            self._wipe_face(record)
        self._reacquired = watcher.tracker.reacquired
        self._looked += 1
        self._with_face += sighting is not None
        self._write_state(record, status, self._black_message(frame, status))
        record["watch_ms"][...] = (watched - started) * 1e3
        record["publish_ms"][...] = (time.perf_counter() - watched) * 1e3
        self._slot.commit()

    def _publish_state(self, status: ReaderStatus) -> None:
        """Publish a record without a new picture, but only if there is news."""
        if self._told == (int(status.state), status.message):
            return
        record = self._slot.begin()
        self._write_picture(record)
        self._wipe_face(record)
        record["face_id"][...] = record["faces"][...] = 0
        self._write_state(record, status, status.message)
        record["watch_ms"][...] = record["publish_ms"][...] = 0.0
        self._slot.commit()

    def _wipe_face(self, record: dict[str, NDArray[Any]]) -> None:
        """A face that is gone stays in no buffer: each is wiped by the first record without a face that lies in it."""
        if self._to_wipe:
            self._to_wipe -= 1
            for name in ("crop", "landmarks", "crop_landmarks", "quad", "measures"):
                record[name][...] = 0

    def _write_picture(self, record: dict[str, NDArray[Any]]) -> float:
        """Copy the newest picture; returns the factor from its pixels to the record's."""
        from installation.devices.cropping import fit_picture

        picture = fit_picture(self._frame.pixels, record["camera"].shape[0])
        height, width = picture.shape[:2]
        record["camera"][:height, :width] = picture
        record["frame_size"][...] = (width, height)
        record["frame_id"][...] = self._frame.frame_id
        record["captured_at"][...] = self._frame.captured_at
        return width / self._frame.pixels.shape[1]

    def _write_state(self, record: dict[str, NDArray[Any]], status: ReaderStatus, message: str) -> None:
        record["captured"][...] = status.captured
        record["fps"][...] = status.fps
        record["reacquired"][...] = self._reacquired
        record["looked"][...] = self._looked
        record["with_face"][...] = self._with_face
        record["source_state"][...] = int(status.state)
        write_message(record, message)
        self._told = (int(status.state), status.message)

    def _black_message(self, frame: Frame, status: ReaderStatus) -> str:
        """Say so when the camera has seen nothing for a while: a lens cap, or the wrong device."""
        if float(frame.pixels[::32, ::32].mean()) >= _BLACK_LEVEL:
            self._black_since = None
        elif self._black_since is None:
            self._black_since = frame.captured_at
        elif frame.captured_at - self._black_since > _BLACK_AFTER_S:
            return "the camera's picture is black; uncover the lens, give it light, or choose another camera"
        return status.message

    def _turned(self, frame: Frame) -> Frame:
        """Turn the picture of a camera that is mounted on its side."""
        if self._camera.rotation == 0:
            return frame
        turned = np.ascontiguousarray(np.rot90(frame.pixels, -self._camera.rotation // 90))
        return Frame(turned, frame.frame_id, frame.captured_at)

    def _beat(self) -> None:
        self._turns += 1
        self._heartbeat.beat(self._turns)


class _MemoryGuard:
    """Notice slow growth of the process: MediaPipe's graphs were reported to leak over days."""

    def __init__(self, max_growth_mb: float) -> None:
        self._max_growth_mb = max_growth_mb
        self._started_at = self._checked_at = time.monotonic()
        self._baseline_mb = 0.0

    def overgrown(self, now: float) -> bool:
        """Whether the process has grown beyond its bound since it settled."""
        if now - self._checked_at < _MEMORY_EVERY_S:
            return False
        self._checked_at = now
        with open("/proc/self/statm") as pages:
            size_mb = int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        if self._baseline_mb == 0.0 or now - self._started_at < _MEMORY_SETTLED_S:
            self._baseline_mb = max(self._baseline_mb, size_mb)
            return False
        return size_mb - self._baseline_mb > self._max_growth_mb
