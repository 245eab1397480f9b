"""`mirror check --kiosk` and `mirror check --privacy`: which of them, and how their findings are printed."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass

from installation.app import CONFIG_FILE
from installation.config import load_config


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, what was found, and whether that is right (None: does not apply here)."""

    name: str
    note: str
    good: bool | None = True


def main(options: argparse.Namespace) -> int:
    """Look; returns 0 if nothing is wrong."""
    path = options.config or (CONFIG_FILE if CONFIG_FILE.is_file() else None)
    config = load_config(path)
    wrong = 0
    if options.kiosk:
        from installation.kiosk.machine_check import look

        wrong += print_findings(look(config, path))
    if options.privacy:
        from installation.kiosk.privacy_check import look as look_at_privacy

        wrong += print_findings(look_at_privacy(config, options.pack, options.source, options.seconds))
    print(f"\n{wrong} to mend." if wrong else "\nAll is well.")
    return 1 if wrong else 0


def print_findings(findings: Iterable[Finding]) -> int:
    """Print one line each; returns how many are wrong."""
    wrong = 0
    for finding in findings:
        mark = {True: "✓", False: "✗", None: "–"}[finding.good]
        print(f"  {mark} {finding.name:<18}" + finding.note.replace("\n", "\n" + " " * 22), flush=True)
        wrong += finding.good is False
    return wrong
