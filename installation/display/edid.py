"""What a monitor says about itself: maker, model and serial number, from its EDID.

Outputs are named by the plug ("HDMI-1"), and plugs get swapped; model and serial number stay with the projector. X11
hands the block out as a property of the output; elsewhere on Linux the kernel has it as a file.

Source: VESA E-EDID Standard, release A revision 2 (2006), sections 3.4 (maker, product) and 3.10.3 (descriptors).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes.util import find_library
from pathlib import Path
from typing import Any

DRM_FOLDER = Path("/sys/class/drm")

_HEADER = bytes((0, 255, 255, 255, 255, 255, 255, 0))
_BLOCK = 128
_DESCRIPTORS = range(54, 126, 18)
_TEXTS = {0xFC: "model", 0xFF: "serial"}  # tags of the descriptors that hold text


def describe_edid(block: bytes) -> str:
    """Return "MAKER model serial" of an EDID, as far as it tells; "" for what is none (broken cables send noise)."""
    if len(block) < _BLOCK or not block.startswith(_HEADER) or sum(block[:_BLOCK]) % 256:
        return ""
    packed = block[8] << 8 | block[9]  # three letters of five bits, A is 1
    maker = "".join(chr(64 + (packed >> shift & 31)) for shift in (10, 5, 0))
    texts = {
        _TEXTS[block[at + 3]]: block[at + 5 : at + 18].split(b"\n")[0].decode("ascii", "replace").strip()
        for at in _DESCRIPTORS
        if block[at : at + 3] == b"\0\0\0" and block[at + 3] in _TEXTS
    }
    model = texts.get("model") or f"{block[11] << 8 | block[10]:04X}"
    number = int.from_bytes(block[12:16], "little")
    serial = texts.get("serial") or (str(number) if number else "")
    return " ".join(part for part in (maker, model, serial) if part)


def kernel_edid(output: str, folder: Path = DRM_FOLDER) -> bytes:
    """Read the EDID of an output that is named as the kernel names it (Wayland does); b"" where there is none."""
    for path in folder.glob("card*-*/edid"):
        if path.parent.name.partition("-")[2] == output:
            try:
                return path.read_bytes()
            except OSError:  # unplugged between the two looks
                return b""
    return b""


def x11_reader() -> Callable[[Any, int], bytes] | None:
    """Make a reader of EDIDs from an X server: (display, RandR output) -> block, b"" where there is none.

    None where the library that glfw itself uses for monitors cannot be loaded by name.
    """
    names = [find_library("X11"), find_library("Xrandr")]
    if None in names:
        return None
    x11, randr = (ctypes.CDLL(name) for name in names)
    x11.XInternAtom.restype = ctypes.c_ulong
    x11.XInternAtom.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    x11.XFree.argtypes = [ctypes.c_void_p]
    randr.XRRGetOutputProperty.argtypes = [
        ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_long, ctypes.c_long, ctypes.c_int, ctypes.c_int,
        ctypes.c_ulong, *[ctypes.c_void_p] * 5,
    ]  # fmt: skip

    def read(display: Any, output: int) -> bytes:
        atom = x11.XInternAtom(display, b"EDID", True)
        if not atom:  # no output of this server has one
            return b""
        kind, width = ctypes.c_ulong(), ctypes.c_int()
        count, left = ctypes.c_ulong(), ctypes.c_ulong()
        data = ctypes.POINTER(ctypes.c_ubyte)()
        out = [ctypes.addressof(thing) for thing in (kind, width, count, left, data)]
        randr.XRRGetOutputProperty(display, output, atom, 0, _BLOCK // 4, False, False, 0, *out)
        found = bytes(data[: count.value]) if data and width.value == 8 else b""
        if data:
            x11.XFree(data)
        return found

    return read
