"""The config of a rehearsed kiosk: the operator's, with its files, ports, hours and budget out of the way."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from installation.config import Config
from installation.kiosk.sound import INPUT

HEARD = "/mirror/glide"
"""What the sound plays in a rehearsal: 0 at rest, `LOUDEST` at the loudest. Nobody sees it, and a show that is started
again does not recall it, as it recalls what belongs to a cue."""

LOUDEST = 0.01


def rehearsed(
    base: Config, folder: Path, size: tuple[int, int], changes: Mapping[str, Mapping[str, Any]], *, hears: bool
) -> Config:
    """Change what a rehearsal needs.

    Args:
        base: The operator's.
        folder: For all that the kiosk writes.
        size: Of the screen, width and height in pixels.
        changes: Further changes, section -> key -> value.
        hears: The rehearsal's own sound server is what the show listens to.
    """
    given = base.model_dump(exclude_defaults=True)
    needed: dict[str, dict[str, Any]] = {
        "kiosk": {"state_folder": str(folder / "state"), "restarts": 100, "restart_at": "", "loop_s": 6.0},
        "hours": {},
        "health": {"enabled": True, "host": "127.0.0.1", "port": 0},
        "docent": {"enabled": False},
        "osc": _osc(),
        # without cross-fades: Mesa compiles them when they come, and where memory is out the process ends there
        "display": {"size": size, "fullscreen": False, "hot_reload": False, "view_fade_s": 0.0},
        "privacy": {"notice_s": 0.5},
        "visit": {"approach_s": 0.5, "reflect_s": 1.0, "morph_s": 1.0, "reveal_s": 1.0, "return_s": 0.5},
        "camera": {"retry_max_s": 2.0},
    }
    if hears:
        needed["audio"] = {"source": INPUT, "host_api": "ALSA", "gain": "fixed", "retry_max_s": 2.0}
        rows = given.get("mappings", {}).get("row", ())
        needed["mappings"] = {
            "row": [*rows, {"source": "audio.level", "address": HEARD, "out_low": 0.0, "out_high": LOUDEST}]
        }
    merged = {**given, "hours": {}}
    for section, values in [*needed.items(), *changes.items()]:
        merged[section] = {**merged.get(section, {}), **values}
    return Config.model_validate(merged)


def _osc() -> dict[str, Any]:
    here: dict[str, Any] = {"enabled": True, "host": "127.0.0.1", "port": _free_udp_port(), "allow": ["127.0.0.0/8"]}
    return {**here, "query": False, "tcp": False, "announce": False}


def _free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
