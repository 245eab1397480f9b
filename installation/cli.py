"""The command line: `mirror COMMAND`. Parses, calls, and turns errors into one sentence and an exit code.

Each command's module is imported only when it is called, so that `mirror --help` is instant.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from installation.errors import MirrorError
from installation.runtime.lazy import call

INTERRUPTED = 130

DELEGATED = {
    "models": ("engines.models_cli:main", "list, show, import, build, train and verify model packs"),
    "targets": ("engines.targets.cli:main", "make, list, show and draw targets from prompts"),
    "audit": ("engines.audit.cli:main", "what a model believes about words: a report with its doubts"),
    "osc": ("installation.instrument_cli:osc", "monitor OSC traffic, write layouts for OSC surfaces"),
    "audio": ("installation.instrument_cli:audio", "show what the microphone hears"),
    "portrait": ("installation.studio.portrait_cli:main", "portraits from photographs: series, films, sheets"),
    "studio": ("installation.studio.server:main", "a page here: portraits from a photograph or the webcam"),
    "kiosk": ("installation.kiosk.cli:main", "the show that nobody tends; also: acknowledge, install"),
    "rehearse": ("installation.kiosk.rehearse_cli:main", "inject faults into a running kiosk and time its recovery"),
}
"""Commands that bring their own parser: name -> (function taking the arguments, help)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `mirror`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(arguments)
    except MirrorError as error:
        print(f"mirror: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of our output has gone
        return 0


def _dispatch(arguments: list[str]) -> int:
    if arguments and arguments[0] in DELEGATED:
        where, _ = DELEGATED[arguments[0]]
        return int(call(where, arguments[1:]) or 0)
    options = _parser().parse_args(arguments)
    if options.command == "run":
        from installation.app import RunOptions, run

        return run(RunOptions.from_arguments(options))
    if options.command == "check":
        if options.privacy or options.kiosk:
            return int(call("installation.kiosk.checks:main", options))
        from installation.check import check

        return check(options.config, options.pack, options.source)
    if options.seam:
        return int(call("installation.seam_bench:bench_seam", options))
    if options.screen:
        return int(call("installation.screen_bench:bench_screen", options))
    if options.throttle:
        return int(call("installation.throttle_bench:throttle", options))
    from installation.bench import bench

    return bench(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mirror", description="A real-time mirror for galleries.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="the show")
    add_show_options(run)
    run.add_argument("--headless", action="store_true", help="draw without a screen, through EGL")
    run.add_argument("--seconds", type=positive, metavar="S", help="stop after so many seconds")
    run.add_argument("--record", type=Path, metavar="F.mp4", help="record the screen to a film")
    run.add_argument("--sheet", type=Path, metavar="F.png", help="write a contact sheet of the show at its end")
    run.add_argument("--report", type=Path, metavar="F.json", help="write the figures of the run")
    run.add_argument("--view", help="portrait, mirror, split, series, strip or ghosts")
    run.add_argument("--overlay", action="store_true", help="begin with the technician's overlay")
    run.add_argument("--as-fast-as-possible", action="store_true", help="play a file without waiting for its clock")
    check = commands.add_parser("check", help="rehearsal before doors: tries everything, exit code tells")
    add_show_options(check)
    check.add_argument("--privacy", action="store_true", help="run the show under a trace and print what it touches")
    check.add_argument("--kiosk", action="store_true", help="look whether this machine is set up to run alone")
    check.add_argument(
        "--seconds", type=positive, default=30.0, metavar="S", help="--privacy: length of the traced show"
    )
    bench = commands.add_parser("bench", help="measure: stage times, frame rate, latency")
    add_show_options(bench)
    bench.add_argument("--backend", default=None, help="auto, tensorrt, cuda, openvino or torch")
    bench.add_argument("--runs", type=int, default=0, metavar="N", help="only run the networks N times: memory growth")
    bench.add_argument("--control", action="store_true", help="only play a show over OSC: delay of a control, flood")
    bench.add_argument("--seconds", type=positive, default=60.0, metavar="S", help="length of the measured show")
    bench.add_argument("--json", action="store_true", help="print JSON instead of tables")
    bench.add_argument("--seam", action="store_true", help="is the mirror view's seam still, and the rest untouched?")
    bench.add_argument("--throttle", action="store_true", help="networks held to 2, 10, 25 Hz: is the screen smooth?")
    bench.add_argument(
        "--screen", action="store_true", help="only the way to the screen: over the host, inside the GPU"
    )
    bench.add_argument("--networks-only", action="store_true", help="leave out the show: time the networks alone")
    for name, (_, text) in DELEGATED.items():
        commands.add_parser(name, help=text, add_help=False)
    return parser


def add_show_options(parser: argparse.ArgumentParser) -> None:
    """Add what every command that runs the show takes."""
    parser.add_argument("--config", type=Path, metavar="F", help="config file; config.toml here, if there is one")
    parser.add_argument("--source", help="camera:0, camera:NAME, a path, a URL or synthetic")
    parser.add_argument("--pack", help="name or folder of a model pack")


def positive(text: str) -> float:
    """Read a number above 0, for argparse."""
    value = float(text)
    if not 0.0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text} must be above 0")
    return value


def scratch_file(suffix: str) -> Path:
    """Name a file that does not exist yet, in the system's folder for such."""
    handle, name = tempfile.mkstemp(suffix=suffix, prefix="mirror-")
    os.close(handle)
    return Path(name)


if __name__ == "__main__":
    sys.exit(main())
