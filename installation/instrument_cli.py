"""`mirror osc` and `mirror audio` with the config and pack of the show: the table they print is the one that is played.

No network is loaded: the names of targets and directions are in the pack's manifest.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from engines.runtime.manifest import read_manifest
from engines.runtime.paths import find_pack
from engines.runtime.targets import read_targets
from installation.config import Config, load_config
from installation.core.controls import ControlTable, control_table
from installation.devices import audio_cli, osc_cli
from installation.display.looks import look_controls, look_names
from installation.display.scene import VIEWS

CONFIG_FILE = Path("config.toml")


def osc(argv: Sequence[str]) -> int:
    """Run `mirror osc`."""
    config, pack, rest = _own_options(argv)
    return osc_cli.main(rest, table_of(config, find_pack(pack or config.engine.pack)), config.osc)


def audio(argv: Sequence[str]) -> int:
    """Run `mirror audio`."""
    config, _, rest = _own_options(argv)
    return audio_cli.main(rest, config.audio)


def table_of(config: Config, pack: Path) -> ControlTable:
    """The control table of a show with this config and pack.

    Raises:
        EngineError: If the pack's manifest or a target cannot be read.
    """
    manifest = read_manifest(pack)
    return control_table(
        tuple(read_targets(pack / "targets")),
        [name for name in manifest.directions if name not in config.engine.untouched],
        looks=look_names(config.display),
        views=VIEWS,
        uniforms=look_controls(config.display),
        num_ws=manifest.num_ws,
        styles=tuple(config.style.found()),
        style_strength=config.style.strength,
    )


def _own_options(argv: Sequence[str]) -> tuple[Config, str | None, list[str]]:
    """Config, pack, and the arguments that are the command's own."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--pack")
    options, rest = parser.parse_known_args(argv)
    path = options.config or (CONFIG_FILE if CONFIG_FILE.is_file() else None)
    return load_config(path), options.pack, rest
