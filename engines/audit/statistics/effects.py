"""Effect sizes: how far apart, counted in scatter.

Source: Glass's delta (Glass, "Primary, secondary and meta-analysis", Educational Researcher 5, 1976): the reference
alone gives the unit, as in the WEAT of Caliskan et al. (Science 356, 2017), so that a theme whose prompts are all alike
does not look further away for it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def glass_delta(group: Numbers, reference: Numbers) -> Numbers:
    """Difference of two means in standard deviations of the reference.

    Args:
        group: (n, k).
        reference: (m, k) with m >= 2.

    Returns:
        (k,); 0 where the reference does not scatter and the means agree, infinite where they do not.
    """
    difference = group.mean(axis=0) - reference.mean(axis=0)
    scatter = reference.std(axis=0, ddof=1)
    none = np.where(np.abs(difference) <= 1e-12, 0.0, np.copysign(np.inf, difference))
    delta: Numbers = np.where(scatter > 1e-12, difference / np.where(scatter > 1e-12, scatter, 1.0), none)
    return delta


def cosine_distance(a: Numbers, b: Numbers) -> Numbers:
    """1 - cosine of the rows of `a` (n, d) and `b` (n, d): (n,), 0 for the same direction, 2 for the opposite."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    distance: Numbers = 1.0 - np.clip(np.einsum("nd,nd->n", a, b) / lengths, -1.0, 1.0)
    return distance
