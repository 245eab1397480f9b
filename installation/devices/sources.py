"""Where pictures come from: the source (`devices/source.py`) that a specification names:

camera:0  camera:NAME  /dev/v4l/by-id/...   a V4L2 camera       `devices/camera.py`
PATH                                        a video file        `devices/video_file.py`
http://... https://... rtsp://...           a network stream    `devices/stream.py`
synthetic                                   the drawn visitor   `devices/synthetic.py`
"""

from __future__ import annotations

from pathlib import Path

from installation.devices.config import CameraConfig
from installation.devices.source import Source
from installation.errors import ConfigError

STREAM_SCHEMES = ("http", "https", "rtsp", "rtsps")


def open_source(spec: str, config: CameraConfig, *, as_fast_as_possible: bool = False, loop: bool = True) -> Source:
    """Make the source that `spec` names, not yet opened.

    Args:
        spec: See the module's table, or `auto`.
        config: Size, rate and patience.
        as_fast_as_possible: Files only: do not wait for each picture's time.
        loop: Files only: begin again at the end.

    Raises:
        ConfigError: If `spec` names nothing that could be a source.
    """
    spec = spec.strip()
    if spec == "auto":
        spec, _ = choose_source(spec)
    if spec == "synthetic":
        from installation.devices.synthetic import synthetic_visitor

        return synthetic_visitor(as_fast_as_possible=as_fast_as_possible, loop=loop)
    scheme, colon, rest = spec.partition(":")
    if colon and scheme == "camera":
        from installation.devices.camera import Camera

        return Camera(rest, config)
    if spec.startswith("/dev/"):
        from installation.devices.camera import Camera

        return Camera(spec, config)
    if rest.startswith("//") and scheme != "file":
        if scheme.lower() not in STREAM_SCHEMES:
            known = ", ".join(f"{name}://" for name in STREAM_SCHEMES)
            raise ConfigError(f"source '{spec}' begins with {scheme}://; a stream begins with one of {known}")
        from installation.devices.stream import NetworkStream

        return NetworkStream(spec, config)
    from installation.devices.video_file import VideoFile

    path = Path(rest.removeprefix("//") if scheme == "file" and colon else spec).expanduser()
    return VideoFile(path, as_fast_as_possible=as_fast_as_possible, loop=loop)


def choose_source(spec: str) -> tuple[str, str]:
    """Settle what `auto` means now.

    Returns:
        (specification, sentence for the operator); the sentence is empty when `spec` was not `auto`.
    """
    if spec != "auto":
        return spec, ""
    from installation.devices.camera import list_cameras

    cameras = list_cameras()
    if cameras:
        return f"camera:{cameras[0].index}", f"camera found: {cameras[0].name} ({cameras[0].path})"
    return "synthetic", "no camera found: playing the synthetic visitor (connect a camera, or set [camera] source)"
