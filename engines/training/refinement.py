"""Refine a likeness by what the camera saw: Gauss-Newton on landmarks, a search over skin tone, light and hair.

The encoder answers at once, from what it learned of all faces. Refinement asks what this one portrait would look like
(the surrogate tells, without drawing it) and moves its features until landmarks and skin agree with what was seen. It
knows *lasting* features, bones and appearance, and *live* ones, expression and pose, which `SettleGraph` solves again
for each picture against bones that are held. So bones can be averaged over a visit without the face lagging behind.

All of it is tensor arithmetic without a solver, so that it travels into the pack as two graphs and runs in one call: a
show that calls a hundred small array functions instead waits a hundred times for its interpreter.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engines.faces.parameters import PARAMETERS
from engines.training.colour_match import hair_match, hair_weights, tone_match, tone_weights
from engines.training.encoder import Encoder, LandmarkSpace, Surrogate
from engines.training.features import Features
from engines.training.generator import PortraitModel
from engines.training.landmark_loss import GAPS, LIFTS, landmark_weights
from engines.training.least_squares import damped_step, with_jacobian
from engines.training.networks import Readout

LANDMARK_NOISE = 0.006
"""How far MediaPipe and the surrogate may be off together, root mean square in crop units."""

DEPTH_WEIGHT = 0.1
PAIR_WEIGHT = 0.3
"""Of depths, and of the offsets between lips, lids, mouth corners and brows, against places on the picture."""

BONES_PRIOR = 0.2
LIVE_PRIOR = 0.05
"""Pull toward the first answer, in squared standard deviations of a feature against those of a landmark."""

FREE_RANGE = 2.6
"""Standard deviations from the mean within which a solved feature stays."""

ARRIVAL_STEPS = 4
FOLLOW_STEPS = 2

HELD = {"identity": 0.7, "appearance": 1.0, "light": 0.7, "expression": 0.0, "pose": 0.0}
"""How much of each group of features is held over a visit. Of bones not all, or a settled face would move less than its
owner's; of the light not all, for it falls otherwise on a turned head."""


class Likeness(nn.Module):
    """Solves features for what was seen, with a trained surrogate.

    Args:
        encoder: Its landmark space and colour patches are used.
        surrogate: Trained beside it.
    """

    root: Tensor
    live: Tensor
    place: Tensor
    tone_weights: Tensor

    def __init__(self, encoder: Encoder, surrogate: Surrogate) -> None:
        super().__init__()
        self.space, self.patches, self.surrogate = encoder.space, encoder.patches, surrogate
        self.geometry = surrogate.coarse.tolist()
        self.tone, self.hair = tone_match(encoder.features, surrogate), hair_match(encoder.features, surrogate)
        self.lasting = lasting_features(encoder.features)
        self.register_buffer("root", landmark_root(encoder.space))
        self.register_buffer("place", torch.eye(encoder.features.count)[self.geometry])
        self.register_buffer("live", (~self.lasting[self.geometry]).float())
        self.register_buffer("tone_weights", tone_weights())

    def arrive(self, features: Tensor, crop: Tensor, landmarks: Tensor) -> Tensor:
        """Refine everything: (n, F), (n, 3, s, s), (n, 478, 3) -> (n, F)."""
        everything = torch.ones_like(self.live)
        solved = self._solve(features[:, self.geometry], self.space(landmarks), everything, BONES_PRIOR, ARRIVAL_STEPS)
        seen = self.patches(crop, landmarks)
        tinted = self.tone(self._with_geometry(features, solved), seen, self.tone_weights)
        return self.hair(tinted, seen, hair_weights(seen))

    def follow(self, features: Tensor, landmarks: Tensor) -> Tensor:
        """Solve expression and pose alone, bones held: (n, F), (n, 478, 3) -> (n, F)."""
        first = features[:, self.geometry]
        solved = self._solve(first, self.space(landmarks), self.live, LIVE_PRIOR, FOLLOW_STEPS)
        return self._with_geometry(features, solved)

    def landmark_residual(self, features: Tensor, landmarks: Tensor) -> Tensor:
        """(n,) weighted root mean square distance of what is seen and what the portrait would show, crop units."""
        made = self.surrogate.landmarks(features[:, self.geometry])
        return ((made - self.space(landmarks)) @ self.root.T).norm(dim=1)

    def _with_geometry(self, features: Tensor, solved: Tensor) -> Tensor:
        return features + (solved - features[:, self.geometry]) @ self.place

    def _solve(self, first: Tensor, seen: Tensor, free: Tensor, prior: float, steps: int) -> Tensor:
        """Gauss-Newton on landmark components; features that are not `free` (0 or 1) stay."""
        # Nothing is pushed out of its range, nor pulled back that the encoder put there.
        low, high = first.clamp(max=-FREE_RANGE), first.clamp(min=FREE_RANGE)
        x = first
        for _ in range(steps):
            made, jacobian = with_jacobian(self.surrogate.landmarks, x)
            residual = (made - seen) @ self.root.T / LANDMARK_NOISE
            slope = (self.root @ jacobian) / LANDMARK_NOISE * free
            x = torch.minimum(torch.maximum(x + damped_step(x - first, residual, slope, prior), low), high)
        return x


class RefineGraph(nn.Module):
    """W+, crop, landmarks -> refined features: what a face is, if its first answer is doubted."""

    def __init__(self, likeness: Likeness, readout: Readout) -> None:
        super().__init__()
        self.likeness, self.readout = likeness, readout

    def forward(self, w_plus: Tensor, crop: Tensor, landmarks: Tensor) -> Tensor:
        return self.likeness.arrive(self.readout(w_plus), crop, landmarks)


class SettleGraph(nn.Module):
    """W+ with lasting features drawn toward given ones, expression and pose solved again for them.

    `held` (n, F) says how far, 0..1: 0 in live columns; `amount` (n, 1) fades from W+ as it came, 0, to the new one.
    """

    def __init__(self, model: PortraitModel, likeness: Likeness, readout: Readout) -> None:
        super().__init__()
        self.model, self.likeness, self.readout = model, likeness, readout

    def forward(self, w_plus: Tensor, landmarks: Tensor, features: Tensor, held: Tensor, amount: Tensor) -> Tensor:
        first = self.readout(w_plus)
        solved = self.likeness.follow(first + held * (features - first), landmarks)
        settled = self.model.latents(self.model.features.invert(solved))
        return w_plus + amount.unsqueeze(2) * (settled - w_plus)


def lasting_features(features: Features) -> Tensor:
    """(F,) bool: which features stay the same for a visit."""
    live = [i for i, row in enumerate(PARAMETERS) if row.group in ("expression", "pose")]
    lasting = torch.ones(features.count, dtype=torch.bool)
    lasting[features.columns(live)] = False
    return lasting


def held_features(features: Features) -> Tensor:
    """(F,) how much of each feature is held over a visit, 0..1."""
    held = torch.zeros(features.count)
    for i, row in enumerate(PARAMETERS):
        held[features.columns([i])] = HELD[row.group]
    return held


def landmark_root(space: LandmarkSpace) -> Tensor:
    """(K, K) matrix: the length of `root @ (a - b)` is the weighted distance of two sets of landmark components."""
    places = (space.basis * space.scale[:, None]).double().unflatten(1, (-1, 3))
    weights = landmark_weights().double() * torch.tensor([1.0, 1.0, DEPTH_WEIGHT]) / places.shape[1]
    first, second = ([pair[k] for pair in GAPS + LIFTS] for k in (0, 1))
    offsets = (places[:, first, :2] - places[:, second, :2]).flatten(1)
    metric = torch.einsum("ipc,pc,jpc->ij", places, weights, places) + PAIR_WEIGHT / len(first) * offsets @ offsets.T
    return torch.linalg.cholesky(metric + 1e-12 * torch.eye(len(metric))).T.float().contiguous()
