"""Pictures that lie in the memory of a GPU, as one plain value.

The neural thread makes them, the display copies them into its own memory; neither needs to know the other for that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeviceImages:
    """(n, 3, r, r) float32 RGB, nominally -1..1, C-contiguous, finished: nobody has to wait for a stream.

    Whoever made them keeps them whole for as long as arrays would be, and owns the memory.

    Attributes:
        address: In the memory of CUDA device 0, unified with the host's addresses.
        shape: n, 3, r, r.
    """

    address: int
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return 4 * math.prod(self.shape)
