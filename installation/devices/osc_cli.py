"""`mirror osc`: surfaces written from the control table, and a look at the traffic.

mirror osc layout [--touchosc] [--target HOST:PORT] [--out FILE]
mirror osc list                  every address, for people
mirror osc monitor [--host H] [--port P] [--listen P]   subscribe to a running mirror and print what it says
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from installation.core.controls import ControlTable, control_table
from installation.devices.instrument_config import OscConfig
from installation.devices.osc_codec import PacketRefused, build_message, parse_message, split_packet
from installation.devices.osc_layout import open_stage_control, touch_osc
from installation.devices.performer_page import control_rows
from installation.errors import ConfigError, DeviceError

DEFAULT_TARGETS = ("strength", "leadership", "power", "femininity", "beauty")
_RENEW_S = 20.0


def main(argv: Sequence[str], table: ControlTable | None = None, config: OscConfig | None = None) -> int:
    """Run `mirror osc`; returns the exit code.

    Args:
        argv: What follows `mirror osc`.
        table: Of the pack that will be shown; without it the names of the default targets and no directions.
        config: Section `[osc]`.

    Raises:
        DeviceError: If nothing answers, or a file cannot be written.
    """
    config = config or OscConfig()
    table = table or control_table(DEFAULT_TARGETS, ())
    parser = argparse.ArgumentParser("mirror osc", description="Surfaces and a monitor for OSC.")
    commands = parser.add_subparsers(dest="what", required=True)
    layout = commands.add_parser("layout", help="write a surface from the control table")
    layout.add_argument("--touchosc", action="store_true", help="for TouchOSC (.tosc) instead of Open Stage Control")
    layout.add_argument("--target", default=f"127.0.0.1:{config.port}", help="host and port of the mirror")
    layout.add_argument("--cue", action="append", default=[], help="name of a cue to put on the surface")
    layout.add_argument("--out", type=Path, help="file to write; standard output without it")
    commands.add_parser("list", help="print every address")
    monitor = commands.add_parser("monitor", help="print what a running mirror says")
    monitor.add_argument("--host", default="127.0.0.1")
    monitor.add_argument("--port", type=int, default=config.port)
    monitor.add_argument("--seconds", type=float, help="end after so many seconds")
    options = parser.parse_args(argv)
    if options.what == "layout":
        return _layout(table, options)
    if options.what == "list":
        print("\n".join("  ".join(row) for row in control_rows(table)))
        return 0
    return _monitor(options.host, options.port, options.seconds)


def _layout(table: ControlTable, options: argparse.Namespace) -> int:
    if options.touchosc:
        data = touch_osc(table, options.cue)
    else:
        data = open_stage_control(table, options.target, options.cue).encode()
    if options.out is None:
        if options.touchosc and sys.stdout.isatty():
            raise ConfigError("a TouchOSC document is not text; give a file: --out mirror.tosc")
        sys.stdout.buffer.write(data)
        return 0
    try:
        options.out.write_bytes(data)
    except OSError as error:
        raise DeviceError(f"{options.out} cannot be written: {error.strerror or error}") from error
    print(f"{options.out}: {len(data)} bytes")
    return 0


def _monitor(host: str, port: int, seconds: float | None) -> int:
    """Subscribe and print; renews the subscription while it runs."""
    heard = 0
    began = time.monotonic()
    renew_at = began
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.2)
        try:
            sock.connect((host, port))
            while seconds is None or time.monotonic() - began < seconds:
                if time.monotonic() >= renew_at:
                    sock.send(build_message("/mirror/subscribe"))
                    renew_at = time.monotonic() + _RENEW_S
                try:
                    data = sock.recv(65536)
                except TimeoutError:
                    continue
                for message in split_packet(data):
                    address, args = parse_message(message.data)
                    print(f"{time.monotonic() - began:9.3f}  {address}  {' '.join(map(str, args))}", flush=True)
                    heard += 1
        except (OSError, PacketRefused) as error:
            raise DeviceError(
                f"nothing that speaks OSC answers at {host}:{port}: {error}; is the mirror on?"
            ) from error
        except KeyboardInterrupt:
            pass
        else:
            if not heard:
                raise DeviceError(
                    f"nothing answers at {host}:{port}; is the mirror on, and does [osc] allow this machine?"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
