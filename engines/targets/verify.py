"""`mirror targets verify`: what the targets of a pack must reach, measured on its own random visitors.

Three questions. Does MediaPipe find a face at every amount of the morph, in both modes? Is each target plainly
different from the average face and from the others? And does `edit` keep the visitor: how far do the measures that a
target does not speak of move, against what replacing the whole face does?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.runtime import Pack
from engines.runtime.targets import Target
from engines.targets.captions import read_attributes
from engines.targets.pictures import locate
from engines.targets.shape import MEASURES, in_ranges, shape_of, unnamed, unnamed_parameters
from engines.targets.sheet import as_u8
from engines.targets.studio import morphed
from installation.core.latents import Latent
from installation.devices.cropping import sample_square
from installation.devices.landmarks import FaceFinder
from installation.runtime.progress import Progress

AMOUNTS = (0.0, 0.25, 0.5, 0.75, 1.0)
MODES = ("edit", "replace")
MAX_KEPT_RATIO = 0.25
MIN_DIFFERENCE = 6.0
"""Mean absolute difference in 8-bit levels from which two faces of a sheet are plainly two: nearly three times what a
full smile changes (2.3; a change of hair length 4, two random visitors 15 to 63; default pack at 128 px)."""

FRAME_PX = 256
"""Pictures are shown to the finder at this size, with a border of a quarter: it looks for faces, not for crops."""


@dataclass(frozen=True, slots=True)
class TargetReport:
    """One target's figures.

    Attributes:
        name: Of the target.
        found, shown: Pictures in which a face was found, and pictures shown, over visitors, amounts and modes.
        from_average: Mean absolute difference from the average face, 8-bit levels.
        from_nearest: The same from the most similar other target, and which one that is.
        kept: Mean move of what the target does not speak of, in edit mode over that in replace mode, by MediaPipe's
            landmarks; NaN if it speaks of everything.
        kept_readout: The same by the portrait's identity parameters; NaN if the pack cannot read them.
    """

    name: str
    found: int
    shown: int
    from_average: float
    from_nearest: tuple[float, str]
    kept: float
    kept_readout: float

    @property
    def passed(self) -> bool:
        """Whether every figure is reached."""
        ratio = self.kept if np.isnan(self.kept_readout) else self.kept_readout
        kept = np.isnan(ratio) or ratio <= MAX_KEPT_RATIO
        different = min(self.from_average, self.from_nearest[0]) >= MIN_DIFFERENCE
        return bool(self.found == self.shown and kept and different)


@dataclass(frozen=True, slots=True)
class Report:
    """All targets."""

    rows: tuple[TargetReport, ...]
    visitors: int

    @property
    def passed(self) -> bool:
        """Whether every target passed."""
        return all(row.passed for row in self.rows)

    def text(self) -> str:
        """Write the figures as a table."""
        lines = [
            f"{self.visitors} random visitors, amounts {', '.join(map(str, AMOUNTS))}, modes {', '.join(MODES)}",
            f"{'target':<20} {'faces found':>12} {'from average':>13} {'from nearest':>26} {'visitor moved by':>26}",
        ]
        for row in self.rows:
            near, other = row.from_nearest
            lines.append(
                f"{row.name:<20} {f'{row.found}/{row.shown}':>12} {row.from_average:>13.1f} "
                f"{f'{near:.1f} ({other})':>26} {_percent(row.kept_readout):>9} ({_percent(row.kept):>4} MediaPipe)  "
                + ("ok" if row.passed else "FAILED")
            )
        lines.append(
            f"wanted: every face found; differences >= {MIN_DIFFERENCE:g} of 255 levels; what a target does not speak "
            f"of moved by <= {MAX_KEPT_RATIO:.0%} of a whole replacement (by the readout where the pack has one)"
        )
        return "\n".join(lines)


def measure(pack: Pack, targets: Sequence[Target], visitors: Latent) -> Report:
    """Measure some targets.

    Args:
        pack: Where they belong.
        targets: Which ones; the nearest other is looked for among all of the pack's.
        visitors: (n, num_ws, w_dim).
    """
    everyone = pack.targets
    faces = as_u8(pack.synthesize(np.stack([pack.w_avg, *(t.w_plus for t in everyone.values())]))).astype(np.float32)
    average, drawn = faces[0], dict(zip(everyone, faces[1:], strict=True))
    rows = []
    finder = FaceFinder()
    try:
        with Progress(len(targets) * len(MODES) * len(visitors), "verifying") as progress:
            for target in targets:
                others = {
                    name: _difference(drawn[target.name], face) for name, face in drawn.items() if name != target.name
                }
                nearest = min(others, key=lambda name: others[name], default="")
                found, shapes = 0, {}
                for mode in MODES:
                    shapes[mode] = np.full((len(visitors), len(AMOUNTS), len(MEASURES)), np.nan)
                    way = morphed(pack, visitors, target.name, target.w_plus, AMOUNTS, mode)
                    for i, latents in enumerate(way):
                        for j, picture in enumerate(as_u8(pack.synthesize(latents))):
                            landmarks = find_one(finder, picture)
                            if landmarks is not None:
                                found += 1
                                shapes[mode][i, j] = shape_of(landmarks)
                        progress.advance(note=f"{target.name}, {mode}")
                rows.append(
                    TargetReport(
                        name=target.name,
                        found=found,
                        shown=len(MODES) * len(visitors) * len(AMOUNTS),
                        from_average=_difference(drawn[target.name], average),
                        from_nearest=(others.get(nearest, np.inf), nearest),
                        kept=_kept(shapes, unnamed(applied(target))),
                        kept_readout=kept_by_readout(pack, target, visitors),
                    )
                )
    finally:
        finder.close()
    return Report(tuple(rows), len(visitors))


def find_one(finder: FaceFinder, picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """Find the face of a crop (r, r, 3): (478, 3) landmarks, or None. The crop is shown inside a mirrored border."""
    side = float(picture.shape[0])
    low, high = -0.25 * side, 1.25 * side
    framed = np.empty((FRAME_PX, FRAME_PX, 3), np.uint8)
    sample_square(picture, np.array([[low, low], [low, high], [high, high], [high, low]]) - 0.5, framed)
    found = locate(finder, framed)
    return found[0] if found else None


def kept_by_readout(pack: Pack, target: Target, visitors: Latent) -> float:
    """Mean move of identity parameters that a target does not speak of, edit over replace; NaN without a readout."""
    if "readout.onnx" not in pack.manifest.files:
        return float("nan")
    free = unnamed_parameters(applied(target), read_attributes())
    here, edited = (in_ranges(pack.read_out(w_plus)) for w_plus in (visitors, visitors + target.edit))
    replaced = in_ranges(pack.read_out(target.w_plus[None]))
    moved = [np.abs(there - here)[:, free].mean() for there in (edited, replaced)]
    return float(moved[0] / moved[1])


def applied(target: Target) -> dict[str, float]:
    """Give the moves that are in a target: the curator's weights included."""
    known = target.provenance
    return {name: move * known.curation.get(f"direction.{name}", 1.0) for name, move in known.moves.items()}


def _kept(shapes: dict[str, NDArray[np.float64]], free: NDArray[np.bool_]) -> float:
    """Mean move of the unnamed measures at amount 1, edit over replace, in spans between the outer eye corners.

    Visitors whose face was lost at an end do not count; NaN if nobody is left or all measures are named.
    """
    ends = {mode: (s[:, 0][:, free], s[:, -1][:, free]) for mode, s in shapes.items()}
    seen = np.all([np.isfinite(end).all(axis=1) for pair in ends.values() for end in pair], axis=0)
    if not seen.any() or not free.any():
        return float("nan")
    moved = {mode: np.abs(last - first)[seen].mean() for mode, (first, last) in ends.items()}
    return float(moved["edit"] / moved["replace"])


def _difference(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.abs(a - b).mean())


def _percent(part: float) -> str:
    return "-" if np.isnan(part) else f"{part:.0%}"
