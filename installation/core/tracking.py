"""Who is who, and whom to follow.

The landmark network reads one square at a time and knows nobody. This module carries each face from
frame to frame: it says where to look next, gives what was found to the track it belongs to, keeps a
face that is hidden for a moment, and chooses one to follow.

When two people cross, the hidden one's square slides onto the other, and both tracks read one face.
Position, size and shape against each track's prediction decide whose face it is; the other waits.

Coordinates are frame pixels, times are seconds, sizes are face widths as `face_size` gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from installation.core.smoothing import quad_from_pose

Landmarks = NDArray[np.float32]

ROI_SCALE = 1.5
"""Side of the square handed to the landmark network, in lengths of the face's longer side (MediaPipe's own)."""

_RIGID = np.array([33, 133, 362, 263, 168, 6, 4, 1, 10, 234, 454, 127, 356, 172, 397])
"""Points that move with the skull: eye corners, nose, forehead, temples, jaw angles."""

_HEAD = np.array(
    [
        (-0.75, -0.26, -0.10), (-0.30, -0.24, -0.19), (0.30, -0.24, -0.19), (0.75, -0.26, -0.10), (0.00, -0.36, -0.45),
        (0.00, -0.23, -0.54), (0.00, 0.25, -0.88), (0.00, 0.36, -0.86), (0.00, -1.15, -0.31), (-1.12, 0.11, 0.75),
        (1.12, 0.11, 0.75), (-1.13, -0.13, 0.69), (1.13, -0.13, 0.69), (-0.92, 1.09, 0.38), (0.92, 1.09, 0.38),
    ]
)  # fmt: skip
"""Those points of a mean head, x right, y down, z away; any scale. Read by the landmark network from 57 of the
project's own drawn portraits (their mean lies within 0.02 of that of six real people, see `shape_difference`)."""

_HUMAN = 0.065
"""Shape difference to the mean head up to which a doubtful face passes. Measured: people at rest 0.023 to 0.036,
grimaces to 0.07, turned by 40 degrees to 0.085; foliage that the network takes for a face 0.07 to 0.1."""

_PAIRS = np.triu_indices(len(_RIGID), 1)
_SHAPE_UNIT = 0.03
"""Shape difference worth one face width of misplacement. Measured on 7 faces: 0.012 to 0.022 in one
person (median), 0.02 to 0.045 between two."""

_SIZE_UNIT = 0.3  # of log size, worth one face width
_JUMP = 1.5  # cost beyond which a reading is not the track's own face any more
_RESUME = 2.5  # cost up to which a face that appears anew is one that was hidden
_SAME_PLACE = 0.5  # face widths; two readings closer than this are of one face
_NEAR = 1.5  # face widths; tracks closer than this are read in every frame, so that a crossing is seen
_CROWD = 1.2  # face widths; tracks closer than this may be taken for one another
_STRANGE = 0.06
"""Shape difference to its own track at which a reading in a crowd is a mixture of two faces, or the other one.
Measured: one person, grimacing or half covered by a hand, up to 0.048; two heads half hidden by one another 0.06
to 0.11."""

_HOLD = 0.04  # of a square's side: the square stays while the face moves less within it
_VELOCITY_HALF_LIFE_S = 0.15
_COAST_HALF_LIFE_S = 1.0  # a hidden face's velocity fades: people stop, but not at once
_SHAPE_HALF_LIFE_S = 2.0


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


@dataclass(slots=True)
class Track:
    """One face over time."""

    track_id: int
    born_at: float
    seen_at: float = -float("inf")
    landmarks: Landmarks = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    centre: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    size: float = 1.0
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    shape: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    square: NDArray[np.float64] = field(default_factory=lambda: np.zeros((4, 2)))
    lessons: int = 0
    visible: bool = True
    proven: bool = True

    def predict(self, now: float) -> NDArray[np.float64]:
        """Where its centre should be: constant velocity, fading."""
        ahead = max(now - self.seen_at, 0.0)
        rate = np.log(2.0) / _COAST_HALF_LIFE_S
        return np.asarray(self.centre + self.velocity * ((1.0 - np.exp(-rate * ahead)) / rate))

    def aim(self, now: float) -> NDArray[np.float64]:
        """The square to read now. It stays put under a still face.

        The landmark network answers a shifted square with shifted landmarks; following every tremor of
        them feeds it back. Holding still takes 40 % off the jitter (measured on three clips).
        """
        square = landmark_square(self.landmarks) + (self.predict(now) - self.centre)
        side = float(np.hypot(*(square[3] - square[0])))
        if np.abs(square - self.square).max() > _HOLD * side:
            self.square = square
        return self.square

    def cost(self, landmarks: Landmarks, now: float) -> float:
        """How unlike this track a face is: misplacement in face widths, plus size and shape in the same coin."""
        centre, size = face_place(landmarks)
        misplaced = float(np.hypot(*(centre - self.predict(now)))) / max(self.size, size)
        resized = abs(float(np.log(size / self.size))) / _SIZE_UNIT
        reshaped = shape_difference(self.shape, face_shape(landmarks)) / _SHAPE_UNIT
        # Within one person the shape wanders by half a unit; only what exceeds it speaks.
        return misplaced + resized + 0.5 * max(reshaped - 0.5, 0.0)

    def take(self, landmarks: Landmarks, now: float, *, learn: bool = True) -> None:
        """Accept a reading as this face.

        In a crowd (`learn` false) neither its shape nor its velocity is believed: a half-covered face slides
        toward the one that covers it.
        """
        centre, size = face_place(landmarks)
        if not self.lessons:
            self.shape, self.lessons = face_shape(landmarks), 1
        elif learn:
            step_s = max(now - self.seen_at, 1e-3)
            self.lessons += 1
            # A plain mean at first, so that one bad first reading does not stand for the person.
            weight = max(1.0 - 0.5 ** (step_s / _SHAPE_HALF_LIFE_S), 1.0 / self.lessons)
            self.shape = self.shape + weight * (face_shape(landmarks) - self.shape)
            if self.visible:
                weight = 1.0 - 0.5 ** (step_s / _VELOCITY_HALF_LIFE_S)
                self.velocity = self.velocity + weight * ((centre - self.centre) / step_s - self.velocity)
        self.landmarks, self.centre, self.size = landmarks, centre, size
        self.seen_at, self.visible = now, True


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
            and shape_difference(face_shape(reading.landmarks), _MEAN_SHAPE) <= _HUMAN
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


def face_place(landmarks: Landmarks) -> tuple[NDArray[np.float64], float]:
    """Centre (2,) and width of a face in pixels: the middle and the longer side of its landmarks' box."""
    low, high = landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)
    return np.asarray((low + high) * 0.5, np.float64), float(max((high - low).max(), 1e-6))


def landmark_square(landmarks: Landmarks) -> NDArray[np.float64]:
    """The square to read next: around the landmarks, upright with the eyes, `ROI_SCALE` times their extent."""
    points = np.asarray(landmarks[:, :2], np.float64)
    eyes = points[263] - points[33]
    angle = float(np.arctan2(eyes[1], eyes[0]))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = points @ turn.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    return quad_from_pose((low + high) * 0.5 @ turn, ROI_SCALE * float((high - low).max()), angle)


def face_shape(landmarks: Landmarks) -> NDArray[np.float64]:
    """Logarithms of the distances between rigid points, free of place, size and turn. Never stored."""
    return _shape_of(np.asarray(landmarks[_RIGID], np.float64))


def _shape_of(points: NDArray[np.float64]) -> NDArray[np.float64]:
    apart = np.linalg.norm(points[_PAIRS[0]] - points[_PAIRS[1]], axis=1)
    return np.asarray(np.log(np.maximum(apart, 1e-9) / max(apart.mean(), 1e-9)))


def shape_difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Root mean square difference of two shapes, in parts of a distance."""
    return float(np.sqrt(np.mean((one - other) ** 2)))


_MEAN_SHAPE = _shape_of(_HEAD)
