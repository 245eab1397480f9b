"""The few small files that the kiosk keeps: resume state, acknowledgement, summaries. Numbers and names only."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from installation.config import Config
from installation.errors import ConfigError
from installation.kiosk.config import KioskConfig, PrivacyConfig

MAX_STATE_BYTES = 1 << 20


class NotAcknowledged(ConfigError):
    """Nobody has confirmed the notice yet. systemd is told not to try again on this code."""

    exit_code = 78  # EX_CONFIG of sysexits.h


def state_folder(config: KioskConfig) -> Path:
    """Where the kiosk's files lie; not made here."""
    if config.state_folder:
        return Path(config.state_folder).expanduser()
    root = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(os.environ.get("MIRROR_STATE") or Path(root) / "machine-reflections")


def read_state(path: Path) -> dict[str, Any]:
    """Read a state file; an absent, damaged or oversized one is an empty state: the show begins from the start."""
    try:
        if path.stat().st_size > MAX_STATE_BYTES:
            return {}
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_state(path: Path, state: Mapping[str, Any]) -> bool:
    """Write whole or not at all, so that a power cut leaves the old or the new; false if the disk refuses."""
    partial = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8") as file:
            json.dump(state, file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):  # it may not even be there
            partial.unlink()
        return False
    return True


def notice_digest(config: Config) -> str:
    """What was acknowledged: the words, how long they stand, whether pictures may be kept, and where they go."""
    privacy: PrivacyConfig = config.privacy
    matter = [sorted(privacy.notice.items()), privacy.notice_s > 0, config.keepsake.enabled, config.display.snapshots]
    matter += [config.out.named] if config.out.named else []
    return hashlib.sha256(json.dumps(matter, ensure_ascii=False).encode()).hexdigest()


def acknowledge(config: Config) -> Path:
    """Write down that the operator has read and accepted the notice.

    Raises:
        ConfigError: If it cannot be written.
    """
    path = state_folder(config.kiosk) / "acknowledged.json"
    if not write_state(path, {"notice": notice_digest(config), "at": datetime.now(UTC).isoformat()}):
        raise ConfigError(f"{path} cannot be written; free some space or set [kiosk] state_folder")
    return path


def is_acknowledged(config: Config) -> bool:
    """Whether this very notice was acknowledged."""
    return read_state(state_folder(config.kiosk) / "acknowledged.json").get("notice") == notice_digest(config)


def require_acknowledgement(config: Config) -> None:
    """Refuse to run a kiosk that nobody has looked at.

    Raises:
        NotAcknowledged: With what to do.
    """
    if not is_acknowledged(config):
        raise NotAcknowledged(
            "the notice for visitors has not been acknowledged (or has changed since). "
            "Read it and confirm it once: mirror kiosk acknowledge"
        )
