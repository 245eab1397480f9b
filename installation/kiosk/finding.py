"""One line of a check: what was looked at and what was found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, what was found, and whether that is right (None: does not apply here)."""

    name: str
    note: str
    good: bool | None = True


def print_findings(findings: Iterable[Finding]) -> int:
    """Print one line each; returns how many are wrong."""
    wrong = 0
    for finding in findings:
        mark = {True: "✓", False: "✗", None: "–"}[finding.good]
        print(f"  {mark} {finding.name:<18}" + finding.note.replace("\n", "\n" + " " * 22), flush=True)
        wrong += finding.good is False
    return wrong
