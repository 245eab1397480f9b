"""From a photograph to a sitter: find the faces, choose, align, encode.

Finder, alignment, crop and choice are those of the eye, so that the studio sees a photograph as the show would see
the same person before its camera. Here nothing moves: every way of searching is tried at once, and the landmark
network reads each face again in the square that its own landmarks give, as it does in a stream.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.runtime import Pack
from installation.core.crop import landmarks_in_crop, upright
from installation.core.face_shape import face_place, landmark_square
from installation.core.latents import Latent
from installation.core.measures import ffhq_quad
from installation.core.track import Track
from installation.core.tracking import POLICIES, Scene, TrackingRules
from installation.devices.cropping import sample_square
from installation.devices.landmarks import Detection, FaceFinder
from installation.errors import ConfigError, EngineError, PhotographError

MIN_SCORE = 0.5
"""Below this the landmark network does not believe that its square holds a face (MediaPipe's own gate)."""

MIN_FACE_PX = 24.0
"""Faces whose crop square is smaller hold too little to encode."""

SETTLING = 2
"""How often the landmarks are read again in their own square; a stream does so with every frame."""

_SAME_PLACE = 0.5  # face widths; two readings closer than this are of one face

Refine = Callable[[NDArray[np.uint8], NDArray[np.float32], Latent], Latent]
"""Better W+ from (crop (s, s, 3) uint8, landmarks (478, 3) in crop units, first W+ (num_ws, w_dim))."""


@dataclass(frozen=True, slots=True, eq=False)
class Sitter:
    """Somebody in a photograph, ready to be morphed.

    Attributes:
        picture: (h, w, 3) uint8 sRGB, the whole photograph.
        quad: (4, 2) float64 crop corners in its pixels: top-left, bottom-left, bottom-right, top-right.
        crop: (s, s, 3) uint8, the quad's content, as the encoder takes it.
        landmarks: (478, 3) float32 in the photograph's pixels.
        crop_landmarks: (478, 3) float32 in crop units.
        encoded: (num_ws, w_dim) float32, what the encoder says.
        w_plus: (num_ws, w_dim) float32, refined; the same as `encoded` where nothing refines.
        place: Which of the photograph's faces, from 1, best first by the policy.
        faces: How many faces the photograph has.
    """

    picture: NDArray[np.uint8]
    quad: NDArray[np.float64]
    crop: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    crop_landmarks: NDArray[np.float32]
    encoded: Latent
    w_plus: Latent
    place: int = 1
    faces: int = 1


def sitters_in(
    pack: Pack,
    finder: FaceFinder,
    picture: NDArray[np.uint8],
    *,
    policy: str = "largest",
    every: bool = False,
    refine: Refine | None = None,
) -> list[Sitter]:
    """Find the sitters of a photograph.

    Args:
        pack: With an encoder.
        finder: MediaPipe; used by the calling thread alone.
        picture: (h, w, 3) uint8 sRGB, upright.
        policy: Whom to choose among several, a name of `POLICIES`.
        every: All faces instead of the chosen one.
        refine: Called with each first W+.

    Returns:
        At least one, best first.

    Raises:
        PhotographError: If there is no face, or none large enough.
    """
    found = find_faces(finder, picture, policy=policy)
    if not found:
        raise PhotographError("no face was found; bring a photograph in which a face is seen from the front")
    chosen = found if every else found[:1]
    return [
        seat(pack, picture, landmarks, place=place, faces=len(found), refine=refine)
        for place, landmarks in enumerate(chosen, 1)
    ]


def find_faces(finder: FaceFinder, picture: NDArray[np.uint8], *, policy: str = "largest") -> list[NDArray[np.float32]]:
    """Find the landmarks of every face: each (478, 3) float32 in the picture's pixels, best first by the policy.

    Raises:
        ConfigError: If there is no such policy.
    """
    if policy not in POLICIES:
        raise ConfigError(f"there is no policy {policy!r}; choose one of {', '.join(POLICIES)}")
    rules = TrackingRules()
    read = [(proposal.score, *finder.mesh(picture, proposal.quad)) for proposal in _proposals(finder, picture)]
    faces: list[Track] = []
    for proposed, landmarks, score in sorted(read, key=lambda item: -item[2]):
        sure = proposed >= rules.sure_proposal or score >= rules.acquire_score
        centre, size = face_place(landmarks)
        apart = all(np.hypot(*(centre - face.centre)) > _SAME_PLACE * max(size, face.size) for face in faces)
        if score < MIN_SCORE or not sure or not apart:
            continue
        for _ in range(SETTLING):
            landmarks, score = finder.mesh(picture, landmark_square(landmarks))
        if score >= MIN_SCORE:
            face = Track(len(faces) + 1, 0.0)
            face.take(landmarks, 0.0)
            faces.append(face)
    scene = Scene((picture.shape[1], picture.shape[0]), 0.0)
    faces.sort(key=lambda face: (-POLICIES[policy](face, scene), -face.size))
    return [face.landmarks for face in faces]


def seat(
    pack: Pack,
    picture: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    *,
    place: int = 1,
    faces: int = 1,
    refine: Refine | None = None,
) -> Sitter:
    """Align and encode one face.

    Raises:
        EngineError: If the pack has no encoder.
        PhotographError: If the face is too small to encode.
    """
    spec = pack.manifest.encoder
    if spec is None:
        raise EngineError(
            f"the pack {pack.name!r} has no encoder, so a photograph cannot become a latent; choose a pack with one"
        )
    quad = ffhq_quad(landmarks)
    side = float(np.hypot(*(quad[3] - quad[0])))
    if side < MIN_FACE_PX:
        raise PhotographError(
            f"the face is {side:.0f} pixels wide, too few to encode; bring a photograph in which it is larger"
        )
    if spec.upright:
        quad = upright(quad)
    crop = np.empty((spec.input_size, spec.input_size, 3), np.uint8)
    sample_square(picture, quad, crop)
    crop_landmarks = landmarks_in_crop(landmarks, quad)
    encoded = pack.encode(as_tensor(crop)[None], crop_landmarks[None] if spec.landmarks else None)[0]
    w_plus = encoded if refine is None else refine(crop, crop_landmarks, encoded)
    return Sitter(picture, quad, crop, landmarks, crop_landmarks, encoded, w_plus, place, faces)


def as_tensor(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(s, s, 3) uint8 RGB -> (3, s, s) float32 in [-1, 1], what encoders take."""
    return np.ascontiguousarray(crop.transpose(2, 0, 1).astype(np.float32) / 127.5 - 1.0)


def _proposals(finder: FaceFinder, picture: NDArray[np.uint8]) -> list[Detection]:
    """Look in every way that the eye takes in turn: near, far, and far over overlapping squares."""
    height, width = picture.shape[:2]
    side = min(height, width)
    proposals = finder.detect(picture, far=False) + finder.detect(picture, far=True)
    if max(height, width) > 1.2 * side or side >= 1024:
        for part in (0.0, 0.5, 1.0):
            x0, y0 = round((width - side) * part), round((height - side) * part)
            proposals += finder.detect(picture, far=True, window=(x0, y0, x0 + side, y0 + side))
    return proposals
