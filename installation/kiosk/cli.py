"""`mirror kiosk`, `mirror kiosk acknowledge`, `mirror kiosk install`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from installation.app import CONFIG_FILE
from installation.cli import add_show_options, positive
from installation.config import Config, load_config
from installation.errors import ConfigError


def main(argv: Sequence[str]) -> int:
    """Entry point of `mirror kiosk`."""
    options = _parser().parse_args(argv)
    if options.what == "acknowledge":
        return acknowledge(load_config(_config_path(options.config)), yes=options.yes)
    if options.what == "install":
        from installation.kiosk.install import install

        return install(options.session, config=_config_path(options.config), write=not options.dry_run)
    from installation.kiosk.company import KioskOptions
    from installation.kiosk.run import run_kiosk

    return run_kiosk(
        KioskOptions(options.config, options.source, options.pack, options.headless, options.seconds, options.report)
    )


def acknowledge(config: Config, *, yes: bool) -> int:
    """Show the notice in all its languages, and write down that the operator accepts it.

    Raises:
        ConfigError: If nobody can be asked, or the answer was another.
    """
    from installation.kiosk.state import acknowledge as write_down

    print("Visitors read this before the mirror shows anything of them:\n")
    for language, text in config.privacy.notice.items():
        print(f"  [{language}] " + text.replace("\n", "\n       "))
    if config.privacy.notice_s <= 0:
        print("\n  It is switched OFF ([privacy] notice_s = 0): you must tell visitors in another way.")
    if config.keepsake.enabled:
        print(f"\n  Pictures are kept on request, for {config.keepsake.keep_s:g} s ([keepsake]).")
    if config.display.snapshots:
        print("\n  The key S saves pictures ([display] snapshots).")
    for way, name in config.out.named.items():
        print(f"\n  The picture on the screen leaves the machine, and the screen says so ([out] {way} = {name!r}).")
    print("\nPut up the wall sign as well: docs/PRIVACY.md has a text, and an assessment to fill in.")
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigError("there is no terminal to ask on; say yes with: mirror kiosk acknowledge --yes")
        if input("Type yes if this is right for this exhibition: ").strip().lower() != "yes":
            raise ConfigError("not acknowledged; change the texts in [privacy] of the config and come back")
    print(f"Acknowledged: {write_down(config)}")
    return 0


def _config_path(given: Path | None) -> Path | None:
    return given or (CONFIG_FILE if CONFIG_FILE.is_file() else None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mirror kiosk", description="The show that nobody tends.")
    parser.add_argument("what", nargs="?", choices=("run", "acknowledge", "install"), default="run")
    add_show_options(parser)
    parser.add_argument("--headless", action="store_true", help="draw without a screen, through EGL")
    parser.add_argument("--seconds", type=positive, metavar="S", help="stop so many seconds after the first picture")
    parser.add_argument("--report", type=Path, metavar="F.json", help="write the figures of the run")
    parser.add_argument("--yes", action="store_true", help="acknowledge: without asking")
    parser.add_argument(
        "--session", choices=("cage", "x11"), default="cage", help="install: what the screen runs under"
    )
    parser.add_argument("--dry-run", action="store_true", help="install: print what would be written")
    return parser
