"""Sections of `config.toml` about the screen: [display], [captions], [record]."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from installation.display.scene import View
from installation.runtime.section import Section

Unit = Annotated[float, Field(ge=0.0, le=1.0)]
Corner = tuple[Annotated[float, Field(ge=-1.0, le=2.0)], Annotated[float, Field(ge=-1.0, le=2.0)]]
Corners = tuple[Corner, Corner, Corner, Corner]
SoftEdges = tuple[Unit, Unit, Unit, Unit]
Pixels = Annotated[int, Field(ge=1, le=16384)]
Size = tuple[Pixels, Pixels]
Rotation = Literal[0, 90, 180, 270]
Margin = Annotated[float, Field(ge=0.0, le=0.4)]

SQUARE: Corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
NO_EDGES: SoftEdges = (0.0, 0.0, 0.0, 0.0)


class FurtherWindow(Section):
    """[[display.windows]]: one more window of the same show, on a monitor of its own.

    What is not asked here (looks, mask, fit, grain ...) is as in [display].
    """

    monitor: str | int = Field(
        description="Monitor by its plug, maker, model or serial number (a part is enough), or by number from 0. While "
        "it is not connected the window waits for it.",
    )
    fullscreen: bool = Field(True, description="Whether to cover the whole monitor.")
    size: Size = Field((1280, 720), description="Width and height in pixels where it is not fullscreen.")
    view: View | Literal[""] = Field("", description="View of this window at all times; empty follows the show's.")
    rotation: Rotation = Field(0, description="How far the screen is turned clockwise on the wall, in degrees.")
    mirrored: bool = Field(True, description="Whether left and right are swapped as in a mirror; words never are.")
    margin: Margin = Field(0.0, description="Safe margin that stays black, as a part of the shorter side.")
    corners: Corners = Field(SQUARE, description="Corner pin, as in [display].")
    soft_edges: SoftEdges = Field(NO_EDGES, description="Soft edges: left, right, top, bottom, in parts of the screen.")
    surface_file: str = Field("", description="File (.toml) in which the corner-pin editor keeps the corners.")


class DisplayConfig(Section):
    """[display]: the window, the surface and the picture."""

    monitor: str | int = Field(
        "",
        description="Monitor by its plug, maker, model or serial number (a part is enough), or by number from 0; empty "
        "is the primary one.",
    )
    fullscreen: bool = Field(False, description="Whether to cover the whole monitor.")
    size: Size = Field(
        (1280, 720),
        description="Width and height in pixels of the window, or of the picture when there is no screen.",
    )
    hz: float = Field(
        30.0, ge=1.0, le=240.0, description="Pictures per second where no screen tells its rate, in hertz."
    )
    vsync: bool = Field(True, description="Whether to wait for the screen's refresh; without it the picture tears.")
    rotation: Rotation = Field(0, description="How far the screen is turned clockwise on the wall, in degrees.")
    mirrored: bool = Field(True, description="Whether left and right are swapped as in a mirror; words never are.")
    view: View = Field("portrait", description="View at the start: portrait, mirror, split, series, strip or ghosts.")
    look: str = Field("plain", description="Look at the start: a file of the looks folder, without .toml.")
    looks_folder: str = Field("", description="Folder with further looks (*.toml); empty for the built-in ones alone.")
    style_picture: str = Field(
        "", description="Picture file whose colours the look palette takes; empty for a built-in one."
    )
    fit: Literal["contain", "cover"] = Field(
        "contain",
        description="How a square picture meets the screen: contain shows all of it on black, cover fills and crops.",
    )
    margin: Margin = Field(
        0.0, description="Safe margin on every side that stays black, as a part of the shorter side."
    )
    view_fade_s: float = Field(0.7, ge=0.0, le=10.0, description="Cross-fade between views and looks, in seconds.")
    sharpness: Unit = Field(
        0.6, description="How crisply small pictures are enlarged: 0 is soft, 1 is Catmull-Rom, without a unit."
    )
    crispness: Unit = Field(
        0.5, description="How far edges are drawn together when small pictures are enlarged: 0 is not, without a unit."
    )
    grain: Unit = Field(0.35, description="Film grain of the plain look: 0 is none, 1 is strong, without a unit.")
    vignette: Unit = Field(0.25, description="Darkening toward the corners of a picture: 0 is none, without a unit.")
    mask_grow: float = Field(
        0.04,
        ge=-0.3,
        le=0.4,
        description="How far the mirror view's mask reaches beyond the face oval, in face widths.",
    )
    mask_feather: float = Field(
        0.22, ge=0.02, le=0.6, description="Width of the mirror view's soft edge inside that, in face widths."
    )
    match_light: Unit = Field(
        0.85,
        description="How much the pasted face takes the colour and light around it: 0 none, 1 all, without a unit.",
    )
    corners: Corners = Field(
        SQUARE,
        description="Corner pin: where the picture's top-left, top-right, bottom-right and bottom-left corners lie on "
        "the screen, in parts of its width and height from the top-left.",
    )
    soft_edges: SoftEdges = Field(
        NO_EDGES,
        description="Soft edges for overlapping projectors: left, right, top and bottom, in parts of width and height.",
    )
    surface_file: str = Field(
        "", description="File (.toml) in which the corner-pin editor keeps the corners; empty keeps them for this run."
    )
    snapshots: bool = Field(
        False, description="Whether the key S may save a picture; off, because visitors are guests."
    )
    snapshot_folder: str = Field("out/snapshots", description="Folder for saved pictures.")
    hot_reload: bool = Field(False, description="Whether edited shaders and looks are loaded while the show runs.")
    windows: tuple[FurtherWindow, ...] = Field(
        (), max_length=7, description="Further windows of the same show, each a [[display.windows]]."
    )

    def further(self, window: FurtherWindow) -> DisplayConfig:
        """The settings of one further window: its own, and for the rest these."""
        own = {name: getattr(window, name) for name in FurtherWindow.model_fields if name != "view"}
        return self.model_copy(update={**own, "view": window.view or self.view, "windows": ()})


class CaptionConfig(Section):
    """[captions]: the words under the pictures."""

    enabled: bool = Field(True, description="Whether the word of the target appears.")
    size: float = Field(0.042, ge=0.005, le=0.3, description="Height of the letters, as a part of the shorter side.")
    tracking: float = Field(0.16, ge=-0.1, le=1.0, description="Space between letters, in parts of their height.")
    case: Literal["as_written", "lower", "upper", "small_caps"] = Field(
        "small_caps", description="How words are set: as_written, lower, upper or small_caps."
    )
    font: str = Field("", description="Font file (.ttf, .otf); empty for the bundled one.")
    fallback_font: str = Field("", description="Font file for letters that the first lacks; empty for the bundled one.")
    direction: Literal["auto", "ltr", "rtl"] = Field(
        "auto", description="Writing direction: auto reads it from the letters, ltr or rtl force it."
    )
    language: str = Field(
        "", max_length=16, description="Language tag for the letter forms, such as tr or sr; or empty."
    )
    position: Literal["below", "top", "bottom"] = Field(
        "below", description="Where words stand: below the picture (over its edge if there is no room), top or bottom."
    )
    opacity: Unit = Field(0.92, description="Opacity of the words: 0 to 1, without a unit.")


class OutConfig(Section):
    """[out]: ways out of the machine for the picture on the screen. All are off unless named; the screen says so."""

    ndi: str = Field("", max_length=64, description="Name of the NDI source to announce in the network; empty is off.")
    virtual_camera: str = Field(
        "", description="Device of a virtual camera (/dev/video9), auto for the first one; empty is off."
    )
    spout: str = Field("", max_length=64, description="Name of the Spout sender (Windows); empty is off.")
    syphon: str = Field("", max_length=64, description="Name of the Syphon server (macOS); empty is off.")
    fps: float = Field(30.0, ge=1.0, le=120.0, description="Pictures per second at most, in hertz.")
    flag: str = Field(
        "● this picture also goes to: {where}",
        min_length=1,
        max_length=200,
        description="What the screen says meanwhile; {where} is replaced by the ways that are open.",
    )

    @property
    def named(self) -> dict[str, str]:
        """The ways that are switched on, with what they are called."""
        ways = ("ndi", "virtual_camera", "spout", "syphon")
        return {way: getattr(self, way) for way in ways if getattr(self, way)}


class RecordConfig(Section):
    """[record]: the film of the screen. Nothing is recorded unless a path is given."""

    path: str = Field("", description="File (.mp4) to record to; empty records nothing.")
    fps: float = Field(30.0, ge=1.0, le=120.0, description="Pictures per second of the film, in hertz.")
    quality: int = Field(
        20, ge=0, le=51, description="H.264 quality (CRF): lower is better and larger, without a unit."
    )
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"] = Field(
        "ultrafast", description="H.264 speed: faster costs less processor time and makes a larger file."
    )
