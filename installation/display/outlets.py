"""Ways out of the machine for the finished canvas: NDI, a virtual camera, Spout, Syphon. All off by default.

Each is an `Outlet`; `Relay` feeds one from a thread of its own, with the newest frame only, so that a slow network or a
receiver that hangs costs frames there and none here. While one is open, the canvas says so (`Scene.leaving`).

Sources: NDI SDK documentation (Vizrt), "NDI-Send"; the packages' own documentation.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from installation.display.config import OutConfig
from installation.errors import DisplayError, MirrorError, MissingExtra

Frame = NDArray[np.uint8]

_JOIN_S = 2.0


class Outlet(Protocol):
    """Takes finished frames out of the machine. One thread uses it; opening one raises `DisplayError` with a sentence.

    Attributes:
        where: What a visitor is told, such as "NDI".
    """

    where: str

    def send(self, rgba: Frame) -> None:
        """Hand over one frame, (h, w, 4) uint8 RGBA, top row first, of any size; may take its time.

        Raises:
            DisplayError: If the way out is closed for good.
        """
        ...

    def close(self) -> None:
        """Let go of the way out."""
        ...


class Ndi:
    """NDI over the network, through `ndi-python`, which brings the runtime."""

    where = "NDI"

    def __init__(self, config: OutConfig, size: tuple[int, int]) -> None:
        """Announce a source; frames of any size follow."""
        self._ndi = _needed("NDIlib", "ndi-python", "ndi", "sending NDI")
        if not self._ndi.initialize():
            raise DisplayError("NDI does not run on this processor; switch [out] ndi off")
        settings = self._ndi.SendCreate()
        settings.ndi_name, settings.clock_video = config.ndi, False
        self._sender = self._ndi.send_create(settings)
        if self._sender is None:
            raise DisplayError(f"no NDI source named {config.ndi!r} can be opened; take another [out] ndi")
        self._frame = self._ndi.VideoFrameV2()
        self._frame.FourCC = self._ndi.FOURCC_VIDEO_TYPE_RGBX
        self._frame.frame_rate_N, self._frame.frame_rate_D = round(config.fps * 1000), 1000

    def send(self, rgba: Frame) -> None:
        """Hand over one frame; returns when the SDK has compressed it, at once where nobody listens."""
        self._frame.data = rgba
        self._ndi.send_send_video_v2(self._sender, self._frame)

    def close(self) -> None:
        """Withdraw the source."""
        self._ndi.send_destroy(self._sender)
        self._ndi.destroy()


class VirtualCamera:
    """A camera that other programs of this machine can open, through `pyvirtualcam`. Keeps the size it began with."""

    where = "virtual camera"

    def __init__(self, config: OutConfig, size: tuple[int, int]) -> None:
        """Open the device: v4l2loopback on Linux, OBS on macOS and Windows."""
        package = _needed("pyvirtualcam", "pyvirtualcam", "virtualcam", "the virtual camera")
        self._size = (max(2, size[0] // 2 * 2), max(2, size[1] // 2 * 2))  # the devices' 4:2:0 has chroma for pairs
        device = None if config.virtual_camera == "auto" else config.virtual_camera
        try:
            self._camera = package.Camera(*self._size, config.fps, fmt=package.PixelFormat.RGB, device=device)
        except (RuntimeError, OSError, ValueError) as error:
            raise DisplayError(
                f"no virtual camera ({error}); on Linux: sudo modprobe v4l2loopback exclusive_caps=1; elsewhere: "
                "install OBS; or switch [out] virtual_camera off"
            ) from error

    def send(self, rgba: Frame) -> None:
        """Hand over one frame, reduced or enlarged to the camera's size."""
        if (rgba.shape[1], rgba.shape[0]) != self._size:
            rgba = np.asarray(cv2.resize(rgba, self._size, interpolation=cv2.INTER_AREA), np.uint8)
        try:
            self._camera.send(np.ascontiguousarray(rgba[..., :3]))
        except (RuntimeError, OSError) as error:
            raise DisplayError(f"the virtual camera has gone ({error})") from error

    def close(self) -> None:
        """Close the device."""
        self._camera.close()


class Spout:
    """Shared textures between programs on Windows, through `SpoutGL`, in a GL context of its own."""

    where = "Spout"

    def __init__(self, config: OutConfig, size: tuple[int, int]) -> None:
        """Announce a sender. Its context is made with the first frame, on the thread that sends."""
        self._spout = _needed("SpoutGL", "SpoutGL", "spout", "sending Spout")
        self._sender = self._spout.SpoutSender()
        self._sender.setSenderName(config.spout)
        self._opened = False

    def send(self, rgba: Frame) -> None:
        """Hand over one frame."""
        if not self._opened and not self._sender.createOpenGL():
            raise DisplayError("Spout gets no OpenGL context; update the graphics driver or switch [out] spout off")
        self._opened = True
        height, width = rgba.shape[:2]
        self._sender.sendImage(rgba, width, height, self._spout.enums.GL_RGBA, False, 0)

    def close(self) -> None:
        """Withdraw the sender."""
        self._sender.releaseSender()
        if self._opened:
            self._sender.closeOpenGL()


class Syphon:
    """Shared textures between programs on macOS, through `syphon-python`."""

    where = "Syphon"

    def __init__(self, config: OutConfig, size: tuple[int, int]) -> None:
        """Announce a server."""
        syphon = _needed("syphon", "syphon-python", "syphon", "sending Syphon")
        self._raw = importlib.import_module("syphon.utils.raw")
        self._numpy = importlib.import_module("syphon.utils.numpy")
        self._server = syphon.SyphonMetalServer(config.syphon)
        self._size = (0, 0)
        self._texture: Any = None

    def send(self, rgba: Frame) -> None:
        """Hand over one frame."""
        height, width = rgba.shape[:2]
        if self._size != (width, height):
            self._size = (width, height)
            self._texture = self._raw.create_mtl_texture(self._server.device, width, height)
        self._numpy.copy_image_to_mtl_texture(rgba, self._texture)
        self._server.publish_frame_texture(self._texture)

    def close(self) -> None:
        """Withdraw the server."""
        self._server.stop()


OUTLETS: Mapping[str, Callable[[OutConfig, tuple[int, int]], Outlet]] = {
    "ndi": Ndi,
    "virtual_camera": VirtualCamera,
    "spout": Spout,
    "syphon": Syphon,
}
"""Key of [out] to what it opens."""


class Relay:
    """Feeds one outlet from its own thread, with the newest frame. `failure` says why it ended, if it did."""

    def __init__(self, outlet: Outlet, fps: float) -> None:
        """Start the thread; frames that come faster than `fps` are left out."""
        self.where = outlet.where
        self.failure = ""
        self.sent = 0
        self._outlet = outlet
        self._period_s = 1.0 / fps
        self._due = float("-inf")
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"out {outlet.where}", daemon=True)
        self._thread.start()

    @property
    def is_open(self) -> bool:
        """Whether the picture leaves the machine here."""
        return not self.failure

    def submit(self, rgba: Frame, now: float) -> None:
        """Hand a frame over, nobody changing it afterwards; returns at once."""
        if now < self._due - 0.3 * self._period_s or self.failure:
            return
        self._due = max(self._due, now) + self._period_s
        with self._changed:
            self._newest = rgba
            self._changed.notify()

    def close(self) -> None:
        """End the thread and the outlet."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        try:
            while (frame := self._next()) is not None:
                self._outlet.send(frame)
                self.sent += 1
        except DisplayError as error:
            self.failure = str(error)
        finally:
            self._outlet.close()

    def _next(self) -> Frame | None:
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._closing)
            frame, self._newest = self._newest, None
            return None if self._closing else frame


def open_relays(config: OutConfig, size: tuple[int, int], tell: Callable[[str], None]) -> tuple[Relay, ...]:
    """Open every way out that [out] names; one that cannot be opened is told, and the show goes on without it."""
    relays = []
    for way in config.named:
        try:
            relays.append(Relay(OUTLETS[way](config, size), config.fps))
        except MirrorError as error:
            tell(f"{error}; the show goes on without it")
    return tuple(relays)


def _needed(module: str, package: str, extra: str, purpose: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(package, extra, purpose) from error
