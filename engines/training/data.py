"""Training data: portraits rendered by the project's own shader, in shards that grow while training runs.

A shard is an `.npz` of pictures, parameters and MediaPipe landmarks. Shard `i` of seed `s` always holds the same
portraits. Workers write shards beside each other; a `Portraits` picks up what has appeared since it last looked.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from engines.faces.geometry import landmarks as true_landmarks
from engines.faces.parameters import MIRROR_SIGN
from engines.faces.renderer import PortraitRenderer
from engines.faces.sampler import sample
from installation.core.types import NUM_LANDMARKS

SHARD_SIZE = 250

HELD_OUT_SHARD = 0
"""Shard 0 is never trained on: figures come from it."""


def shard_path(folder: Path, index: int) -> Path:
    """Where shard `index` lies."""
    return folder / f"portraits_{index:05d}.npz"


class LandmarkFinder:
    """MediaPipe FaceMesh on single pictures: each is a new face to it."""

    def __init__(self) -> None:
        # Not by `mediapipe.solutions`: the eye loads the package without running its body, see `devices.landmarks`.
        from mediapipe.python.solutions.face_mesh import FaceMesh

        self._mesh = FaceMesh(static_image_mode=True, refine_landmarks=True, min_detection_confidence=0.3)

    def find(self, picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Find one face: (h, w, 3) uint8 RGB -> (478, 3) float32 in crop units, or None."""
        with warnings.catch_warnings():
            # MediaPipe calls a deprecated protobuf function on every picture.
            warnings.simplefilter("ignore", UserWarning)
            faces = self._mesh.process(np.ascontiguousarray(picture)).multi_face_landmarks
        if not faces:
            return None
        return np.array([(p.x, p.y, p.z) for p in faces[0].landmark], np.float32)

    def close(self) -> None:
        """Release MediaPipe's graph."""
        self._mesh.close()


def render_shard(
    folder: Path, index: int, *, renderer: PortraitRenderer, finder: LandmarkFinder, seed: int, size: int = SHARD_SIZE
) -> Path:
    """Render one shard and write it whole or not at all; one that exists is kept."""
    path = shard_path(folder, index)
    if path.exists():
        return path
    rng = np.random.default_rng([seed, index])
    parameters = np.stack([sample(rng) for _ in range(size)])
    pictures = np.empty((size, renderer.size, renderer.size, 3), np.uint8)
    landmarks = np.zeros((size, NUM_LANDMARKS, 3), np.float32)
    found = np.zeros(size, bool)
    for i, p in enumerate(parameters):
        renderer.render(p, out=pictures[i])
        face = finder.find(pictures[i])
        if face is not None:
            landmarks[i], found[i] = face, True
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as stream:
        np.savez(stream, pictures=pictures, parameters=parameters, landmarks=landmarks, found=found)
    partial.rename(path)
    return path


def focus_points(parameters: NDArray[np.float32]) -> NDArray[np.float32]:
    """Locate eyes and mouth exactly: (n, P) -> (n, 3, 2) crop units, left eye, right eye, mouth."""
    points = np.stack([true_landmarks(p) for p in parameters])
    return np.stack([points[:, 0:2].mean(1), points[:, 2:4].mean(1), points[:, 5:7].mean(1)], axis=1)


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures (n, 3, r, r) float32 in [-1, 1], parameters (n, P), points (n, 3, 2) of eyes and mouth."""

    pictures: Tensor
    parameters: Tensor
    points: Tensor


class Portraits:
    """All shards of a folder in memory: pictures stay uint8, 49 kB each at 128 px.

    Args:
        folder: Where the shards are.
        resolution: Pictures are reduced to it by area.
    """

    def __init__(self, folder: Path, resolution: int) -> None:
        self.folder = folder
        self.resolution = resolution
        self._seen: set[Path] = set()
        self.pictures = torch.empty(0, 3, resolution, resolution, dtype=torch.uint8)
        self.parameters = torch.empty(0, len(MIRROR_SIGN))
        self.points = torch.empty(0, 3, 2)
        self.landmarks = torch.empty(0, NUM_LANDMARKS, 3)
        self.found = torch.empty(0, dtype=torch.bool)

    def __len__(self) -> int:
        return len(self.pictures)

    def refresh(self) -> int:
        """Load the shards that are new, the held-out one apart; returns how many there were."""
        new = sorted(set(self.folder.glob("portraits_*.npz")) - self._seen - {shard_path(self.folder, HELD_OUT_SHARD)})
        if new:
            self._add([_load(path, self.resolution) for path in new])
            self._seen.update(new)
        return len(new)

    @classmethod
    def held_out(cls, folder: Path, resolution: int) -> Portraits:
        """Load the shard that figures are taken on."""
        data = cls(folder, resolution)
        data._add([_load(shard_path(folder, HELD_OUT_SHARD), resolution)])
        return data

    def batch(self, size: int, generator: torch.Generator) -> Batch:
        """Draw at random, each picture mirrored half of the time (in parameter space too)."""
        index = torch.randint(len(self), (size,), generator=generator)
        flip = torch.rand(size, generator=generator) < 0.5
        return self.take(index, flip)

    def take(self, index: Tensor, flip: Tensor | None = None) -> Batch:
        """Make a batch of some pictures, mirrored where `flip` is true."""
        pictures = self.pictures[index].float() / 127.5 - 1.0
        parameters, points = self.parameters[index], self.points[index]
        if flip is not None:
            pictures = torch.where(flip[:, None, None, None], pictures.flip(3), pictures)
            parameters = torch.where(flip[:, None], parameters * torch.from_numpy(MIRROR_SIGN), parameters)
            mirrored = points[:, [1, 0, 2]] * torch.tensor([-1.0, 1.0]) + torch.tensor([1.0, 0.0])
            points = torch.where(flip[:, None, None], mirrored, points)
        return Batch(pictures, parameters, points)

    def _add(self, shards: list[dict[str, Tensor]]) -> None:
        for name in ("pictures", "parameters", "points", "landmarks", "found"):
            setattr(self, name, torch.cat([getattr(self, name), *(shard[name] for shard in shards)]))


def _load(path: Path, resolution: int) -> dict[str, Tensor]:
    with np.load(path, allow_pickle=False) as arrays:
        pictures = torch.from_numpy(arrays["pictures"]).permute(0, 3, 1, 2)
        parameters = arrays["parameters"]
        rest = {name: torch.from_numpy(arrays[name]) for name in ("landmarks", "found")}
    factor = pictures.shape[-1] // resolution
    if factor > 1:
        pictures = F.avg_pool2d(pictures.float(), factor).round().to(torch.uint8)
    return {
        "pictures": pictures.contiguous(),
        "parameters": torch.from_numpy(parameters),
        "points": torch.from_numpy(focus_points(parameters)),
        **rest,
    }
