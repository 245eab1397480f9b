"""What an operator may set about the camera and the faces: `[camera]` and `[faces]` of config.toml."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from installation.runtime.section import Section


class CameraConfig(Section):
    """Where the picture comes from, and how patient to be with it."""

    source: str = Field(
        "auto",
        min_length=1,
        description="auto (the first camera, else the synthetic visitor), camera:0, camera:NAME, /dev/v4l/by-id/..., "
        "the path of a video file, the URL of an MJPEG or RTSP stream, or synthetic.",
    )
    width: int = Field(1280, ge=16, le=7680, description="Width asked of a camera, in pixels.")
    height: int = Field(720, ge=16, le=4320, description="Height asked of a camera, in pixels.")
    fps: float = Field(30.0, ge=1, le=240, description="Rate asked of a camera, in frames per second.")
    mjpg: bool = Field(True, description="Ask a camera for MJPG first: without it many fall to 5 frames per second.")
    rotation: Literal[0, 90, 180, 270] = Field(
        0, description="Turn every picture clockwise by so many degrees, for a camera mounted on its side."
    )
    view_angle_deg: float = Field(
        65.0, ge=10, le=170, description="Angle of view along the picture's longer side, in degrees; scales distance."
    )
    max_side_px: int = Field(
        1280, ge=64, le=4096, description="Longest side of the picture handed to the display; larger ones are reduced."
    )
    open_timeout_s: float = Field(5.0, ge=0.5, le=60, description="How long opening a stream may take, in seconds.")
    read_timeout_s: float = Field(3.0, ge=0.5, le=60, description="How long one picture may take, in seconds.")
    stall_after_s: float = Field(
        1.0, ge=0.1, le=60, description="A newest picture older than this makes the source stalled, in seconds."
    )
    stuck_after_s: float = Field(
        20.0,
        ge=2,
        le=600,
        description="A reader that hangs in the driver for so many seconds ends the eye process, to be restarted.",
    )
    retry_first_s: float = Field(0.5, ge=0.05, le=60, description="First delay before opening again, in seconds.")
    retry_max_s: float = Field(8.0, ge=0.05, le=600, description="Longest delay before opening again, in seconds.")


class FacesConfig(Section):
    """Whom to follow, and how still to hold the crop."""

    follow: Literal["largest", "centre", "longest"] = Field(
        "largest",
        description="Whom to choose among several: the largest face, the nearest the centre, the longest here.",
    )
    sticky: bool = Field(True, description="Stay with the chosen visitor until they leave.")
    switch_ratio: float = Field(
        1.3, ge=1, le=10, description="When not sticky: how many times better another visitor must be to be chosen."
    )
    switch_after_s: float = Field(
        1.0, ge=0, le=60, description="When not sticky: how long another visitor must be better, in seconds."
    )
    max_faces: int = Field(4, ge=1, le=8, description="How many faces are looked for.")
    min_size: float = Field(
        0.03, ge=0, le=1, description="Faces narrower than this part of the picture's shorter side are not followed."
    )
    detect_every_s: float = Field(
        0.4, ge=0.03, le=10, description="How often to look for further faces while one is followed, in seconds."
    )
    lost_after_s: float = Field(
        1.5, ge=0, le=10, description="A face out of sight for so long has left, and another may be chosen, in seconds."
    )
    acquire_score: float = Field(0.99, ge=0, le=1, description="How face-like something must be to become a visitor.")
    keep_score: float = Field(0.15, ge=0, le=1, description="How face-like a visitor must stay to be followed.")
    crop_min_cutoff_hz: float = Field(
        0.5, ge=0.01, le=60, description="Steadiness of the crop at rest, in hertz: lower is stiller."
    )
    crop_beta: float = Field(
        15.0, ge=0, le=1000, description="How fast the crop follows motion, in hertz per crop side per second."
    )
    landmark_min_cutoff_hz: float = Field(
        1.0, ge=0.01, le=60, description="Steadiness of the landmarks at rest, in hertz: lower is stiller."
    )
    landmark_beta: float = Field(
        60.0, ge=0, le=1000, description="How fast landmarks follow motion, in hertz per face width per second."
    )
    max_growth_mb: float = Field(
        300.0, ge=20, le=10000, description="The eye process renews itself after growing by so many megabytes."
    )
