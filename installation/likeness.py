"""The visitor's likeness: bones and colours settle over the visit, expression and pose stay live.

The encoder's answer for one picture is the start. Twice a second it is refined by what the camera saw, beside the
thread that draws, so that no picture waits for it; the next picture takes up what was found. The mean of what lasts is
held; each picture's W+ is drawn toward it, faded in over a second, and expression and pose are solved again for it. All
of it is forgotten with the visit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engines.runtime import Pack
from engines.runtime.refinement import REFINE, SETTLE, can_refine, held_features
from installation.core.latents import Latent
from installation.core.settling import Settling

REFINE_EVERY_S = 0.5


class LivingLikeness:
    """Settles the likeness of one visitor at a time. Used by the thread that owns the pack's engines.

    Args:
        pack: One that can be refined.
    """

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        held = held_features(pack)
        self._settling = Settling(held.size)
        self._face_id = 0
        self._refined_at = float("-inf")
        self._refining = False
        self._taken: dict[str, NDArray[np.float32]] = {}
        self._found = np.zeros((1, held.size), np.float32)
        self._features = np.zeros((1, held.size), np.float32)
        self._held = held[None]
        self._amount = np.zeros((1, 1), np.float32)
        self._settled: Latent = np.zeros((1, pack.num_ws, pack.w_dim), np.float32)

    @classmethod
    def of(cls, pack: Pack) -> LivingLikeness | None:
        """Make one for a pack that can be refined."""
        return cls(pack) if can_refine(pack) else None

    def warm_up(self, seen: Mapping[str, NDArray[np.float32]]) -> None:
        """Run both graphs before the curtain."""
        for _ in range(2):
            self._begin_refining(self._settled, seen)
            self._end_refining()
            self._run_settle(self._settled, seen)
        self.forget()

    def settle(self, w_plus: Latent, face_id: int, seen: Mapping[str, NDArray[np.float32]], now: float) -> None:
        """Move the encoder's answer to the settled likeness, in place.

        Args:
            w_plus: (1, num_ws, w_dim) float32.
            face_id: Whose it is; another one begins anew.
            seen: The encoder's inputs, `crop` and `landmarks`.
            now: Monotonic seconds.
        """
        if face_id != self._face_id:
            self.forget()
            self._face_id = face_id
        if self._refining:
            self._end_refining()
            self._settling.step(self._found[0], self._refined_at)
        if now - self._refined_at >= REFINE_EVERY_S:
            self._refined_at = now
            self._begin_refining(w_plus, seen)
        self._amount[:] = self._settling.presence(now)
        if self._amount[0, 0] <= 0.0:
            return
        np.copyto(self._features[0], self._settling.mean)
        self._run_settle(w_plus, seen)
        np.copyto(w_plus, self._settled)

    def forget(self) -> None:
        """Wipe all that is known of the visitor."""
        if self._refining:
            self._end_refining()
        self._face_id = 0
        self._refined_at = float("-inf")
        self._settling.forget()
        for values in (self._found, self._features, self._amount, self._settled, *self._taken.values()):
            values[:] = 0.0

    def _begin_refining(self, w_plus: Latent, seen: Mapping[str, NDArray[np.float32]]) -> None:
        """Begin to refine a copy: the buffers of this picture are the next one's."""
        given = {"w_plus": w_plus, "crop": seen["crop"], "landmarks": seen["landmarks"]}
        if not self._taken:
            self._taken = {name: np.empty_like(values) for name, values in given.items()}
        for name, values in given.items():
            np.copyto(self._taken[name], values)
        self._pack.engine(REFINE, 1).start(self._taken, {"features": self._found})
        self._refining = True

    def _end_refining(self) -> None:
        self._refining = False
        self._pack.engine(REFINE, 1).wait()

    def _run_settle(self, w_plus: Latent, seen: Mapping[str, NDArray[np.float32]]) -> None:
        inputs = {"w_plus": w_plus, "landmarks": seen["landmarks"], "features": self._features,
                  "held": self._held, "amount": self._amount}  # fmt: skip
        self._pack.engine(SETTLE, 1).run(inputs, {"settled": self._settled})
