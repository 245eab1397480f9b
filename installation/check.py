"""`mirror check`: the rehearsal before doors. Tries everything the show will need and says what is wrong.

Each item is tried for real: files are hashed, networks run, shaders compile, the camera delivers. All
items are tried even when an earlier one fails, so that five minutes suffice.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from installation.config import Config, load_config
from installation.errors import MirrorError
from installation.system import missing

CAMERA_PATIENCE_S = 8.0
CAMERA_SAMPLE_S = 2.0
MIN_RATE_PART = 0.8
"""A camera that delivers less than this part of the rate asked of it is reported."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the rehearsal: `fault` is empty when all is well, `note` is what was found."""

    name: str
    note: str = ""
    fault: str = ""


def check(config_path: Path | None, pack_name: str | None, source: str | None) -> int:
    """Try everything; print a line for each item; 0 if the doors may open, else 1 (2 for the config)."""
    from installation.app import CONFIG_FILE

    path = config_path or (CONFIG_FILE if CONFIG_FILE.is_file() else None)
    try:
        config = load_config(path)
    except MirrorError as error:
        _print(Item("config", fault=str(error)))
        return error.exit_code
    _print(Item("config", str(path or "defaults")))
    items: list[tuple[str, Callable[[], str]]] = [
        ("system libraries", check_libraries),
        ("model pack", lambda: check_pack(config, pack_name)),
        ("neural style", lambda: check_style(config)),
        ("display", lambda: check_display(config)),
        ("ways out", lambda: check_out(config)),
        ("camera", lambda: check_camera(config, source)),
        ("faces", check_faces),
        ("OSC port", lambda: check_osc(config)),
        ("instrument", lambda: check_instrument(config, path, pack_name)),
        ("sound", lambda: check_sound(config)),
    ]
    faults = 0
    for name, attempt in items:
        item = _try(name, attempt)
        faults += bool(item.fault)
        _print(item)
    if faults:
        print(f"\n{faults} {'fault' if faults == 1 else 'faults'} to mend before the doors open.")
        return 1
    print("\nAll is well. The doors may open.")
    return 0


def check_libraries() -> str:
    """System libraries that no wheel carries."""
    packages = missing()
    if packages:
        raise MirrorError(f"some are missing; type: sudo apt install {' '.join(packages)}")
    return "all there"


def check_pack(config: Config, name: str | None) -> str:
    """Hashes, back-end, and one pass through every network with finite results."""
    from engines.runtime import load_pack
    from engines.runtime.paths import find_pack

    with load_pack(
        find_pack(name or config.engine.pack), config.engine.backend, options=config.engine.options()
    ) as pack:
        rng = np.random.default_rng(0)
        w_plus = pack.map(rng.normal(size=(1, pack.manifest.z_dim)).astype(np.float32))
        picture = pack.synthesize(w_plus)
        if not np.isfinite(picture).all():
            raise MirrorError(f"the generator of {pack.name!r} draws values that are no numbers; import the pack again")
        if pack.manifest.encoder is not None:
            size = pack.manifest.encoder.input_size
            landmarks = np.zeros((1, 478, 3), np.float32) if pack.manifest.encoder.landmarks else None
            if not np.isfinite(pack.encode(np.clip(_resized(picture, size), -1, 1), landmarks)).all():
                raise MirrorError(f"the encoder of {pack.name!r} gives values that are no numbers; import it again")
        absent = [target for target in config.visit.targets if target not in pack.targets]
        if absent:
            known = ", ".join(pack.targets) or "none"
            raise MirrorError(
                f"the pack {pack.name!r} has no target {', '.join(absent)}; it has: {known}. "
                "Make them with `mirror targets make`, or change [visit] targets"
            )
        licence = pack.manifest.licence
        warning = "" if licence.commercial_use else f"; its licence ({licence.name}) forbids commercial use"
        return f"{pack.name}, {pack.resolution} px on {pack.backend.name}, {len(pack.targets)} targets{warning}"


def check_style(config: Config) -> str:
    """The style network and its pictures, where they are enabled: one picture is painted."""
    if not config.style.enabled:
        return "off"
    from engines.runtime.stylist import load_stylist, read_picture

    pictures = {name: read_picture(path) for name, path in config.style.found().items()}
    stylist = load_stylist(config.style.folder(), config.engine.backend, options=config.engine.options())
    try:
        stylist.learn(pictures)
        stylist.warm_up()
        image = np.zeros((1, 3, stylist.size, stylist.size), np.float32)
        stylist.stylise(image, np.ones(len(pictures), np.float32), 1.0, image)
        if not np.isfinite(image).all():
            raise MirrorError(f"the style network {stylist.manifest.name!r} paints values that are no numbers")
    finally:
        stylist.close()
    warning = "" if stylist.manifest.licence.commercial_use else "; its licence forbids commercial use"
    return f"{stylist.manifest.name}, {stylist.size} px, styles {', '.join(pictures)}{warning}"


def check_display(config: Config) -> str:
    """A window on the chosen monitor (or EGL), and every shader."""
    from installation.display.further_windows import FurtherWindows
    from installation.display.renderer import Renderer
    from installation.display.screens import has_screen
    from installation.display.windows import open_window

    window = open_window(config.display, headless=not has_screen())
    try:
        renderer = Renderer(window.ctx, config.display, config.captions)
        renderer.rehearse()
        renderer.release()
        further = FurtherWindows(window, config.display, config.captions)
        names = (window.name, *further.names)
        further.close()
        return f"{'; '.join(names)}, {window.size_px[0]}x{window.size_px[1]}"
    finally:
        window.close()


def check_out(config: Config) -> str:
    """Every way out of the machine that is switched on can be opened."""
    from installation.display.outlets import OUTLETS

    for way in config.out.named:
        OUTLETS[way](config.out, config.display.size).close()
    return ", ".join(config.out.named) or "none: the picture stays in this machine"


def check_camera(config: Config, source: str | None) -> str:
    """The source opens, delivers, and keeps the rate."""
    from installation.devices.reader import FrameReader
    from installation.devices.source import SourceState
    from installation.devices.sources import choose_source, open_source

    spec, note = choose_source(source or config.camera.source)
    reader = FrameReader(open_source(spec, config.camera), config.camera)
    reader.start()
    try:
        deadline = time.monotonic() + CAMERA_PATIENCE_S
        while (frame := reader.wait_newer(0.2)) is None:
            status = reader.status()
            if status.state in (SourceState.STALLED, SourceState.FAILED) and status.captured == 0:
                raise MirrorError(status.message)
            if time.monotonic() > deadline:
                raise MirrorError(f"{spec} opened but sent no picture within {CAMERA_PATIENCE_S:g} s")
        began, before = time.monotonic(), reader.status().captured
        while time.monotonic() - began < CAMERA_SAMPLE_S:
            reader.wait_newer(0.2)
        rate = (reader.status().captured - before) / (time.monotonic() - began)
        height, width = frame.pixels.shape[:2]
        info = reader.info
        asked = info.fps if info is not None and info.fps else config.camera.fps
        if rate < MIN_RATE_PART * asked:
            raise MirrorError(
                f"{spec} delivers {rate:.1f} pictures per second, asked were {asked:g}; check cable and light"
            )
        remarks = "; ".join(text for text in (note, info.note if info is not None else "") if text)
        return f"{spec}, {width}x{height} at {rate:.1f} Hz{'; ' + remarks if remarks else ''}"
    finally:
        reader.stop()


def check_faces() -> str:
    """MediaPipe starts and runs."""
    from installation.devices.landmarks import FaceFinder

    finder = FaceFinder()
    try:
        finder.detect(np.zeros((128, 128, 3), np.uint8), far=True)
    finally:
        finder.close()
    return "MediaPipe runs"


def check_osc(config: Config) -> str:
    """The port is free."""
    import socket

    if not config.osc.enabled:
        return "off"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((config.osc.host, config.osc.port))
        except OSError as error:
            raise MirrorError(
                f"UDP {config.osc.host}:{config.osc.port} cannot be used ({error.strerror}); "
                "close the other program or change [osc] port"
            ) from error
    return f"UDP {config.osc.host}:{config.osc.port} is free"


def check_instrument(config: Config, config_path: Path | None, pack_name: str | None) -> str:
    """Mappings, cues and the MIDI controller fit the pack."""
    from engines.runtime.paths import find_pack
    from installation.devices.rehearsal import rehearse_cues, rehearse_mappings, rehearse_midi
    from installation.instrument_cli import table_of

    table = table_of(config, find_pack(pack_name or config.engine.pack))
    mappings = rehearse_mappings(config.mappings, config.osc, table)
    cues = rehearse_cues(config.cues, Path() if config_path is None else config_path.parent, table)
    return f"mappings: {mappings}; cues: {cues}; MIDI: {rehearse_midi(config.midi)}"


def check_sound(config: Config) -> str:
    """The input opens and is not mute."""
    from installation.devices.rehearsal import rehearse_audio

    return rehearse_audio(config.audio)


def _resized(picture: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    index = (np.arange(size) * picture.shape[-1]) // size
    return np.ascontiguousarray(picture[:, :, index[:, None], index[None, :]], np.float32)


def _try(name: str, attempt: Callable[[], str]) -> Item:
    try:
        return Item(name, attempt())
    except MirrorError as error:
        return Item(name, fault=str(error))


def _print(item: Item) -> None:
    mark, text = ("✗", item.fault) if item.fault else ("✓", item.note)
    indented = text.replace("\n", "\n" + " " * 21)
    print(f"  {mark} {item.name:<17}{indented}", file=sys.stdout, flush=True)
