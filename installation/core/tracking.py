"""Who is who, and whom to follow.

The landmark network reads one square at a time and knows nobody. This module carries each face from
frame to frame: it says where to look next, gives what was found to the track it belongs to, keeps a
face that is hidden for a moment, and chooses one to follow. One face over time is `core/track.py`.

When two people cross, the hidden one's square slides onto the other, and both tracks read one face.
Position, size and shape against each track's prediction decide whose face it is; the other waits.

Coordinates are frame pixels, times are seconds, sizes are face widths as `face_size` gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from installation.core.face_shape import (
    MEAN_SHAPE,
    ROI_SCALE,
    Landmarks,
    face_place,
    face_shape,
    shape_difference,
)
from installation.core.track import Track

_HUMAN = 0.065
"""Shape difference to the mean head up to which a doubtful face passes. Measured: people at rest 0.023 to 0.036,
grimaces to 0.07, turned by 40 degrees to 0.085; foliage that the network takes for a face 0.07 to 0.1."""

_JUMP = 1.5  # cost beyond which a reading is not the track's own face any more
_RESUME = 2.5  # cost up to which a face that appears anew is one that was hidden
_SAME_PLACE = 0.5  # face widths; two readings closer than this are of one face
_NEAR = 1.5  # face widths; tracks closer than this are read in every frame, so that a crossing is seen
_CROWD = 1.2  # face widths; tracks closer than this may be taken for one another
_STRANGE = 0.06
"""Shape difference to its own track at which a reading in a crowd is a mixture of two faces, or the other one.
Measured: one person, grimacing or half covered by a hand, up to 0.048; two heads half hidden by one another 0.06
to 0.11."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the landmark network found in one square.

    Attributes:
        landmarks: (478, 3) float32 frame pixels.
        score: 0..1, how face-like the square's content is.
        proposed: 0..1, how sure the detector was that proposed the square; 1 for a square of `FaceTracker.look`.
    """

    landmarks: Landmarks
    score: float
    proposed: float = 1.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What a choice may look at: picture size in pixels and the time in seconds."""

    frame_wh: tuple[int, int]
    now: float


POLICIES: Mapping[str, Callable[[Track, Scene], float]] = {
    "largest": lambda track, scene: track.size,
    "centre": lambda track, scene: 1.0 / (0.05 + float(np.hypot(*(track.centre / scene.frame_wh - 0.5)))),
    "longest": lambda track, scene: scene.now - track.born_at,
}
"""Name -> how much a face deserves to be followed. Greater is better; always positive or zero."""


@dataclass(frozen=True, slots=True)
class TrackingRules:
    """How faces are taken up, kept, chosen and let go. Times in seconds, scores 0..1, see `FacesConfig`.

    A face is taken up at once if the detector was sure of it. One that it was not sure of must have the score
    and the shape of a face for `probation_s` without a break, or be proposed again by a sure detector. Measured
    on footage without people: detector 0.3 to 0.65. Real faces, also dark, small or turned: 0.7 and up in at least
    one way of searching.
    """

    follow: str = "largest"
    sticky: bool = True
    switch_ratio: float = 1.3
    switch_after_s: float = 1.0
    max_faces: int = 4
    min_size: float = 0.03
    acquire_score: float = 0.99
    sure_proposal: float = 0.65
    probation_s: float = 0.5
    keep_score: float = 0.15
    lost_after_s: float = 1.5


class FaceTracker:
    """Tracks of the faces in view. Feed every frame: `look`, then `update`."""

    def __init__(self, rules: TrackingRules) -> None:
        self.rules = rules
        self.tracks: dict[int, Track] = {}
        self.reacquired = 0
        self._followed = 0
        self._next_id = 1
        self._turn = 0
        self._rival = 0
        self._rival_since = 0.0

    @property
    def followed(self) -> Track | None:
        """The followed face, visible or hidden for a moment; None if nobody is followed."""
        return self.tracks.get(self._followed)

    @property
    def searching(self) -> bool:
        """Whether somebody is missing: nobody is followed, or a known face is hidden."""
        return self._followed == 0 or any(not track.visible for track in self.tracks.values())

    @property
    def visible(self) -> list[Track]:
        """The faces in view, hidden and doubtful ones left out."""
        return [track for track in self.tracks.values() if track.visible and track.proven]

    def look(self, now: float) -> dict[int, NDArray[np.float64]]:
        """Say where to look in this frame.

        The followed face and those near it are read in every frame, one of the others in turn: that is
        enough to keep them and costs one reading instead of many.

        Returns:
            Track number -> (4, 2) square for the landmark network.
        """
        followed = self.followed
        wanted: list[Track] = []
        others: list[Track] = []
        for track in self.tracks.values():
            near = followed is not None and (
                np.hypot(*(track.predict(now) - followed.predict(now))) < _NEAR * max(track.size, followed.size)
            )
            (wanted if near or track is followed or not track.proven else others).append(track)
        if others:
            self._turn += 1
            wanted.append(others[self._turn % len(others)])
        return {track.track_id: track.aim(now) for track in wanted}

    def update(
        self, readings: Mapping[int, Reading], found: Iterable[Reading], frame_wh: tuple[int, int], now: float
    ) -> Track | None:
        """Take what was read in this frame.

        Args:
            readings: For squares of `look`, by track number.
            found: Faces that a detector proposed, read.
            frame_wh: Size of the frame in pixels.
            now: Time of the frame.

        Returns:
            The followed face if it is visible in this frame.
        """
        found = list(found)
        hidden = [reading for known, reading in readings.items() if not self.tracks[known].visible]
        self._continue_tracks(readings, now)
        self._resume([*hidden, *found], now)
        self._admit(found, frame_wh, now)
        for track in list(self.tracks.values()):
            if now - track.seen_at > self.rules.lost_after_s:
                del self.tracks[track.track_id]
        self._choose(Scene(frame_wh, now))
        followed = self.followed
        return followed if followed is not None and followed.visible and followed.seen_at == now else None

    def knows(self, quad: NDArray[np.float64], proposed: float) -> bool:
        """Whether a detector's square is a face in view; if it is a doubtful one, a sure detector proves it."""
        centre = quad.mean(axis=0)
        side = float(np.hypot(*(quad[3] - quad[0]))) / ROI_SCALE
        for track in self.tracks.values():
            if track.visible and np.hypot(*(track.centre - centre)) <= _SAME_PLACE * max(track.size, side):
                track.proven |= proposed >= self.rules.sure_proposal
                return True
        return False

    def _continue_tracks(self, readings: Mapping[int, Reading], now: float) -> None:
        """Give each visible track the face in its square; where two read one face, to the likelier."""
        costs: dict[int, float] = {}
        for track_id, reading in readings.items():
            track = self.tracks[track_id]
            if track.visible and reading.score >= self.rules.keep_score:
                costs[track_id] = self._cost(track, reading.landmarks, now)
        for track_id in sorted(costs, key=lambda known: costs[known]):
            landmarks = readings[track_id].landmarks
            if costs[track_id] <= _JUMP and not self._taken(landmarks, now, but=track_id):
                self._give(self.tracks[track_id], landmarks, now)
        for track_id in readings:
            track = self.tracks[track_id]
            track.visible = track.seen_at == now
            if not track.proven:
                if not track.visible or not self._like_a_face(readings[track_id]):
                    del self.tracks[track_id]
                track.proven = now - track.born_at >= self.rules.probation_s

    def _resume(self, readings: Iterable[Reading], now: float) -> None:
        """Give hidden tracks the faces that appeared, the likeliest pair of both first."""
        pool = [reading for reading in readings if reading.score >= self.rules.acquire_score]
        pairs = [
            (self._cost(track, reading.landmarks, now), track.track_id, reading)
            for track in self.tracks.values()
            for reading in pool
            if not track.visible
        ]
        for cost, track_id, reading in sorted(pairs, key=lambda pair: pair[0]):
            track = self.tracks[track_id]
            if cost <= _RESUME and not track.visible and not self._taken(reading.landmarks, now):
                self._give(track, reading.landmarks, now)
                self.reacquired += 1

    def _admit(self, found: Iterable[Reading], frame_wh: tuple[int, int], now: float) -> None:
        """Take up faces that nobody knows."""
        for reading in sorted(found, key=lambda item: -item.score):
            centre, size = face_place(reading.landmarks)
            if reading.score < self.rules.acquire_score or size < self.rules.min_size * min(frame_wh):
                continue
            if len(self.tracks) == self.rules.max_faces or self._taken(reading.landmarks, now):
                continue
            if any(
                not track.visible and np.hypot(*(track.predict(now) - centre)) < _CROWD * max(track.size, size)
                for track in self.tracks.values()
            ):
                continue  # a hidden face with something strange about it: wait for a clear view
            track = Track(self._next_id, now)
            track.take(reading.landmarks, now)
            track.proven = reading.proposed >= self.rules.sure_proposal
            self.tracks[track.track_id] = track
            self._next_id += 1

    def _give(self, track: Track, landmarks: Landmarks, now: float) -> None:
        track.take(landmarks, now, learn=not self._crowded(track, now))

    def _crowded(self, track: Track, now: float) -> bool:
        """Whether another face, seen or hidden, is so near that the two may be taken for one another."""
        here = track.predict(now)
        return any(
            other is not track and np.hypot(*(other.predict(now) - here)) < _CROWD * max(other.size, track.size)
            for other in self.tracks.values()
        )

    def _cost(self, track: Track, landmarks: Landmarks, now: float) -> float:
        """Cost of a reading for a track; infinite for a strange shape in a crowd."""
        if self._crowded(track, now) and shape_difference(track.shape, face_shape(landmarks)) > _STRANGE:
            return float("inf")
        return track.cost(landmarks, now)

    def _like_a_face(self, reading: Reading) -> bool:
        return (
            reading.score >= self.rules.acquire_score
            and shape_difference(face_shape(reading.landmarks), MEAN_SHAPE) <= _HUMAN
        )

    def _taken(self, landmarks: Landmarks, now: float, *, but: int = 0) -> bool:
        """Whether a visible face already lies in that place."""
        centre, size = face_place(landmarks)
        return any(
            track.track_id != but
            and track.visible
            and np.hypot(*(track.predict(now) - centre)) < _SAME_PLACE * max(track.size, size)
            and (track.seen_at == now or but == 0)
            for track in self.tracks.values()
        )

    def _choose(self, scene: Scene) -> None:
        worth = POLICIES[self.rules.follow]
        best = max(self.visible, key=lambda track: worth(track, scene), default=None)
        followed = self.followed
        if followed is None:
            self._followed = best.track_id if best is not None else 0
            self._rival = 0
            return
        if self.rules.sticky or best is None or best is followed:
            self._rival = 0
            return
        if worth(best, scene) < self.rules.switch_ratio * worth(followed, scene):
            self._rival = 0
        elif best.track_id != self._rival:
            self._rival, self._rival_since = best.track_id, scene.now
        elif scene.now - self._rival_since >= self.rules.switch_after_s:
            self._followed, self._rival = best.track_id, 0
