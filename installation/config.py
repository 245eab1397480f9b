"""`config.toml`: read once, checked whole, every problem told at once by key.

The sections live beside the parts they configure; this file only puts them together.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from engines.runtime.backends import BackendOptions
from engines.runtime.style_folder import DEFAULT_STYLE, PICTURES, find_pictures
from installation.core.control import is_name
from installation.core.visit import VisitTimes
from installation.devices.config import CameraConfig, FacesConfig
from installation.devices.instrument_config import (
    AudioConfig,
    CuesConfig,
    HandsConfig,
    MappingsConfig,
    MidiConfig,
    OscConfig,
)
from installation.display.config import CaptionConfig, DisplayConfig, OutConfig, RecordConfig
from installation.errors import ConfigError, EngineError
from installation.kiosk.config import (
    DocentConfig,
    HealthConfig,
    HoursConfig,
    KeepsakeConfig,
    KioskConfig,
    PrivacyConfig,
)
from installation.runtime.section import Section

MAX_CONFIG_BYTES = 1 << 20


class EngineConfig(Section):
    """Model pack and back-end."""

    pack: str = Field(
        "default", min_length=1, description="Name of a pack in engines/packs, or a path to a pack folder."
    )
    backend: str = Field(
        "auto",
        description="What runs the networks: tensorrt, cuda, openvino or torch. auto takes the fastest of the first "
        "three that runs here, and the next one when it fails.",
    )
    device: str = Field(
        "CPU", pattern=r"^[A-Z]+(\.\d+)?$", description="Where OpenVINO runs: CPU, GPU (Intel), GPU.1 or NPU."
    )
    threads: int = Field(2, ge=1, le=64, description="CPU threads of OpenVINO; not more than the machine has cores.")
    precision: Literal["full", "half"] = Field(
        "full",
        description="half: OpenVINO computes in 16 bits where the device can and the pack's golden vectors allow it "
        "(45 dB): twice as fast at 1024 px. NVIDIA back-ends do so anyway.",
    )
    rate_hz: float = Field(30.0, ge=1, le=240, description="Most reflections drawn per second, in Hz.")
    psi: float = Field(
        0.7, ge=0, le=1, description="Truncation psi of the attract walk: 0 the mean face, 1 untruncated."
    )
    untouched: tuple[str, ...] = Field(
        ("skin_tone",),
        description="Directions that nobody can play: skin tone, unless a curator takes it off this list.",
    )
    smoothing_s: float = Field(
        0.06, ge=0, le=2, description="Half-life of the smoothing of the visitor's W+, in seconds."
    )
    generator: Literal["network", "portrait"] = Field(
        "network",
        description="What draws: the pack's generator network, or the portrait's shader through the pack's readout, at "
        "portrait_px; for the default pack and a GPU.",
    )
    portrait_px: int = Field(
        512, ge=64, le=2048, description="Side of the pictures that the portrait's shader draws, in pixels."
    )
    refine: bool = Field(
        True,
        description="Let the visitor's likeness settle: bones and colours are refined in the background and averaged "
        "over the visit, expression and pose stay live. Packs that cannot be refined are shown as encoded.",
    )

    def options(self) -> BackendOptions:
        """What the back-ends are told."""
        return BackendOptions(self.device, self.threads, self.precision)


class StyleConfig(Section):
    """Neural style: the reflection painted in the style of any picture."""

    enabled: bool = Field(False, description="Whether the style network is loaded and its controls are there.")
    network: str = Field(
        "", description="Style folder, made by mirror models style import or train; empty for the built-in one."
    )
    pictures: str = Field(
        "",
        description="Folder of style pictures (.jpg, .png), each a control by its name; empty for the built-in ones.",
    )
    strength: float = Field(
        0.0, ge=0.0, le=1.0, description="Style strength at the start: 0 is none, 1 all, without a unit."
    )

    def folder(self) -> Path:
        """Where the network is."""
        return Path(self.network).expanduser() if self.network else DEFAULT_STYLE

    def found(self) -> dict[str, Path]:
        """The style pictures by name, as controls are called; none where the style is not enabled.

        Raises:
            EngineError: If the folder holds none, or a name cannot be part of an address.
        """
        if not self.enabled:
            return {}
        pictures = find_pictures(Path(self.pictures).expanduser() if self.pictures else DEFAULT_STYLE / PICTURES)
        for name, path in pictures.items():
            if not is_name(name):
                raise EngineError(f"{path}: a style picture's name becomes a control; use letters, digits, -, _ and .")
        return pictures


class VisitConfig(Section):
    """The stages of one visitor's stay."""

    approach_s: float = Field(0.8, gt=0, le=60, description="Seconds in which the reflection fades in.")
    reflect_s: float = Field(6.0, ge=0, le=3600, description="Seconds a visitor sees their own reflection.")
    morph_s: float = Field(8.0, gt=0, le=3600, description="Seconds from reflection to target.")
    reveal_s: float = Field(6.0, ge=0, le=3600, description="Seconds the target stays.")
    return_s: float = Field(3.0, gt=0, le=3600, description="Seconds from target back to reflection.")
    farewell_s: float = Field(2.5, gt=0, le=60, description="Seconds in which a lost visitor dissolves.")
    hold_s: float = Field(1.5, ge=0, le=60, description="Seconds a face may be lost before it counts as gone.")
    attract_s: float = Field(14.0, ge=1, le=600, description="Seconds from one face of the attract walk to the next.")
    morph_mode: Literal["edit", "replace"] = Field(
        "edit",
        description="edit adds the target's difference from the average face to the visitor's own; replace goes all "
        "the way to the target's face.",
    )
    targets: tuple[str, ...] = Field(
        ("strength", "leadership", "power", "femininity", "beauty"),
        min_length=1,
        max_length=64,
        description="Targets in the order in which visitors meet them; the first five make the series.",
    )

    def times(self) -> VisitTimes:
        """The part that the state machine needs."""
        return VisitTimes(
            self.approach_s,
            self.reflect_s,
            self.morph_s,
            self.reveal_s,
            self.return_s,
            self.farewell_s,
            self.hold_s,
        )


class Config(Section):
    """The whole file. An empty file is a valid one: every key has a default."""

    camera: CameraConfig = CameraConfig()
    faces: FacesConfig = FacesConfig()
    engine: EngineConfig = EngineConfig()
    style: StyleConfig = StyleConfig()
    visit: VisitConfig = VisitConfig()
    display: DisplayConfig = DisplayConfig()
    captions: CaptionConfig = CaptionConfig()
    record: RecordConfig = RecordConfig()
    out: OutConfig = OutConfig()
    osc: OscConfig = OscConfig()
    cues: CuesConfig = CuesConfig()
    audio: AudioConfig = AudioConfig()
    mappings: MappingsConfig = MappingsConfig()
    midi: MidiConfig = MidiConfig()
    hands: HandsConfig = HandsConfig()
    kiosk: KioskConfig = KioskConfig()
    hours: HoursConfig = HoursConfig()
    health: HealthConfig = HealthConfig()
    docent: DocentConfig = DocentConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    keepsake: KeepsakeConfig = KeepsakeConfig()


def load_config(path: Path | None) -> Config:
    """Read and check a file; None gives the defaults.

    Raises:
        ConfigError: With one line for every problem found.
    """
    if path is None:
        return Config()
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_CONFIG_BYTES} bytes; this is no config file")
        text = path.read_text("utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"there is no config file at {path}; start without --config to use the defaults") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    return check_config(data, str(path))


def check_config(data: dict[str, Any], name: str) -> Config:
    """Turn parsed TOML into a `Config`.

    Raises:
        ConfigError: With one line for every problem, by key.
    """
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        lines = [_problem(name, item) for item in error.errors()]
        raise ConfigError("\n".join(lines)) from error


def _problem(name: str, item: Any) -> str:
    section, *keys = [str(part) for part in item["loc"]] or ["file"]
    where = f"[{section}] {'.'.join(keys)}".rstrip()
    if item["type"] == "extra_forbidden":
        return f"{name}: {where}: is not a known key; docs/CONFIG.md lists them all"
    message = str(item["msg"])
    found = f" = {item['input']!r}" if keys and not isinstance(item["input"], dict) else ""
    return f"{name}: {where}{found}: {message[:1].lower()}{message[1:]}"
