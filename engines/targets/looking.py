"""`mirror targets list | show | sheet | verify`: look at what was made."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from engines.runtime import Pack, load_pack
from engines.runtime.targets import Target, list_targets, read_target, space_id
from engines.targets.captions import attributes_of, read_attributes
from engines.targets.chart import describe, draw_chart, rows_of
from engines.targets.sheet import Block, draw_sheet, save_picture
from engines.targets.studio import morphed, sample_faces, tile_for
from installation.errors import ConfigError, EngineError

SERIES = 5
"""How many targets the original work shows side by side."""

VISITOR_PSI = 0.7
"""Truncation of random visitors, as faces are usually sampled (StyleGAN, appendix B)."""

VISITORS_ABREAST = 3
AMOUNTS = (0.0, 0.25, 0.5, 0.75, 1.0)


def list_targets_of(options: argparse.Namespace) -> int:
    """Print the targets of a pack, one a line; those that cannot be used say why."""
    with load_pack(options.pack) as pack:
        folder = pack.path / "targets"
        names = list_targets(folder)
        if not names:
            print(f"{pack.name} has no targets yet; make some: mirror targets make")
            return 0
        usable, problems = [], []
        for name in names:
            try:
                usable.append(read_target(folder, name, space=space_id(pack.w_avg)))
            except EngineError as error:
                problems.append(str(error))
        for target in sorted(usable, key=lambda t: (t.order, t.name)):
            label = f"  [{target.label}]" if target.label else ""
            print(f'{target.name:<24} {target.provenance.route:<10} "{target.provenance.prompt}"{label}')
        for problem in problems:
            print(problem)
    return 0


def show(options: argparse.Namespace) -> int:
    """Print why targets look as they do and write a bar chart of each."""
    with load_pack(options.pack) as pack:
        named = attributes_of(pack.directions, read_attributes())
        for target in _chosen(pack, options.names):
            rows = rows_of(target, named)
            print(describe(target, rows))
            if not options.no_chart:
                path = options.chart / f"{target.name}.png"
                save_picture(draw_chart(target, rows), path)
                print(f"  chart: {path}")
    return 0


def sheet(options: argparse.Namespace) -> int:
    """Draw every target, then visitors on their way to some of them."""
    with load_pack(options.pack) as pack:
        targets = list(pack.targets.values())
        if not targets:
            raise EngineError(f"{pack.name} has no targets yet; make some: mirror targets make")
        latents = np.stack([pack.w_avg, *(target.w_plus for target in targets)])
        title = f"{pack.name}: the average face and {len(targets)} targets"
        columns = max(len(AMOUNTS) * min(options.visitors, VISITORS_ABREAST), 8)
        blocks = [Block(title, pack.synthesize(latents), ["w_avg", *(t.caption for t in targets)], columns)]
        visitors = sample_faces(pack, options.visitors, psi=VISITOR_PSI)
        for target in _chosen(pack, options.names):
            way = morphed(pack, visitors, target.name, target.w_plus, AMOUNTS, options.mode)
            captions = [f"{amount:.2f}" for _ in visitors for amount in AMOUNTS]
            pictures = pack.synthesize(way.reshape(-1, *pack.w_avg.shape))
            columns = len(AMOUNTS) * min(len(visitors), VISITORS_ABREAST)
            blocks.append(Block(f"{target.caption} ({options.mode})", pictures, captions, columns))
        save_picture(draw_sheet(blocks, tile_for(pack)), options.out)
        print(options.out)
    return 0


def verify(options: argparse.Namespace) -> int:
    """Measure the targets of a pack and print a table."""
    from engines.targets.verify import measure

    with load_pack(options.pack) as pack:
        report = measure(pack, _chosen(pack, options.names), sample_faces(pack, options.visitors, psi=VISITOR_PSI))
        print(report.text())
        return 0 if report.passed else 1


def _chosen(pack: Pack, names: Sequence[str]) -> list[Target]:
    targets = pack.targets
    if missing := [name for name in names if name not in targets]:
        raise ConfigError(f"{pack.name} has no target {', '.join(missing)}; it has {', '.join(targets) or 'none yet'}")
    return [targets[name] for name in names] if names else list(targets.values())[:SERIES]
