"""The row of a still face: how much the reconstruction trembles before a camera whose sensor is noisy.

The face is a portrait, so it is truly still. It goes through the mirror's own eye (tracking, smoothing, cutting out)
and the mirror's own way to W+; MediaPipe then says where the reconstruction's landmarks lie, frame by frame.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.faces.parameters import INDEX
from engines.training.bench import Bench, Row, at_most
from engines.training.face_measures import inter_ocular
from engines.training.mirror_path import MirrorPath
from installation.core.types import Frame
from installation.devices.config import FacesConfig
from installation.devices.landmarks import FaceFinder
from installation.devices.watcher import FaceWatcher

PEOPLE = 6
FPS = 30.0
FRAMES, SETTLED_FRAMES = 75, 30
"""Looked at in all; measured over the last ones, when the visitor has stood for a second and a half."""

SENSOR_NOISE = 3.0
"""Standard deviation of one pixel, 8-bit steps: an ordinary webcam indoors."""

FRAME_WH = (640, 480)
FACE_PX = 360
VIEW_ANGLE_DEG = 60.0


def still_face(bench: Bench) -> list[Row]:
    """Measure the jitter of still faces, mean over people."""
    values = [value for p in bench.people(bench.count(PEOPLE)) if (value := _jitter(bench, p)) is not None]
    name = "still face: landmarks of the reconstruction jitter, % of the inter-ocular distance"
    note = f"{len(values)} people, sensor noise {SENSOR_NOISE:g} of 255"
    return [at_most(name, 100.0 * float(np.mean(values)) if values else 100.0, 0.5, note)]


def _jitter(bench: Bench, p: NDArray[np.float32]) -> float | None:
    """Root mean square distance of landmarks from their mean place; None if the face was lost."""
    p = p.copy()
    p[INDEX["wink"]], p[INDEX["eyes_open"]] = 0.0, 1.0
    scene = np.full((FRAME_WH[1], FRAME_WH[0], 3), 96, np.uint8)
    face = cv2.resize(bench.renderer.render(p), (FACE_PX, FACE_PX), interpolation=cv2.INTER_CUBIC)
    top, left = (FRAME_WH[1] - FACE_PX) // 2, (FRAME_WH[0] - FACE_PX) // 2
    scene[top : top + FACE_PX, left : left + FACE_PX] = face
    spec = bench.pack.manifest.encoder
    assert spec is not None
    crop = np.zeros((spec.input_size, spec.input_size, 3), np.uint8)
    path, finder = MirrorPath(bench.pack), FaceFinder()
    watcher = FaceWatcher(FacesConfig(), VIEW_ANGLE_DEG, finder, upright_crops=spec.upright)
    seen = []
    try:
        for index in range(FRAMES):
            at = index / FPS
            noisy = scene + bench.rng.normal(0.0, SENSOR_NOISE, scene.shape)
            sighting = watcher.watch(Frame(noisy.clip(0, 255).astype(np.uint8), index, at), crop)
            if sighting is None:
                continue
            picture = bench.draw(path.show(crop, sighting.crop_landmarks, at))[0]
            made = bench.find(picture) if index >= FRAMES - SETTLED_FRAMES else None
            if made is not None:
                seen.append(made)
    finally:
        path.forget()
        finder.close()
    if len(seen) < SETTLED_FRAMES // 2:
        return None
    points = np.stack(seen)[:, :, :2]
    off = np.linalg.norm(points - points.mean(axis=0), axis=2)
    return float(np.sqrt((off**2).mean()) / inter_ocular(np.mean(seen, axis=0)))
