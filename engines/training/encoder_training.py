"""Train the encoder on portraits whose landmarks MediaPipe really found, disturbed on purpose.

Three stages, seconds to minutes each. A surrogate learns what landmarks and colours a portrait would show. The geometry
branch learns from true pairs, and from landmarks bent in ways no portrait has (people are not portraits): for
those the surrogate says how far the answer's landmarks would lie from the question's: Gauss-Newton's goal, amortised.
The appearance branch does the same with recoloured pictures: structure (hair, beard, glasses) from truth, colours from
what the surrogate says the answer would look like.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from engines.faces.parameters import INDEX
from engines.training.data import Portraits
from engines.training.encoder import Encoder, LandmarkSpace, Surrogate
from engines.training.features import Features
from engines.training.generator import PortraitModel
from engines.training.patches import NUM_PATCHES, NUM_SKIN, ColourPatches
from installation.core.measures import EYE_LEFT, EYE_RIGHT

MOUTH_CORNERS = (61, 291)

LIPS = (0, 13, 14, 17, 37, 39, 40, 61, 78, 81, 82, 84, 87, 88, 91, 95, 146, 178, 181, 185, 191, 267, 269, 270, 291, 308,
        310, 311, 312, 314, 317, 318, 321, 324, 375, 402, 405, 409, 415)  # fmt: skip
BROWS = (46, 52, 53, 55, 63, 65, 66, 70, 105, 107, 276, 282, 283, 285, 293, 295, 296, 300, 334, 336)
IRISES = tuple(range(468, 478))
OUTLINE = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149,
           150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)  # fmt: skip
GAPS = ((13, 14), (159, 145), (386, 374), (158, 153), (385, 380), (160, 144), (387, 373), (61, 291), (82, 87),
        (312, 317))  # fmt: skip
"""Pairs whose distance is an expression: lips, lids, mouth corners."""

LIFTS = ((61, 0), (291, 0), (61, 17), (291, 17), (105, 159), (334, 386), (66, 159), (296, 386), (468, 33), (468, 133),
         (473, 362), (473, 263))  # fmt: skip
"""Pairs whose offset is an expression: mouth corners against the lips, brows against the lids, irises in the eyes."""

DAMPING = {"age": 0.6, "beard": 0.7, "moustache": 0.7, "hair_grey": 0.6, "freckles": 0.3, "eye_shadow": 0.5,
           "lip_tint": 0.6, "epicanthus": 0.6, "bun": 0.4, "nose_bridge": 0.5, "nose_projection": 0.5,
           "chin_projection": 0.5, "cheekbones": 0.5, "forehead": 0.7}  # fmt: skip
"""What landmarks and colours hardly tell: answers are pulled toward the mean, so that a wrong guess is a small one."""

SHAPE_COLOURS = ("skin_tone", "skin_warmth", "blush", "light_warmth", "light_intensity", "fill", "hair_darkness",
                 "hair_red", "background_hue", "background_saturation", "background_value", "cloth_hue",
                 "cloth_saturation", "cloth_value", "lip_tint", "iris")  # fmt: skip
"""Parameters whose truth a recoloured picture no longer shows."""


@dataclass(frozen=True, slots=True)
class EncoderRecipe:
    """Steps and batch sizes of the three stages."""

    surrogate_steps: int = 3000
    geometry_steps: int = 4000
    appearance_steps: int = 3000
    vector_batch: int = 256
    picture_batch: int = 32
    lr: float = 1.5e-3
    seed: int = 0

    def rate(self, step: int, steps: int) -> float:
        """Warm up over 100 steps, then fall along a cosine."""
        return self.lr * min(1.0, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * step / steps)))


@dataclass(frozen=True, slots=True)
class EncoderData:
    """Portraits with a face found: landmarks in the units of the crop they would get, features, pictures uint8."""

    pictures: Tensor
    landmarks: Tensor
    features: Tensor
    patches: Tensor

    @classmethod
    def of(cls, portraits: Portraits, features: Features) -> EncoderData:
        """Keep the portraits in which MediaPipe found a face."""
        kept = portraits.found.nonzero().squeeze(1)
        pictures, landmarks = portraits.pictures[kept], realigned(portraits.landmarks[kept])
        read = ColourPatches()
        patches = [
            read(piece.float() / 127.5 - 1.0, points)
            for piece, points in zip(pictures.split(500), landmarks.split(500), strict=True)
        ]
        return cls(pictures, landmarks, features(portraits.parameters[kept]), torch.cat(patches))


Report = Callable[[str, int, int, float], None]
"""Told (stage, step, steps, loss)."""


def train_encoder(
    model: PortraitModel,
    data: EncoderData,
    recipe: EncoderRecipe,
    *,
    report: Report = lambda stage, step, steps, loss: None,
    between_steps: Callable[[], None] = lambda: None,
) -> tuple[Encoder, Surrogate]:
    """Train an encoder for the mapping of `model`.

    The branches answer in portrait features and never see the generator, so an encoder stays right when the
    generator is trained further.
    """
    torch.manual_seed(recipe.seed)
    coarse = model.coarse_columns
    fine_only = [column for column in model.fine_columns if column not in coarse]
    encoder = Encoder(model.features, model.mapping, coarse, fine_only, damping_vector(model.features))
    encoder.space = LandmarkSpace(data.landmarks)
    surrogate = Surrogate(coarse, model.features.count)
    components = torch.cat([encoder.space(piece) for piece in data.landmarks.split(1000)])

    def fit(stage: str, module: torch.nn.Module, steps: int, loss_of: Callable[[], Tensor]) -> None:
        optimiser = torch.optim.AdamW(module.parameters(), lr=recipe.lr, weight_decay=1e-4)
        for step in range(steps):
            between_steps()
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate(step, steps)
            loss = loss_of()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimiser.step()
            report(stage, step + 1, steps, float(loss.detach()))
        module.requires_grad_(False)

    def surrogate_loss() -> Tensor:
        index = torch.randint(len(components), (recipe.vector_batch,))
        made, colours = surrogate(data.features[index])
        # In landmark units, so that the first components, which carry the pose, are the most exact.
        weight = encoder.space.scale / encoder.space.scale[0]
        shape = ((made - components[index]) * (weight + 0.05)).square().mean()
        return 10.0 * shape + F.smooth_l1_loss(colours, data.patches[index], beta=0.1)

    fit("surrogate", surrogate, recipe.surrogate_steps, surrogate_loss)

    weights = landmark_weights()

    def geometry_loss() -> Tensor:
        index = torch.randint(len(components), (recipe.vector_batch,))
        seen = data.landmarks[index]
        half = len(index) // 2
        bent = realigned(bend(seen[half:]))
        seen = torch.cat([seen[:half] + 0.0015 * torch.randn_like(seen[:half]), bent])
        answer = encoder.geometry(encoder.space(seen))
        truth = data.features[index[:half]][:, coarse]
        exact = F.smooth_l1_loss(answer[:half], truth, beta=0.5)
        prior = torch.relu(answer.abs() - 2.0).square().mean() + 0.01 * answer.square().mean()
        made = encoder.space.invert(surrogate.landmarks(answer))
        return exact + prior + 30.0 * landmark_distance(made, seen, weights)

    fit("geometry", encoder.geometry, recipe.geometry_steps, geometry_loss)

    structure = torch.ones(model.features.count)
    structure[model.features.columns([INDEX[name] for name in SHAPE_COLOURS])] = 0.0
    colour_weight = torch.ones(NUM_PATCHES, 1)
    colour_weight[NUM_SKIN:] = 0.3

    def appearance_loss() -> Tensor:
        index = torch.randint(len(components), (recipe.picture_batch,))
        half = len(index) // 2
        seen = data.landmarks[index] + 0.002 * torch.randn(len(index), 1, 3)
        crop = data.pictures[index].float() / 127.5 - 1.0
        crop = torch.cat([crop[:half], recolour(crop[half:])])
        crop = degrade(crop)
        with torch.no_grad():
            patches, shape = encoder.patches(crop, seen), encoder.space(seen)
        fine = encoder.appearance(crop, patches, shape)
        answer = data.features[index].clone()
        answer[:, fine_only] = fine
        truth = data.features[index]
        error = F.smooth_l1_loss(answer, truth, beta=0.5, reduction="none")
        exact = error[:half].mean() + (error[half:] * structure).mean()
        prior = torch.relu(fine.abs() - 2.0).square().mean() + 0.005 * fine.square().mean()
        _, colours = surrogate(answer)
        cycle = (F.smooth_l1_loss(colours, patches, beta=0.1, reduction="none") * colour_weight).mean()
        tone = (colours - patches)[:, :NUM_SKIN].mean(1).abs().mean()
        return exact + prior + cycle + tone

    fit("appearance", encoder.appearance, recipe.appearance_steps, appearance_loss)
    return encoder.eval(), surrogate.eval()


def damping_vector(features: Features) -> Tensor:
    """Spread `DAMPING` over feature columns: (features,)."""
    damping = torch.ones(features.count)
    for name, factor in DAMPING.items():
        damping[features.columns([INDEX[name]])] = factor
    return damping


def landmark_weights() -> Tensor:
    """Weigh landmarks by what a viewer looks at: (478, 1), mean 1."""
    weights = torch.ones(478)
    for points, weight in (
        (BROWS, 2.0), (LIPS, 4.0), ((*EYE_LEFT.tolist(), *EYE_RIGHT.tolist()), 4.0), (IRISES, 3.0), (OUTLINE, 2.0),
    ):  # fmt: skip
        weights[list(points)] = weight
    return (weights / weights.mean()).unsqueeze(1)


def landmark_distance(made: Tensor, seen: Tensor, weights: Tensor) -> Tensor:
    """Mean weighted distance of two landmark sets in crop units, expressions counted again. A scalar."""
    seen = torch.cat([seen[..., :2], seen[..., 2:] - seen[..., 2:].mean(1, keepdim=True)], dim=-1)
    error = made - seen
    flat = ((error[..., :2].square().sum(-1) + 1e-8).sqrt() * weights.T).mean()
    depth = error[..., 2].abs().mean()

    def gaps(points: Tensor) -> Tensor:
        first, second = (points[:, [pair[k] for pair in GAPS], :2] for k in (0, 1))
        return ((first - second).square().sum(-1) + 1e-8).sqrt()

    def lifts(points: Tensor) -> Tensor:
        first, second = (points[:, [pair[k] for pair in LIFTS], :2] for k in (0, 1))
        return first - second

    expression = (gaps(made) - gaps(seen)).abs().mean() + (lifts(made) - lifts(seen)).abs().mean()
    return flat + 0.2 * depth + 2.0 * expression


def realigned(landmarks: Tensor) -> Tensor:
    """Move landmarks into the units of the upright FFHQ square that they themselves define.

    Portraits are drawn in a crop measured from their true anchors, visitors are cropped by MediaPipe's landmarks: this
    makes the first look like the second. Roll stays, since portraits are drawn with theirs.
    """
    left = landmarks[:, EYE_LEFT.tolist(), :2].mean(1)
    right = landmarks[:, EYE_RIGHT.tolist(), :2].mean(1)
    mouth = landmarks[:, list(MOUTH_CORNERS), :2].mean(1)
    eyes = (left + right) * 0.5
    span = torch.maximum((right - left).norm(dim=1) * 2.0, (mouth - eyes).norm(dim=1) * 1.8)
    centre = eyes + 0.1 * (mouth - eyes)
    side = 2.0 * span[:, None, None]
    flat = (landmarks[..., :2] - centre[:, None]) / side + 0.5
    return torch.cat([flat, landmarks[..., 2:] / side], dim=-1)


def bend(landmarks: Tensor) -> Tensor:
    """Deform faces smoothly, and their features a little on their own: (n, 478, 3) -> the same."""
    n = len(landmarks)
    centred = landmarks[..., :2] - 0.5
    x, y = centred[..., :1], centred[..., 1:]
    basis = torch.cat([x, y, x * y * 3, x * x * 3, y * y * 3, x * x * x * 8, y * y * y * 8, x * x * y * 8], dim=-1)
    size = torch.tensor([0.06, 0.05, 0.04, 0.02, 0.04, 0.03, 0.03, 0.03])[None, :, None] * torch.rand(n, 1, 1) * 2.0
    shift = basis @ (torch.randn(n, 8, 2) * size)
    bent = landmarks.clone()
    bent[..., :2] += shift
    for points in (BROWS, LIPS, (*EYE_LEFT.tolist(), *IRISES[:5]), (*EYE_RIGHT.tolist(), *IRISES[5:])):
        index = list(points)
        part = bent[:, index, :2]
        centre = part.mean(1, keepdim=True)
        stretch = 1.0 + 0.08 * torch.randn(n, 1, 2)
        bent[:, index, :2] = centre + (part - centre) * stretch + 0.006 * torch.randn(n, 1, 2)
    bent[..., 2] *= 1.0 + 0.15 * torch.randn(n, 1)
    return bent + 0.002 * torch.randn_like(bent)


def recolour(crop: Tensor) -> Tensor:
    """Change exposure, white balance, contrast and saturation as cameras do: (n, 3, s, s) in [-1, 1]."""
    n = len(crop)
    light = (crop * 0.5 + 0.5).clamp(1e-4, 1.0) ** torch.exp(0.25 * torch.randn(n, 1, 1, 1))
    light = light * torch.exp(0.22 * torch.randn(n, 1, 1, 1)) * torch.exp(0.10 * torch.randn(n, 3, 1, 1))
    grey = light.mean(1, keepdim=True)
    light = grey + (light - grey) * torch.exp(0.3 * torch.randn(n, 1, 1, 1))
    return light.clamp(0.0, 1.0) * 2.0 - 1.0


def degrade(crop: Tensor) -> Tensor:
    """Blur, shade, hide and add noise: (n, 3, s, s) in [-1, 1]."""
    n, side = len(crop), crop.shape[-1]
    soft = F.interpolate(F.avg_pool2d(crop, 4), scale_factor=4, mode="bilinear", align_corners=False)
    blur = torch.rand(n, 1, 1, 1) * (torch.rand(n, 1, 1, 1) < 0.6)
    crop = crop + (soft - crop) * blur
    slope = F.interpolate(0.15 * torch.randn(n, 1, 3, 3), size=(side, side), mode="bilinear", align_corners=True)
    crop = crop + slope * (torch.rand(n, 1, 1, 1) < 0.5)
    clutter = F.interpolate(torch.rand(n, 3, 6, 6) * 2.0 - 1.0, size=(side, side), mode="bilinear", align_corners=True)
    clutter = clutter + 0.3 * F.interpolate(torch.randn(n, 1, 24, 24), size=(side, side), mode="nearest")
    crop = torch.where(_margin(n, side) & (torch.rand(n, 1, 1, 1) < 0.5), clutter, crop)
    return (crop + 0.05 * torch.rand(n, 1, 1, 1) * torch.randn_like(crop)).clamp(-1.0, 1.0)


def _margin(n: int, side: int) -> Tensor:
    """True where a room may stand instead of the studio's backdrop: outside a random oval round the head."""
    axis = (torch.arange(side, dtype=torch.float32) + 0.5) / side * 2.0 - 1.0
    across, down = 0.75 + 0.25 * torch.rand(n, 1, 1, 1), 0.9 + 0.3 * torch.rand(n, 1, 1, 1)
    oval = (axis[None, None, None, :] / across) ** 2 + ((axis[None, None, :, None]) / down) ** 2
    # Below the chin there are shoulders in every picture.
    return (oval > 1.0) & (axis[None, None, :, None] < 0.5)
