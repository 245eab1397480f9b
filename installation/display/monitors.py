"""Monitors by number or by name."""

from __future__ import annotations

import ctypes
from typing import Any


def choose_monitor(wanted: str | int, names: list[str]) -> int | None:
    """Pick a monitor by number or by name.

    Args:
        wanted: Number from 0, a name, a part of a name in any case, or "" for the first (the primary).
        names: Connected monitors, the primary first.

    Returns:
        Its number, or None if it is not connected. An exact name wins over a part of one.
    """
    if isinstance(wanted, int):
        return wanted if 0 <= wanted < len(names) else None
    if not wanted:
        return 0 if names else None
    folded = [name.casefold() for name in names]
    if wanted.casefold() in folded:
        return folded.index(wanted.casefold())
    return next((index for index, name in enumerate(folded) if wanted.casefold() in name), None)


def monitor_names(glfw: Any) -> list[str]:
    """Names of the connected monitors, the primary first."""
    return [text_of(glfw.get_monitor_name(monitor)) for monitor in glfw.get_monitors()]


def text_of(name: bytes | str | None) -> str:
    """Return what glfw calls something, as text."""
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name or "unnamed monitor"


def address_of(pointer: Any) -> int | None:
    """Return the identity of a monitor, to tell whether it is the same one."""
    return ctypes.cast(pointer, ctypes.c_void_p).value
