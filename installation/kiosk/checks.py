"""`mirror check --kiosk` and `mirror check --privacy`: which of them is asked for."""

from __future__ import annotations

import argparse

from installation.app import CONFIG_FILE
from installation.config import load_config
from installation.kiosk.finding import print_findings


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
