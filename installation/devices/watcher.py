"""From a camera frame to the followed face: finding, tracking, smoothing, measuring, cutting out.

One `FaceWatcher` sees the frames of one source in order. It knows nothing of processes or shared
memory: the eye process, the probe and the tests all use this one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from installation.core.crop import landmarks_in_crop, upright
from installation.core.face_shape import face_place
from installation.core.measures import ffhq_quad, measure_face
from installation.core.smoothing import OneEuro, OneEuroTuning, QuadSmoother
from installation.core.tracking import FaceTracker, Reading, TrackingRules
from installation.core.types import FaceMeasures, Frame
from installation.devices.config import FacesConfig
from installation.devices.cropping import sample_square
from installation.devices.landmarks import Detection, FaceFinder

_LANDMARK_SPEED_CUTOFF_HZ = 3.0  # lids close in a tenth of a second: their speed must be noticed as fast
_SEARCHES = 6  # ways to look for a face, taken in turn while nobody is there: see `_search`


@dataclass(frozen=True, slots=True)
class Sighting:
    """The followed face in one frame.

    Attributes:
        face_id: Identity of the track, from 1.
        landmarks: (478, 3) float32 smoothed, frame pixels, z on the same scale.
        crop_landmarks: (478, 3) float32 the same in crop units.
        quad: (4, 2) float64 smoothed crop square, frame pixels.
        measures: Geometry of the face.
    """

    face_id: int
    landmarks: NDArray[np.float32]
    crop_landmarks: NDArray[np.float32]
    quad: NDArray[np.float64]
    measures: FaceMeasures


class FaceWatcher:
    """Follow one face through the frames of a source. Owned by one thread, as the finder is.

    Args:
        config: Whom to follow, how still.
        view_angle_deg: Of the camera, for distances.
        finder: MediaPipe.
        upright_crops: Leave the head's roll in the crop, for encoders that show it.
    """

    def __init__(
        self, config: FacesConfig, view_angle_deg: float, finder: FaceFinder, *, upright_crops: bool = False
    ) -> None:
        self.tracker = FaceTracker(
            TrackingRules(
                follow=config.follow,
                sticky=config.sticky,
                switch_ratio=config.switch_ratio,
                switch_after_s=config.switch_after_s,
                max_faces=config.max_faces,
                min_size=config.min_size,
                acquire_score=config.acquire_score,
                keep_score=config.keep_score,
                lost_after_s=config.lost_after_s,
            )
        )
        self._config = config
        self._upright = upright_crops
        self._view_angle_deg = view_angle_deg
        self._finder = finder
        self._quads = QuadSmoother(OneEuroTuning(config.crop_min_cutoff_hz, config.crop_beta))
        self._points = OneEuro(
            OneEuroTuning(config.landmark_min_cutoff_hz, config.landmark_beta, _LANDMARK_SPEED_CUTOFF_HZ)
        )
        self._face_id = 0
        self._scale = 1.0
        self._searched_at = -float("inf")
        self._turn = 1  # the near detector looks first: it is quick, and visitors are near

    @property
    def faces(self) -> int:
        """How many faces are visible."""
        return len(self.tracker.visible)

    def watch(self, frame: Frame, crop: NDArray[np.uint8]) -> Sighting | None:
        """Look at the next frame.

        Args:
            frame: The picture, with its capture time; times must not run backwards.
            crop: (s, s, 3) uint8, filled with the followed face if there is one.

        Returns:
            The followed face, or None if it is not visible in this frame.
        """
        pixels, now = frame.pixels, frame.captured_at
        frame_wh = (pixels.shape[1], pixels.shape[0])
        readings = {
            track_id: Reading(*self._finder.mesh(pixels, quad)) for track_id, quad in self.tracker.look(now).items()
        }
        found: list[Reading] = []
        if self._search_is_due(readings, now):
            self._searched_at = now
            proposals = self._search(pixels)
            if proposals and not self.tracker.tracks:
                # Somebody came: see who else is there before one is chosen.
                proposals += self._finder.detect(pixels, far=True)
            found = self._read_new(pixels, proposals)
        track = self.tracker.update(readings, found, frame_wh, now)
        if track is None:
            return None
        if track.track_id != self._face_id:
            self._face_id = track.track_id
            self._quads.reset()
            self._points.reset()
            self._scale = face_place(track.landmarks)[1]
        quad = self._quads.step(ffhq_quad(track.landmarks), now)
        if self._upright:
            quad = upright(quad)
        # In face widths, so that the filter's tuning is free of pixels.
        landmarks = np.asarray(self._points.step(track.landmarks / self._scale, now) * self._scale, np.float32)
        sample_square(pixels, quad, crop)
        measures = measure_face(landmarks, frame_wh, self._view_angle_deg)
        return Sighting(track.track_id, landmarks, landmarks_in_crop(landmarks, quad), quad, measures)

    def _read_new(self, pixels: NDArray[np.uint8], proposals: list[Detection]) -> list[Reading]:
        """Read the landmarks of proposals that are nobody known, nor one another."""
        found: list[Reading] = []
        for proposal in proposals:
            if len(found) == self._config.max_faces:
                break
            places = [face_place(reading.landmarks) for reading in found]
            middle = proposal.quad.mean(axis=0)
            if not self.tracker.knows(proposal.quad, proposal.score) and all(
                np.hypot(*(middle - centre)) > 0.5 * size for centre, size in places
            ):
                found.append(Reading(*self._finder.mesh(pixels, proposal.quad), proposal.score))
        return found

    def _search_is_due(self, readings: dict[int, Reading], now: float) -> bool:
        if self.tracker.searching:
            return True
        if any(reading.score < self._config.acquire_score for reading in readings.values()):
            return True
        full = len(self.tracker.tracks) >= self._config.max_faces
        return not full and now - self._searched_at >= self._config.detect_every_s

    def _search(self, pixels: NDArray[np.uint8]) -> list[Detection]:
        """Look for faces in one of several ways, the next way each time.

        Near faces by the near detector, then smaller ones by the far detector, over the whole picture and over
        overlapping squares of it: a face of a twentieth of the width is five pixels wide to a detector otherwise.
        """
        self._turn += 1
        turn = self._turn % _SEARCHES
        if turn % 2 == 0:
            return self._finder.detect(pixels, far=turn == 0)
        height, width = pixels.shape[:2]
        side = min(height, width)
        part = (0.5, 0.0, 1.0)[turn // 2]
        x0, y0 = round((width - side) * part), round((height - side) * part)
        return self._finder.detect(pixels, far=True, window=(x0, y0, x0 + side, y0 + side))
