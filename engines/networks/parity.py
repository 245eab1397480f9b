"""Compare our networks with reference outputs of the public implementations: `python -m engines.networks.parity`.

    python -m engines.networks.parity --reference DIR [--backend torch] [--only CASE ...]

The reference folder holds outputs for weights made by a rule (`engines.networks.fill_rule`). Every array in it is
compared: on the networks themselves, and once more through a pack, imported from a checkpoint of the layout filled
by the rule and opened with `load_pack`. The table gives, in float64, the largest difference and the relative L2 norm,
what is accepted, and whether it holds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from engines.importers.checkpoint import import_checkpoint
from engines.importers.safetensors import write_safetensors
from engines.lazy import LazyArray
from engines.networks.fill_rule import filled_lazily
from engines.networks.parity_cases import NETWORKS, PACKS
from engines.networks.parity_table import Row, Table
from engines.runtime import load_pack
from engines.runtime.pack import Pack


def compare(reference: Path, backend: str, only: list[str], show: Callable[[Row], None] = print) -> list[Row]:
    """Run the comparisons.

    Args:
        reference: The reference folder.
        backend: Which back-end opens the packs.
        only: Cases to run; all if empty.
        show: Told each row as it is known.

    Returns:
        Every row.
    """
    rows: list[Row] = []
    with torch.inference_mode(), tempfile.TemporaryDirectory(prefix="parity-") as work:
        for case, (name, run) in NETWORKS.items():
            if not only or case in only:
                with np.load(reference / f"{name}.npz") as arrays:
                    table = Table(case, dict(arrays), show)
                run(table)
                rows += table.rows
        for case, (name, source, run_pack) in PACKS.items():
            if not only or case in only:
                with np.load(reference / f"{name}.npz") as arrays:
                    table = Table(case, dict(arrays), show)
                with _imported(reference, source, Path(work), backend) as pack:
                    run_pack(table, pack)
                rows += table.rows
    return rows


def write_filled(manifest: Path, path: Path) -> None:
    """Write the checkpoint that a manifest describes, filled by the rule, as safetensors."""
    layout = json.loads(manifest.read_text("utf-8"))["layout"]
    tensors: dict[str, LazyArray] = {}
    notes: dict[str, str] = {}
    for key, value in layout.items():
        if isinstance(value, dict) and "shape" in value:
            tensors |= filled_lazily({key: tuple(value["shape"])})
        elif key == "opts":
            notes["opts"] = json.dumps(value)
        else:
            tensors |= filled_lazily({name: tuple(entry["shape"]) for name, entry in value.items()})
    write_safetensors(path, tensors, notes)


@contextmanager
def _imported(reference: Path, source: str, work: Path, backend: str) -> Iterator[Pack]:
    checkpoint = reference / source
    if not checkpoint.is_file():
        checkpoint = work / f"{source}.safetensors"
        write_filled(reference / "manifests" / f"{source}.json", checkpoint)
    folder = work / f"pack-{Path(source).stem}"
    import_checkpoint(checkpoint, folder)
    with load_pack(folder, backend) as pack:
        yield pack
    for path in (*folder.iterdir(), *work.glob(f"{source}.safetensors")):
        path.unlink()


def main() -> int:
    """Run from the command line; the exit code is 1 if an array is not within its tolerance."""
    parser = argparse.ArgumentParser(prog="python -m engines.networks.parity", description=__doc__.splitlines()[0])
    parser.add_argument("--reference", type=Path, required=True, metavar="DIR", help="folder with the reference arrays")
    parser.add_argument("--backend", default="torch", help="which back-end opens the packs (torch)")
    choices = [*NETWORKS, *PACKS]
    parser.add_argument(
        "--only", nargs="+", default=[], choices=choices, metavar="CASE", help=f"of: {', '.join(choices)}"
    )
    options = parser.parse_args()
    print(f"{'case':<24} {'array':<34} {'max d':>9} {'rel L2':>9}  {'accept':<22}")
    rows = compare(options.reference, options.backend, options.only)
    missed = sum(not row.ok for row in rows)
    print(f"{len(rows)} arrays, {missed} not within their tolerance")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
