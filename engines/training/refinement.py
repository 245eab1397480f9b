"""Refine a likeness by what the camera saw: Gauss-Newton on landmarks, a search over skin tone and light.

The encoder answers at once, from what it learned of all faces. Refinement asks what this one portrait would look like
(the surrogate tells, without drawing it) and moves its features until landmarks and skin agree with what was seen. It
knows *lasting* features, bones and appearance, and *live* ones, expression and pose, which `SettleGraph` solves again
for each picture against bones that are held. So bones can be averaged over a visit without the face lagging behind.

All of it is tensor arithmetic without a solver, so that it travels into the pack as two graphs and runs in one call: a
show that calls a hundred small array functions instead waits a hundred times for its interpreter.

Sources: Levenberg (1944) and Marquardt (1963) for the damped step; Hestenes and Stiefel (1952) for conjugate gradients.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan

from engines.faces.parameters import INDEX, PARAMETERS
from engines.training.encoder import Encoder, LandmarkSpace, Surrogate
from engines.training.features import Features
from engines.training.generator import PortraitModel
from engines.training.landmark_loss import GAPS, LIFTS, landmark_weights
from engines.training.networks import LRELU_SLOPE, Readout
from engines.training.patches import NUM_SKIN

TONE = ("skin_tone", "light_intensity", "skin_warmth", "blush", "light_warmth", "fill")
"""Parameters of the search over skin tone and light; the first two are tried on a grid."""

LANDMARK_NOISE = 0.006
"""How far MediaPipe and the surrogate may be off together, root mean square in crop units."""

PATCH_NOISE = 0.4
TONE_NOISE = 0.04
"""The same for one patch of skin and for the mean of all, in standardised Lab: shadows may lie elsewhere."""

DEPTH_WEIGHT = 0.1
PAIR_WEIGHT = 0.3
"""Of depths, and of the offsets between lips, lids, mouth corners and brows, against places on the picture."""

BONES_PRIOR = 0.2
LIVE_PRIOR = 0.05
TONE_PRIOR = 1.0
"""Pull toward the first answer, in squared standard deviations of a feature against those of a landmark or colour."""

FREE_RANGE = 2.6
"""Standard deviations from the mean within which a solved feature stays."""

ARRIVAL_STEPS = 4
FOLLOW_STEPS = 2
CONJUGATE_STEPS = 12

TONES = torch.linspace(-0.9, 0.9, 7)
LIGHTS = torch.linspace(-1.0, 1.0, 5)
"""The search: skin tone and light so many standard deviations about the first answer."""


class Likeness(nn.Module):
    """Solves features for what was seen, with a trained surrogate.

    Args:
        encoder: Its landmark space and colour patches are used.
        surrogate: Trained beside it.
    """

    root: Tensor
    live: Tensor
    tries: Tensor

    def __init__(self, encoder: Encoder, surrogate: Surrogate) -> None:
        super().__init__()
        self.space, self.patches, self.surrogate = encoder.space, encoder.patches, surrogate
        self.geometry = surrogate.coarse.tolist()
        self.tone = encoder.features.columns([INDEX[name] for name in TONE])
        self.lasting = lasting_features(encoder.features)
        self.register_buffer("root", landmark_root(encoder.space))
        self.register_buffer("live", (~self.lasting[self.geometry]).float())
        self.register_buffer("tries", torch.cartesian_prod(TONES, LIGHTS))

    def arrive(self, features: Tensor, crop: Tensor, landmarks: Tensor) -> Tensor:
        """Refine everything: (n, F), (n, 3, s, s), (n, 478, 3) -> (n, F)."""
        everything = torch.ones_like(self.live)
        solved = self._solve(features[:, self.geometry], self.space(landmarks), everything, BONES_PRIOR, ARRIVAL_STEPS)
        return self._tint(self._with_geometry(features, solved), self.patches(crop, landmarks)[:, :NUM_SKIN])

    def follow(self, features: Tensor, landmarks: Tensor) -> Tensor:
        """Solve expression and pose alone, bones held: (n, F), (n, 478, 3) -> (n, F)."""
        first = features[:, self.geometry]
        solved = self._solve(first, self.space(landmarks), self.live, LIVE_PRIOR, FOLLOW_STEPS)
        return self._with_geometry(features, solved)

    def landmark_residual(self, features: Tensor, landmarks: Tensor) -> Tensor:
        """(n,) weighted root mean square distance of what is seen and what the portrait would show, crop units."""
        made = self.surrogate.landmarks(features[:, self.geometry])
        return ((made - self.space(landmarks)) @ self.root.T).norm(dim=1)

    def skin_residual(self, features: Tensor, crop: Tensor, landmarks: Tensor) -> Tensor:
        """(n,) how far the mean colour of the skin is off, standardised Lab."""
        made = self.surrogate.colours(features).unflatten(1, (-1, 3))[:, :NUM_SKIN]
        return (made - self.patches(crop, landmarks)[:, :NUM_SKIN]).mean(1).norm(dim=1)

    def _with_geometry(self, features: Tensor, solved: Tensor) -> Tensor:
        columns = list(features.unbind(1))
        for column, value in zip(self.geometry, solved.unbind(1), strict=True):
            columns[column] = value
        return torch.stack(columns, dim=1)

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

    def _tint(self, first: Tensor, seen: Tensor) -> Tensor:
        """Find the skin tone and light whose colours are those seen: (n, F), (n, skin, 3) -> (n, F)."""
        columns = [first.unsqueeze(1).expand(-1, len(self.tries), -1)[:, :, i] for i in range(first.shape[1])]
        for column, change in zip(self.tone, self.tries.unbind(1), strict=False):
            columns[column] = columns[column] + change
        tried = torch.stack(columns, dim=2)
        cost = self._cost(tried, first.unsqueeze(1), seen.unsqueeze(1))
        x = torch.gather(tried, 1, cost.argmin(1)[:, None, None].expand(-1, -1, first.shape[1])).squeeze(1)
        pick = torch.eye(first.shape[1])[self.tone]
        for _ in range(ARRIVAL_STEPS):
            made, jacobian = with_jacobian(self.surrogate.colours, x)
            residual = weigh_skin(made.unflatten(1, (-1, 3))[:, :NUM_SKIN] - seen)
            slope = weigh_skin((jacobian @ pick.T).unflatten(1, (-1, 3))[:, :NUM_SKIN].permute(0, 3, 1, 2)).mT
            moved = damped_step((x - first) @ pick.T, residual, slope, TONE_PRIOR)
            tone = (x @ pick.T + moved).clamp(-FREE_RANGE, FREE_RANGE)
            better = x + (tone - x @ pick.T) @ pick
            # The surrogate bends more than a step may be long: a step that makes it worse is not taken.
            taken = self._cost(better, first, seen) < self._cost(x, first, seen)
            x = torch.where(taken.unsqueeze(1), better, x)
        return x

    def _cost(self, x: Tensor, first: Tensor, seen: Tensor) -> Tensor:
        """(..., F), (..., F), (..., skin, 3) -> (...): squared errors of the colours and of the prior."""
        made = self.surrogate.colours(x).unflatten(-1, (-1, 3))[..., :NUM_SKIN, :]
        return weigh_skin(made - seen).square().sum(-1) + TONE_PRIOR * (x - first).square().sum(-1)


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


def landmark_root(space: LandmarkSpace) -> Tensor:
    """(K, K) matrix: the length of `root @ (a - b)` is the weighted distance of two sets of landmark components."""
    places = (space.basis * space.scale[:, None]).double().unflatten(1, (-1, 3))
    weights = landmark_weights().double() * torch.tensor([1.0, 1.0, DEPTH_WEIGHT]) / places.shape[1]
    first, second = ([pair[k] for pair in GAPS + LIFTS] for k in (0, 1))
    offsets = (places[:, first, :2] - places[:, second, :2]).flatten(1)
    metric = torch.einsum("ipc,pc,jpc->ij", places, weights, places) + PAIR_WEIGHT / len(first) * offsets @ offsets.T
    return torch.linalg.cholesky(metric + 1e-12 * torch.eye(len(metric))).T.float().contiguous()


def weigh_skin(off: Tensor) -> Tensor:
    """Weigh differences of skin colours, each and their mean: (..., skin, 3) -> (..., skin * 3 + 3)."""
    return torch.cat([off.flatten(-2) / PATCH_NOISE, off.mean(-2) / TONE_NOISE], dim=-1)


def with_jacobian(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Run a perceptron: (n, inputs) -> (n, outputs), (n, outputs, inputs)."""
    assert isinstance(network, nn.Sequential)
    *hidden, last = (layer for layer in network if isinstance(layer, nn.Linear))
    jacobian: Tensor | None = None
    for layer in hidden:
        x = layer(x)
        inner = layer.weight if jacobian is None else layer.weight @ jacobian
        jacobian = torch.where(x > 0.0, 1.0, LRELU_SLOPE).unsqueeze(2) * inner
        x = nn.functional.leaky_relu(x, LRELU_SLOPE)
    assert jacobian is not None
    return last(x), last.weight @ jacobian


def damped_step(away: Tensor, residual: Tensor, slope: Tensor, prior: float) -> Tensor:
    """Step of Gauss-Newton with a prior, by conjugate gradients.

    Args:
        away: (n, k) distance from the first answer.
        residual: (n, r) weighted errors.
        slope: (n, r, k) their derivatives.
        prior: Weight of `away`.

    Returns:
        (n, k) what is to be added.
    """

    curvature = slope.mT @ slope + prior * torch.eye(slope.shape[2])
    left = -((residual.unsqueeze(1) @ slope).mT + prior * away.unsqueeze(2))

    def turn(carried: tuple[Tensor, ...], curvature: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        step, left, way, power = carried
        bent = curvature @ way
        length = power / ((way * bent).sum(1, keepdim=True) + 1e-9)
        step, left = step + length * way, left - length * bent
        rest = left.square().sum(1, keepdim=True)
        return (step, left, left + rest / (power + 1e-9) * way, rest), rest.clone()

    # A loop in the graph as well: unrolled, it is three times the nodes, and three times as long to load. The matrix
    # comes as what is scanned, the same for each turn; OpenVINO stops after one turn if that is a constant.
    start = (torch.zeros_like(left), left, left.clone(), left.square().sum(1, keepdim=True))
    (step, *_), _ = scan(turn, start, curvature.expand(CONJUGATE_STEPS, -1, -1, -1))
    return step.squeeze(2)
