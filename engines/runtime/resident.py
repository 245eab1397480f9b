"""Pictures that stay on the GPU: from the generator's own buffer into a ring that the display copies from.

Nothing of a picture reaches the host but a sample of its numbers, looked at as in `engines.runtime.chain`. Where the
back-end cannot, or anything fails, the picture is drawn the ordinary way, which then finds the fault and steps down.

Has not run on hardware yet: the tests check every call against the real bindings and the logic against a stand-in.
"""

from __future__ import annotations

import ctypes
import logging
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.runtime.guarded_engine import SAMPLES, GuardedEngine
from installation.core.device_images import DeviceImages
from installation.core.latents import Latent
from installation.runtime.cuda import Cuda, CudaError

_DEFAULT_STREAM = 0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Ring:
    """Places for results of one size, in bytes."""

    nbytes: int
    addresses: list[int]


class ResidentPictures:
    """Rings of pictures in the memory of the GPU, one for each number of pictures. Used by the engines' thread.

    Args:
        slots: Of each ring: a result is overwritten after so many more.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._cuda: Cuda | None = None
        self._refused = False
        self._rings: dict[int, _Ring] = {}
        self._sample: NDArray[np.float32] | None = None
        self._turn = 0

    def draw(self, engine: GuardedEngine, latents: Latent, count: int) -> DeviceImages | None:
        """Draw latents and leave the pictures on the GPU.

        Args:
            engine: A generator.
            latents: (n, num_ws, w_dim), n a multiple of the engine's batch.
            count: How many of the pictures are wanted, the first ones.

        Returns:
            (count, 3, r, r); None if they have to be drawn the ordinary way.
        """
        if self._refused or not engine.resident:
            return None
        try:
            return self._draw(engine, latents, count)
        except CudaError as error:
            self._refused = True
            log.warning("pictures are fetched from the GPU: %s", error)
            return None

    def wipe(self, *, resting: bool) -> None:
        """Clear the pictures; a single one only `resting`, because the attract walk draws over it otherwise.

        A lost GPU has nothing left to clear, which is logged.
        """
        try:
            for count, ring in self._rings.items():
                for address in ring.addresses if count > 1 or resting else ():
                    self._call("cudaMemsetAsync", address, 0, ring.nbytes, _DEFAULT_STREAM)
            if self._rings:
                self._call("cudaStreamSynchronize", _DEFAULT_STREAM)
            if self._sample is not None:
                self._sample[:] = 0.0
        except CudaError as error:
            log.warning("pictures on the GPU could not be cleared: %s", error)

    def close(self) -> None:
        """Give the memory back; a lost GPU cannot even take that, which is logged."""
        held = [("cudaFree", address) for ring in self._rings.values() for address in ring.addresses]
        if self._sample is not None:
            held.append(("cudaFreeHost", self._sample.ctypes.data))
        self._rings.clear()
        self._sample = None
        for function, address in held:
            try:
                self._call(function, address)
            except CudaError as error:
                log.warning("memory of the GPU could not be given back: %s", error)

    def _draw(self, engine: GuardedEngine, latents: Latent, count: int) -> DeviceImages | None:
        (spec,) = engine.outputs.values()
        batch, *picture = spec.shape
        nbytes = 4 * math.prod(spec.shape)
        self._turn += 1
        address = self._slot((len(latents), *picture))
        for start in range(0, len(latents), batch):
            launched = engine.launch({"w_plus": latents[start : start + batch]})
            if launched is None:
                return None
            made, stream = launched
            to = address + start // batch * nbytes
            self._call("cudaMemcpyAsync", to, made, nbytes, self._kinds.cudaMemcpyDeviceToDevice, stream)
            if not self._plausible(made, nbytes // 4, stream):
                return None
        return DeviceImages(address, (count, *picture))

    def _plausible(self, address: int, count: int, stream: int) -> bool:
        """Fetch a moving sample, which waits for the run, and look whether it is all numbers."""
        if self._sample is None:
            (host,) = self._call("cudaMallocHost", 8 * SAMPLES)
            self._sample = np.ctypeslib.as_array((ctypes.c_float * (2 * SAMPLES)).from_address(int(host)))
        step = max(count // SAMPLES, 1)
        first = self._turn % step
        sample = self._sample[: -(-(count - first) // step)]
        to, pitch = (sample.ctypes.data, 4), (address + 4 * first, 4 * step)
        self._call("cudaMemcpy2DAsync", *to, *pitch, 4, sample.size, self._kinds.cudaMemcpyDeviceToHost, stream)
        self._call("cudaStreamSynchronize", stream)
        return bool(np.isfinite(sample).all())

    def _slot(self, shape: tuple[int, ...]) -> int:
        """Give the next place of a ring, making the ring first if it is not there."""
        count = shape[0]
        if count not in self._rings:
            nbytes = 4 * math.prod(shape)
            ring = self._rings[count] = _Ring(nbytes, [])
            while len(ring.addresses) < self._slots:
                ring.addresses.append(int(self._call("cudaMalloc", nbytes)[0]))
        addresses = self._rings[count].addresses
        return addresses[self._turn % len(addresses)]

    @property
    def _kinds(self) -> Any:
        assert self._cuda is not None, "a call comes first"
        return self._cuda.names.cudaMemcpyKind

    def _call(self, function: str, *arguments: Any) -> tuple[Any, ...]:
        if self._cuda is None:
            self._cuda = Cuda()
        return self._cuda.call(function, *arguments)
