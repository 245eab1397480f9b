"""Monitors by number, by the name of their plug, or by what they say of themselves (EDID)."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

from installation.display.edid import describe_edid, kernel_edid, x11_reader


@dataclass(frozen=True, slots=True)
class Place:
    """Where a monitor is and how it runs; a monitor that changes is one with another place.

    Attributes:
        identity: Of glfw's monitor; another one after unplugging.
        position: Of its top-left corner on the desktop, screen units.
        size: Of its picture, pixels.
        hz: Refresh rate, 0 where it does not say.
    """

    identity: int | None
    position: tuple[int, int]
    size: tuple[int, int]
    hz: int


def choose_monitor(wanted: str | int, names: list[str]) -> int | None:
    """Pick a monitor by number or by name.

    Args:
        wanted: Number from 0, a name, a part of a name in any case, or "" for the first (the primary).
        names: Connected monitors, the primary first, as `monitor_names` gives them.

    Returns:
        Its number, or None if it is not connected. An exact name or plug wins over a part of one.
    """
    if isinstance(wanted, int):
        return wanted if 0 <= wanted < len(names) else None
    if not wanted:
        return 0 if names else None
    sought = wanted.casefold()
    folded = [name.casefold() for name in names]
    for candidates in (folded, [name.partition(" (")[0] for name in folded]):
        if sought in candidates:
            return candidates.index(sought)
    return next((index for index, name in enumerate(folded) if sought in name), None)


def monitor_names(glfw: Any) -> list[str]:
    """Names of the connected monitors, the primary first: "PLUG (MAKER model serial)" where they tell."""
    return [_name(glfw, monitor) for monitor in glfw.get_monitors()]


def place_of(glfw: Any, monitor: Any) -> Place | None:
    """Where a monitor is now; None for none, and for one that is just going."""
    mode = glfw.get_video_mode(monitor) if monitor is not None else None
    if mode is None:
        return None
    identity = ctypes.cast(monitor, ctypes.c_void_p).value
    return Place(identity, tuple(glfw.get_monitor_pos(monitor)), tuple(mode.size), mode.refresh_rate)


def text_of(name: bytes | str | None) -> str:
    """Return what glfw calls something, as text."""
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name or "unnamed monitor"


def _name(glfw: Any, monitor: Any) -> str:
    """Name one monitor. Asked once of each: an X server ends a client that asks about an output which has just gone."""
    name: str | None = glfw.get_monitor_user_pointer(monitor)
    if name is None:
        plug = text_of(glfw.get_monitor_name(monitor))
        told = describe_edid(_edid(glfw, monitor, plug))
        name = f"{plug} ({told})" if told else plug
        glfw.set_monitor_user_pointer(monitor, name)
    return name


def _edid(glfw: Any, monitor: Any, plug: str) -> bytes:
    if glfw.get_platform() != glfw.PLATFORM_X11:
        return kernel_edid(plug)
    read = x11_reader()
    return read(glfw.get_x11_display(), glfw.get_x11_monitor(monitor)) if read is not None else b""
