"""The default pack's encoder: MediaPipe's landmarks and a picture -> W+.

Two branches, because geometry transfers from synthetic to real faces through landmarks and not
through pixels: landmarks give the coarse rows, colour patches and a small feature pyramid the fine ones. pSp's
map2style heads predict rows relative to w_avg; here they predict the portrait's standardised parameters instead, and
the mapping's own row networks turn those into rows. So every latent the encoder gives is one the generator was
trained on, each parameter stays in its range whatever a strange face does, and the average is where all are zero.

Source: pSp (Richardson et al., CVPR 2021), section 3.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.training.features import Features
from engines.training.networks import LRELU_SLOPE, Mapping, perceptron
from engines.training.patches import NUM_PATCHES, ColourPatches

CROP_SIZE = 128
COMPONENTS = 80
"""Principal components of the portraits' landmarks that are looked at; they hold all but noise."""

COMPONENT_LIMIT = 4.0
"""Standard deviations beyond which a component of a strange face counts no further."""

POSE_COMPONENTS = 12
"""Leading components that the appearance branch sees: light falls differently on a turned head."""


class LandmarkSpace(nn.Module):
    """Landmarks in crop units <-> standardised principal components of the portraits' landmarks."""

    mean: Tensor
    basis: Tensor
    scale: Tensor

    def __init__(self, samples: Tensor | None = None, points: int = 478) -> None:
        super().__init__()
        width = points * 3
        if samples is None:
            mean, basis, scale = torch.zeros(width), torch.zeros(COMPONENTS, width), torch.ones(COMPONENTS)
        else:
            flat = _without_depth_offset(samples).flatten(1)
            mean = flat.mean(0)
            _, singular, rows = torch.linalg.svd(flat - mean, full_matrices=False)
            basis, scale = rows[:COMPONENTS], singular[:COMPONENTS] / len(flat) ** 0.5
        self.register_buffer("mean", mean)
        self.register_buffer("basis", basis.contiguous())
        self.register_buffer("scale", scale)

    def forward(self, landmarks: Tensor) -> Tensor:
        """(n, 478, 3) -> (n, COMPONENTS), clamped."""
        flat = _without_depth_offset(landmarks).flatten(1) - self.mean
        return torch.clamp(flat @ (self.basis.T / self.scale), -COMPONENT_LIMIT, COMPONENT_LIMIT)

    def invert(self, components: Tensor) -> Tensor:
        """(n, COMPONENTS) -> (n, 478, 3), mean depth 0."""
        return ((components * self.scale) @ self.basis + self.mean).unflatten(1, (-1, 3))


class GeometryBranch(nn.Module):
    """Landmark components -> geometry features: a linear map, which extrapolates calmly, and a correction."""

    def __init__(self, outputs: int, hidden: int = 256) -> None:
        super().__init__()
        self.linear = nn.Linear(COMPONENTS, outputs)
        self.correction = perceptron(COMPONENTS, hidden, outputs)

    def forward(self, components: Tensor) -> Tensor:
        return self.linear(components) + self.correction(components)


class Pyramid(nn.Module):
    """A small feature pyramid over the crop with one head per level, as pSp's: (n, 3, s, s) -> (n, 3 * width)."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        sizes = (3, 24, 48, 72, 96)
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(fan_in, fan_out, 3, stride=2, padding=1), nn.LeakyReLU(LRELU_SLOPE),
                nn.Conv2d(fan_out, fan_out, 3, padding=1), nn.LeakyReLU(LRELU_SLOPE),
            )
            for fan_in, fan_out in itertools.pairwise(sizes)
        )  # fmt: skip
        self.lateral = nn.ModuleList(nn.Conv2d(size, sizes[-1], 1) for size in sizes[2:-1])
        self.heads = nn.ModuleList(_head(sizes[-1], side, width) for side in (16, 8, 4))

    def forward(self, crop: Tensor) -> Tensor:
        x = F.avg_pool2d(crop, 2)
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        middle = self.lateral[1](levels[2]) + F.interpolate(levels[3], scale_factor=2, mode="nearest")
        fine = self.lateral[0](levels[1]) + F.interpolate(middle, scale_factor=2, mode="nearest")
        return torch.cat([head(level) for head, level in zip(self.heads, (fine, middle, levels[3]), strict=True)], 1)


class AppearanceBranch(nn.Module):
    """Colour patches, pose and picture -> appearance features."""

    def __init__(self, outputs: int, hidden: int = 256) -> None:
        super().__init__()
        self.pyramid = Pyramid()
        self.join = perceptron(NUM_PATCHES * 3 + POSE_COMPONENTS + 144, hidden, outputs)

    def forward(self, crop: Tensor, patches: Tensor, components: Tensor) -> Tensor:
        parts = [patches.flatten(1), components[:, :POSE_COMPONENTS], self.pyramid(crop)]
        return self.join(torch.cat(parts, dim=1))


class Encoder(nn.Module):
    """Crop and landmarks -> W+, average included.

    Args:
        features: Standardisation of the portrait's parameters.
        mapping: Row networks of the generator in use; shared, never trained here.
        coarse, fine_only: Feature columns that each branch predicts.
        damping: (features,) factors 0..1 toward the mean, for what a camera cannot know.
    """

    damping: Tensor
    order: Tensor

    def __init__(
        self,
        features: Features,
        mapping: Mapping,
        coarse: Sequence[int],
        fine_only: Sequence[int],
        damping: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.features, self.mapping = features, mapping
        self.space = LandmarkSpace()
        self.patches = ColourPatches()
        self.geometry = GeometryBranch(len(coarse))
        self.appearance = AppearanceBranch(len(fine_only))
        self.register_buffer("order", torch.tensor([*coarse, *fine_only]).argsort(), persistent=False)
        self.register_buffer("damping", torch.ones(features.count) if damping is None else damping)

    def predict(self, crop: Tensor, landmarks: Tensor) -> Tensor:
        """Estimate features: (n, 3, s, s) RGB in [-1, 1], (n, 478, 3) crop units -> (n, features)."""
        components = self.space(landmarks)
        fine = self.appearance(crop, self.patches(crop, landmarks), components)
        return torch.cat([self.geometry(components), fine], dim=1)[:, self.order]

    def parameters_of(self, crop: Tensor, landmarks: Tensor) -> Tensor:
        """Estimate portrait parameters: -> (n, P), damped and inside their ranges."""
        return self.features.invert(self.predict(crop, landmarks) * self.damping)

    def forward(self, crop: Tensor, landmarks: Tensor) -> Tensor:
        """(n, 3, s, s), (n, 478, 3) -> (n, num_ws, w_dim)."""
        return self.mapping(self.features(self.parameters_of(crop, landmarks)))


class Surrogate(nn.Module):
    """What MediaPipe and the colour patches would see of a portrait, without drawing it: features -> both.

    It makes the encoder's cycle loss differentiable. For training only; not in the pack.
    """

    coarse: Tensor

    def __init__(self, coarse: Sequence[int], count: int, hidden: int = 320) -> None:
        super().__init__()
        self.register_buffer("coarse", torch.tensor(list(coarse)), persistent=False)
        self.landmarks = perceptron(len(coarse), hidden, COMPONENTS)
        self.colours = perceptron(count, hidden, NUM_PATCHES * 3)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(n, features) -> (n, COMPONENTS), (n, NUM_PATCHES, 3)."""
        return self.landmarks(features[:, self.coarse]), self.colours(features).unflatten(1, (-1, 3))


def _head(channels: int, side: int, width: int) -> nn.Sequential:
    """Halve the map until it is 4 px, then flatten: pSp's map2style, shorter."""
    layers: list[nn.Module] = []
    while side > 4:
        layers += [nn.Conv2d(channels, channels // 2, 3, stride=2, padding=1), nn.LeakyReLU(LRELU_SLOPE)]
        channels, side = channels // 2, side // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * side * side, width), nn.LeakyReLU(LRELU_SLOPE))


def _without_depth_offset(landmarks: Tensor) -> Tensor:
    """Depth is known up to a constant: bring its mean to 0."""
    flat, depth = landmarks[..., :2], landmarks[..., 2:]
    return torch.cat([flat, depth - depth.mean(dim=1, keepdim=True)], dim=-1)
