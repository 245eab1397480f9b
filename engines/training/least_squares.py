"""Damped Gauss-Newton in plain tensor arithmetic, so that it travels into a graph.

Sources: Levenberg (1944) and Marquardt (1963) for the damped step; Hestenes and Stiefel (1952) for conjugate gradients.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan

from engines.training.networks import LRELU_SLOPE

CONJUGATE_STEPS = 12

Carried = tuple[Tensor, Tensor, Tensor, Tensor]
"""Of conjugate gradients, from turn to turn: solution, what is left, direction, squared length of what is left."""


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

    def turn(carried: Carried, curvature: Tensor) -> tuple[Carried, Tensor]:
        step, left, way, power = carried
        bent = curvature @ way
        length = power / ((way * bent).sum(1, keepdim=True) + 1e-9)
        step, left = step + length * way, left - length * bent
        rest = left.square().sum(1, keepdim=True)
        return (step, left, left + rest / (power + 1e-9) * way, rest), rest.clone()

    carried = (torch.zeros_like(left), left, left.clone(), left.square().sum(1, keepdim=True))
    if torch.compiler.is_compiling():
        # A loop in the graph as well: unrolled, it is three times the nodes, and three times as long to load. The
        # matrix comes as what is scanned, the same for each turn: OpenVINO stops after one turn if that is a constant.
        carried, _ = scan(turn, carried, curvature.expand(CONJUGATE_STEPS, -1, -1, -1))
    else:
        for _ in range(CONJUGATE_STEPS):
            carried, _ = turn(carried, curvature)
    return carried[0].squeeze(2)
