"""`mirror rehearse`: break a running kiosk on purpose, and print how long it took to recover.

mirror rehearse                    every fault once
mirror rehearse --faults 200       so many at random
mirror rehearse --soak 2h          nothing but time: memory, files and threads; --watch: and what it touches
mirror rehearse --reconnects 1000  the camera hangs up again and again
"""

from __future__ import annotations

import argparse
import json
import random
import re
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from installation.errors import MirrorError
from installation.kiosk.alone import run_alone
from installation.kiosk.endurance import reconnects, soak
from installation.kiosk.faults import FAULTS, NEED_SOUND, Fault, not_here
from installation.kiosk.finding import print_findings
from installation.kiosk.growth import GrowthWatch
from installation.kiosk.judge import judge_heard
from installation.kiosk.rehearsal import Rehearsal, RehearsalOptions

RECOVERY_LIMIT_S = 15.0
BLACK_LIMIT_S = 3.0
_PATIENCE_S = 60.0
_SETTLE_S = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one fault did. Times in seconds; `recovered_s` is None if it never was well again; `flaw` is what else is
    wrong, in a few words."""

    fault: str
    recovered_s: float | None
    black_s: float | None
    flaw: str = ""

    @property
    def good(self) -> bool:
        """Whether it kept the limits."""
        black = self.black_s is None or self.black_s <= BLACK_LIMIT_S
        return not self.flaw and black and self.recovered_s is not None and self.recovered_s <= RECOVERY_LIMIT_S


def main(argv: Sequence[str]) -> int:
    """Entry point of `mirror rehearse`."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.watch and options.soak is None:
        parser.error("--watch goes with --soak; faults are watched by their recovery")
    if options.watch:
        return _watched(argv)
    # Asked to end, it ends what it has started, as with Ctrl-C.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    show = RehearsalOptions(
        config=options.config,
        pack=options.pack,
        film=options.film,
        headless=options.headless,
        verbose=options.verbose,
        size=options.size,
        watched=options.watched,
    )
    if options.soak is not None:
        code, told = soak(show, options.soak)
    elif options.reconnects is not None:
        code, told = reconnects(show, options.reconnects)
    else:
        code, told = faults(show, options.faults, options.only, options.seed)
    if options.json is not None:
        options.json.write_text(json.dumps(told, indent=2) + "\n", "utf-8")
    return code


def faults(options: RehearsalOptions, count: int | None, only: str | None, seed: int) -> tuple[int, dict[str, Any]]:
    """Inject faults, each once or `count` at random; print a line for each."""
    rehearsal = Rehearsal(replace(options, sound=only is None or any(only in name for name in NEED_SOUND)))
    outcomes: list[Outcome] = []
    growth = GrowthWatch()
    with rehearsal:
        absent = not_here(rehearsal)
        chosen = [fault for fault in FAULTS if fault.name not in absent and (only is None or only in fault.name)]
        if not chosen:
            raise MirrorError(f"no fault is called {only!r}; there are: {', '.join(fault.name for fault in FAULTS)}")
        rng = random.Random(seed)
        queue = chosen if count is None else [rng.choice(chosen) for _ in range(count)]
        print(f"{'':2}{'fault':<22}{'well again':>11}{'black':>8}   what", flush=True)
        for fault in queue:
            outcome = _try(rehearsal, fault)
            outcomes.append(outcome)
            print(_line(outcome, fault.what), flush=True)
            growth.sample(time.monotonic(), rehearsal.resources())
            if not outcome.good and options.verbose:
                print(rehearsal.log_tail())
            if outcome.recovered_s is None:
                print(f"\nit never came back; the kiosk's log ends:\n{rehearsal.log_tail()}")
                break
        if only is None and count is None:
            for name, why in absent.items():
                print(f"- {name:<22}{'not here':>11}{'':8}   {why}")
    if count is not None:
        print(f"\n{summary(outcomes)}")
    left = rehearsal.left
    bad = [outcome for outcome in outcomes if not outcome.good]
    print(f"\n{len(outcomes)} faults, {len(bad)} beyond the limits ({RECOVERY_LIMIT_S:g} s, black {BLACK_LIMIT_S:g} s)")
    print(f"left behind: {', '.join(left) or 'nothing'}")
    print(growth.table())
    told = {"outcomes": [asdict(o) for o in outcomes], "left": left, "growth": growth.figures()}
    return (1 if bad or left else 0), told


def summary(outcomes: Sequence[Outcome]) -> str:
    """One line for each kind of fault: how often, recovery in the middle and at worst, the longest black."""
    lines = [f"{'fault':<22}{'times':>6}{'median':>9}{'worst':>9}{'black':>9}"]
    for name in sorted({outcome.fault for outcome in outcomes}):
        kind = [outcome for outcome in outcomes if outcome.fault == name]
        times = sorted(float("inf") if o.recovered_s is None else o.recovered_s for o in kind)
        black = max(outcome.black_s or 0.0 for outcome in kind)
        lines.append(f"{name:<22}{len(kind):>6}{median(times):>7.1f} s{times[-1]:>7.1f} s{black:>7.1f} s")
    return "\n".join(lines)


def _try(rehearsal: Rehearsal, fault: Fault) -> Outcome:
    rehearsal.begin()
    fault.inject(rehearsal)
    flaw = ""
    if fault.hold_s is not None:
        time.sleep(fault.hold_s)
        flaw = fault.flaw(rehearsal)
        fault.undo(rehearsal)
    since = time.monotonic()
    well = rehearsal.wait_well(_PATIENCE_S, with_face=True, also=lambda: fault.mended(rehearsal))
    time.sleep(_SETTLE_S)
    black = rehearsal.screen.longest_black_s() if rehearsal.screen is not None else None
    if fault.hold_s is None and well is not None:
        flaw = fault.flaw(rehearsal)
        fault.undo(rehearsal)
    return Outcome(fault.name, None if well is None else max(0.0, well - since), black, flaw)


def _watched(argv: Sequence[str]) -> int:
    """Rehearse once more, in a network of its own and with every file and address followed."""
    command = [sys.executable, "-m", "installation.cli", "rehearse"]
    command += ["--watched" if word == "--watch" else word for word in argv]
    ended = run_alone(command)
    return max(ended.code, min(1, print_findings(judge_heard(ended.heard))))


def _line(outcome: Outcome, what: str) -> str:
    mark = "✓" if outcome.good else "✗"
    well = "never" if outcome.recovered_s is None else f"{outcome.recovered_s:.1f} s"
    black = "?" if outcome.black_s is None else f"{outcome.black_s:.1f} s"
    return f"{mark} {outcome.fault:<22}{well:>11}{black:>8}   {what}{f'; but {outcome.flaw}' if outcome.flaw else ''}"


def _duration(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|min|h)?", text)
    if match is None or float(match[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write 90s, 10min or 2h")
    return float(match[1]) * {"h": 3600.0, "m": 60.0, "min": 60.0}.get(match[2], 1.0)


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{2,5})x(\d{2,5})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 640x360")
    return int(match[1]), int(match[2])


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number from 1")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mirror rehearse",
        description="Break a running kiosk on purpose.",
        epilog="faults: " + ", ".join(fault.name for fault in FAULTS),
    )
    parser.add_argument("--config", type=Path, metavar="F", help="config file; ports, hours and folders are replaced")
    parser.add_argument("--pack", help="name or folder of a model pack")
    parser.add_argument("--film", type=Path, metavar="F", help="what the camera sees; the synthetic visitor")
    parser.add_argument("--headless", action="store_true", help="without Xvfb: black screens are not measured")
    parser.add_argument("--faults", type=_count, metavar="N", help="so many faults at random instead of each once")
    parser.add_argument("--only", metavar="NAME", help="faults with this in their name")
    parser.add_argument("--seed", type=int, default=0, help="of the random choice")
    parser.add_argument(
        "--soak", type=_duration, metavar="TIME", help="no faults: watch growth for 90s, 10min, 2h, 72h"
    )
    parser.add_argument("--reconnects", type=_count, metavar="N", help="the camera hangs up so many times")
    parser.add_argument("--size", type=_size, default=(640, 360), metavar="WxH", help="of the screen, in pixels")
    parser.add_argument(
        "--watch", action="store_true", help="soak: in a network of its own, every file and address followed (strace)"
    )
    parser.add_argument("--watched", action="store_true", help=argparse.SUPPRESS)  # what --watch starts
    parser.add_argument("--verbose", action="store_true", help="print the kiosk's log where a limit was not kept")
    parser.add_argument("--json", type=Path, metavar="F", help="write the figures")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
