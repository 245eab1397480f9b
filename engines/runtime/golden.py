"""Golden vectors at run time: an engine is compared with the numbers of its pack before its first use.

A compiler may be wrong, a driver may be, and a cached engine may be somebody else's. The pack brings inputs and the
outputs they must give (`golden.npz`, see `engines.packing`), so every engine proves itself on the machine it runs on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.runtime.backends import Engine
from installation.errors import EngineError

MAX_DIFFERENCE = 1e-3
"""Of a picture in [-1, 1] or a latent, in float32."""

MIN_PSNR_DB = 45.0
"""Of a half-precision picture, of a peak-to-peak range of 2."""

MAX_RELATIVE_HALF = 0.01
"""Of half-precision codes, as a relative L2 norm."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far an engine is from the golden vectors.

    Attributes:
        largest: Largest absolute difference.
        relative: Relative L2 norm of the difference.
        psnr_db: Peak signal-to-noise ratio for a range of 2, in dB.
    """

    largest: float
    relative: float
    psnr_db: float

    def problem(self, part: str, precision: str) -> str | None:
        """Say what is too far off, None if nothing is. A value that is no number is always too far."""
        if precision == "fp32":
            bad = not self.largest <= MAX_DIFFERENCE
            return f"differs by {self.largest:.3g}, at most {MAX_DIFFERENCE:g} is allowed" if bad else None
        if part == "generator":
            bad = not self.psnr_db >= MIN_PSNR_DB
            return f"reaches {self.psnr_db:.1f} dB, at least {MIN_PSNR_DB:g} dB are asked" if bad else None
        bad = not self.relative <= MAX_RELATIVE_HALF
        return f"differs by {self.relative:.3g} of the norm, at most {MAX_RELATIVE_HALF:g} is allowed" if bad else None


def check_golden(engine: Engine, pack: Path, part: str) -> Deviation | None:
    """Run an engine on its pack's golden inputs and compare.

    Args:
        engine: Just compiled or just loaded; the vectors are repeated to fill its batch.
        pack: The pack's folder; `golden.npz` was checked against the manifest when the pack was opened.
        part: Which network it is.

    Returns:
        How far off it is; None if the pack has no vectors for this part.

    Raises:
        EngineError: If it is too far off, or the vectors do not fit the engine.
    """
    golden = _read(pack, part)
    if not golden:
        return None
    (batch, *_) = next(iter(engine.inputs.values())).shape
    inputs = {}
    for name, spec in engine.inputs.items():
        rows = golden.get(f"{part}.in.{name}")
        if rows is None or rows.shape[1:] != spec.shape[1:]:
            found = "nothing" if rows is None else str(rows.shape)
            raise EngineError(f"golden.npz of {pack} has {found} for {part}.in.{name}, the engine takes {spec.shape}")
        inputs[name] = _filled(rows, batch)
    outputs = {name: np.zeros(spec.shape, np.float32) for name, spec in engine.outputs.items()}
    engine.run(inputs, outputs)
    deviation = _deviation(golden, part, outputs)
    if problem := deviation.problem(part, engine.precision):
        raise EngineError(
            f"the {part} in {engine.precision} does not give the golden vectors of {pack.name}: {problem}"
        )
    return deviation


def _read(pack: Path, part: str) -> dict[str, NDArray[np.generic]]:
    path = pack / "golden.npz"
    if not path.is_file():
        return {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files if name.startswith(f"{part}.")}
    except (OSError, ValueError) as error:
        raise EngineError(f"{path} cannot be read: {error}; import the pack again") from error


def _deviation(
    golden: Mapping[str, NDArray[np.generic]], part: str, outputs: Mapping[str, NDArray[np.float32]]
) -> Deviation:
    largest, error, norm, count = 0.0, 0.0, 0.0, 0
    for name, found in outputs.items():
        rows = golden.get(f"{part}.out.{name}")
        if rows is None:
            continue
        if f"{part}.window" in golden:
            top, left = (int(value) for value in golden[f"{part}.window"])
            found = found[..., top : top + rows.shape[-2], left : left + rows.shape[-1]]
        expected = _filled(rows, found.shape[0]).astype(np.float64)
        difference = found - expected
        if not np.isfinite(difference).all():
            return Deviation(math.nan, math.nan, math.nan)
        largest = max(largest, float(np.abs(difference).max()))
        error += float(np.square(difference).sum())
        norm += float(np.square(expected).sum())
        count += difference.size
    mean = error / max(count, 1)
    psnr = 20 * math.log10(2 / math.sqrt(mean)) if mean > 0 else math.inf
    return Deviation(largest, math.sqrt(error / max(norm, 1e-60)), psnr)


def _filled(rows: NDArray[np.generic], batch: int) -> NDArray[np.float32]:
    return np.ascontiguousarray(rows[np.arange(batch) % rows.shape[0]], np.float32)
