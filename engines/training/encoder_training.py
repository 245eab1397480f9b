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
from torch import Tensor, nn

from engines.faces.parameters import INDEX
from engines.training.data import Portraits
from engines.training.disturbances import bend, degrade, recolour
from engines.training.encoder import Encoder, LandmarkSpace, Surrogate
from engines.training.features import Features
from engines.training.generator import PortraitModel
from engines.training.landmark_loss import landmark_distance, landmark_weights, realigned
from engines.training.patches import NUM_PATCHES, NUM_SKIN, ColourPatches

DAMPING = {"age": 0.6, "beard": 0.7, "moustache": 0.7, "hair_grey": 0.6, "freckles": 0.3, "eye_shadow": 0.5,
           "lip_tint": 0.6, "epicanthus": 0.6, "bun": 0.4, "nose_bridge": 0.5, "nose_projection": 0.5,
           "chin_projection": 0.5, "cheekbones": 0.5, "forehead": 0.7}  # fmt: skip
"""What landmarks and colours hardly tell: answers are pulled toward the mean, so that a wrong guess is a small one."""

SHAPE_COLOURS = ("skin_tone", "skin_warmth", "blush", "light_warmth", "light_intensity", "fill", "hair_darkness",
                 "hair_red", "background_hue", "background_saturation", "background_value", "cloth_hue",
                 "cloth_saturation", "cloth_value", "lip_tint", "iris")  # fmt: skip
"""Parameters whose truth a recoloured picture no longer shows."""


LANDMARK_NOISE = 0.0015
"""Standard deviation of MediaPipe's own tremble, crop units."""

CYCLE_GAIN = 150.0
"""Weight of the landmark distance against one standard deviation of a parameter."""

OTHER_PATCHES = 0.3
"""Weight of a colour patch that is not skin."""

FREE_RANGE = 2.3
"""Standard deviations from the mean that cost little; the sampler's range ends at about 2.5."""


@dataclass(frozen=True, slots=True)
class EncoderRecipe:
    """Steps and batch sizes of the three stages."""

    surrogate_steps: int = 3000
    geometry_steps: int = 2200
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


class EncoderTrainer:
    """Trains an encoder and its surrogate for the mapping of a model, stage by stage.

    The branches answer in portrait features and never see the generator, so an encoder stays right when the
    generator is trained further.

    Args:
        model: Whose mapping the encoder will use.
        data: Portraits with landmarks.
        recipe: Steps, batches, rate, seed.
        report: Told after every step.
        between_steps: Called before every step; may wait.
    """

    def __init__(
        self,
        model: PortraitModel,
        data: EncoderData,
        recipe: EncoderRecipe,
        *,
        report: Report = lambda stage, step, steps, loss: None,
        between_steps: Callable[[], None] = lambda: None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.data, self.recipe = data, recipe
        self.coarse = model.coarse_columns
        self.fine = [column for column in model.fine_columns if column not in self.coarse]
        self.encoder = Encoder(model.features, model.mapping, self.coarse, self.fine, damping_vector(model.features))
        self.encoder.space = LandmarkSpace(data.landmarks)
        self.surrogate = Surrogate(self.coarse, model.features.count)
        self._components = torch.cat([self.encoder.space(piece) for piece in data.landmarks.split(1000)])
        self._weights = landmark_weights()
        self._structure = torch.ones(model.features.count)
        self._structure[model.features.columns([INDEX[name] for name in SHAPE_COLOURS])] = 0.0
        self._report, self._between_steps = report, between_steps

    def train(self) -> tuple[Encoder, Surrogate]:
        """Run the three stages and return both networks, ready for use."""
        self.train_surrogate()
        self.train_geometry()
        self.train_appearance()
        return self.encoder.eval(), self.surrogate.eval()

    def train_surrogate(self) -> None:
        """Teach the surrogate what a portrait's landmarks and colours would be."""
        self._fit("surrogate", self.surrogate, self.recipe.surrogate_steps, self._surrogate_loss)

    def train_geometry(self) -> None:
        """Teach the geometry branch, with a trained surrogate."""
        self._fit("geometry", self.encoder.geometry, self.recipe.geometry_steps, self._geometry_loss)

    def train_appearance(self) -> None:
        """Teach the appearance branch, with a trained surrogate."""
        self._fit("appearance", self.encoder.appearance, self.recipe.appearance_steps, self._appearance_loss)

    def _fit(self, stage: str, module: nn.Module, steps: int, loss_of: Callable[[], Tensor]) -> None:
        optimiser = torch.optim.AdamW(module.parameters(), lr=self.recipe.lr, weight_decay=1e-4)
        for step in range(steps):
            self._between_steps()
            for group in optimiser.param_groups:
                group["lr"] = self.recipe.rate(step, steps)
            loss = loss_of()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimiser.step()
            self._report(stage, step + 1, steps, float(loss.detach()))
        module.requires_grad_(False)

    def _surrogate_loss(self) -> Tensor:
        index = torch.randint(len(self._components), (self.recipe.vector_batch,))
        made, colours = self.surrogate(self.data.features[index])
        # In landmark units, so that the first components, which carry the pose, are the most exact.
        scale = self.encoder.space.scale
        shape = ((made - self._components[index]) * (scale / scale[0] + 0.05)).square().mean()
        return 10.0 * shape + F.smooth_l1_loss(colours, self.data.patches[index], beta=0.1)

    def _geometry_loss(self) -> Tensor:
        index = torch.randint(len(self._components), (self.recipe.vector_batch,))
        seen = self.data.landmarks[index]
        half = len(index) // 2
        bent = realigned(bend(seen[half:]))
        seen = torch.cat([seen[:half] + LANDMARK_NOISE * torch.randn_like(seen[:half]), bent])
        answer = self.encoder.geometry(self.encoder.space(seen))
        truth = self.data.features[index[:half]][:, self.coarse]
        exact = F.smooth_l1_loss(answer[:half], truth, beta=0.5)
        # What will be damped is damped here too, so that the other parameters make up for it.
        made = self.encoder.space.invert(self.surrogate.landmarks(answer * self.encoder.damping[self.coarse]))
        return exact + _prior(answer) + CYCLE_GAIN * landmark_distance(made, seen, self._weights)

    def _appearance_loss(self) -> Tensor:
        index = torch.randint(len(self._components), (self.recipe.picture_batch,))
        half = len(index) // 2
        seen = self.data.landmarks[index] + LANDMARK_NOISE * torch.randn(len(index), 1, 3)
        crop = self.data.pictures[index].float() / 127.5 - 1.0
        crop = degrade(torch.cat([crop[:half], recolour(crop[half:])]))
        with torch.no_grad():
            patches, shape = self.encoder.patches(crop, seen), self.encoder.space(seen)
        fine = self.encoder.appearance(crop, patches, shape)
        truth = self.data.features[index]
        answer = truth.clone()
        answer[:, self.fine] = fine
        error = F.smooth_l1_loss(answer, truth, beta=0.5, reduction="none")
        exact = error[:half].mean() + (error[half:] * self._structure).mean()
        _, colours = self.surrogate(answer)
        off = F.smooth_l1_loss(colours, patches, beta=0.1, reduction="none").mean(dim=(0, 2))
        cycle = (off[:NUM_SKIN].sum() + OTHER_PATCHES * off[NUM_SKIN:].sum()) / NUM_PATCHES
        tone = (colours - patches)[:, :NUM_SKIN].mean(1).abs().mean()
        return exact + _prior(fine) + cycle + tone


def _prior(answer: Tensor) -> Tensor:
    """Pull gently toward the mean face, and firmly back into the range that portraits have."""
    return torch.relu(answer.abs() - FREE_RANGE).square().mean() + 0.01 * answer.square().mean()


def damping_vector(features: Features) -> Tensor:
    """Spread `DAMPING` over feature columns: (features,)."""
    damping = torch.ones(features.count)
    for name, factor in DAMPING.items():
        damping[features.columns([INDEX[name]])] = factor
    return damping
