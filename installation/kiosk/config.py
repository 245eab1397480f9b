"""Sections of `config.toml` about running alone: [kiosk], [hours], [health], [docent], [privacy], [keepsake]."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from installation.core.opening_hours import WEEKDAYS, OpeningHours, Period, parse_period
from installation.runtime.pages import is_loopback
from installation.runtime.section import Section

Port = Annotated[int, Field(ge=0, le=65535)]

ALWAYS = ("00:00-24:00",)


def _period(text: str) -> str:
    parse_period(text)
    return text


def _time_of_day(text: str) -> str:
    if text:
        datetime.strptime(text, "%H:%M")
    return text


def _zone(name: str) -> str:
    if name:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{name!r} is no time zone; write for example Europe/Madrid") from error
    return name


Hours = Annotated[str, AfterValidator(_period)]
Clock = Annotated[str, AfterValidator(_time_of_day)]


class KioskConfig(Section):
    """[kiosk]: how the show is kept up when nobody tends it."""

    state_folder: str = Field(
        "", description="Folder for acknowledgement, resume state, logs and summaries; empty for the user's own."
    )
    display_silence_s: float = Field(
        3.0, ge=0.5, le=60, description="A show that draws no picture for so long is restarted, in seconds."
    )
    inference_silence_s: float = Field(
        10.0, ge=1, le=600, description="A show whose networks give no result for so long is restarted, in seconds."
    )
    eye_silence_s: float = Field(
        5.0, ge=1, le=600, description="An eye that makes no progress for so long is restarted, in seconds."
    )
    start_s: float = Field(
        180.0, ge=5, le=3600, description="Longest start of the show, with engines to be compiled, in seconds."
    )
    restarts: int = Field(5, ge=1, le=100, description="So many failures of the show within the window: safe mode.")
    restarts_window_s: float = Field(
        300.0, ge=5, le=86400, description="Length of that window, in seconds; longer than the failures of one minute."
    )
    retry_s: float = Field(3600.0, ge=5, le=86400, description="How often safe mode tries the show again, in seconds.")
    loop_s: float = Field(24.0, ge=4, le=600, description="Length of the film that safe mode plays, in seconds.")
    restart_at: Clock = Field(
        "04:30",
        description="Time of day from which everything is restarted once, while closed or quiet; empty never.",
    )
    quiet_s: float = Field(
        300.0, ge=10, le=86400, description="Nobody for so long counts as quiet when the doors never close, in seconds."
    )


class HoursConfig(Section):
    """[hours]: when the doors are open, in the local time of the house."""

    zone: Annotated[str, AfterValidator(_zone)] = Field(
        "", description="Time zone such as Europe/Madrid; empty for the machine's own."
    )
    monday: tuple[Hours, ...] = Field(ALWAYS, description='Opening times, such as ["10:00-18:00"]; [] is closed.')
    tuesday: tuple[Hours, ...] = Field(ALWAYS, description="Opening times.")
    wednesday: tuple[Hours, ...] = Field(ALWAYS, description="Opening times.")
    thursday: tuple[Hours, ...] = Field(ALWAYS, description="Opening times.")
    friday: tuple[Hours, ...] = Field(ALWAYS, description="Opening times.")
    saturday: tuple[Hours, ...] = Field(ALWAYS, description="Opening times.")
    sunday: tuple[Hours, ...] = Field(ALWAYS, description="Opening times.")
    exceptions: dict[date, tuple[Hours, ...]] = Field(
        {}, description='Dates with other times: {"2026-12-25" = [], "2026-12-31" = ["10:00-14:00"]}.'
    )

    def table(self) -> OpeningHours:
        """The hours as something that can be asked."""
        weekly = [_periods(getattr(self, day)) for day in WEEKDAYS]
        exceptions = {day: _periods(texts) for day, texts in self.exceptions.items()}
        return OpeningHours(weekly, exceptions, ZoneInfo(self.zone) if self.zone else local_zone())


class HealthConfig(Section):
    """[health]: what the kiosk tells about itself to machines. Read-only, numbers only."""

    enabled: bool = Field(True, description="Whether /healthz and /metrics are served.")
    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 for every network.")
    port: Port = Field(9100, description="TCP port; 0 takes any free one.")
    log_mb: float = Field(200.0, ge=1, le=100000, description="All log files together never exceed this, in megabytes.")
    log_per_minute: int = Field(
        30, ge=1, le=10000, description="Lines of one kind that are written in a minute; the rest is counted."
    )


class DocentConfig(Section):
    """[docent]: the page for the person in the room (needs the extra 'docent')."""

    enabled: bool = Field(False, description="Whether the page is served.")
    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 for phones in the house.")
    port: Port = Field(9180, description="TCP port; 0 takes any free one.")
    pin: str = Field("", pattern=r"^([0-9]{4,12})?$", description="PIN of 4 to 12 digits; needed to open the page.")
    preview_cells: int = Field(
        16,
        ge=0,
        le=96,
        description="Width of the page's preview in coloured cells: up to 24 shows no face, 0 shows nothing.",
    )

    @model_validator(mode="after")
    def _has_pin(self) -> DocentConfig:
        if self.enabled and not self.pin:
            raise ValueError("the page needs a PIN: set [docent] pin to 4 to 12 digits")
        return self

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the page."""
        return is_loopback(self.host)


class PrivacyConfig(Section):
    """[privacy]: what visitors are told before the camera shows anything of them."""

    notice_s: float = Field(
        2.0, ge=0, le=30, description="How long the notice stands before a visitor's first reflection, in seconds."
    )
    language: str = Field("en", min_length=2, max_length=16, description="Which of the notices is shown.")
    notice: dict[str, str] = Field(
        {
            "en": "A camera looks at your face and a machine redraws it.\nNothing is kept. Step aside to leave.",
            "es": "Una cámara mira tu cara y una máquina la redibuja.\nNo se guarda nada. Apártate para salir.",
            "de": "Eine Kamera sieht Ihr Gesicht, eine Maschine zeichnet es neu.\n"
            "Nichts wird gespeichert. Treten Sie zur Seite, um zu gehen.",
            "fr": "Une caméra regarde votre visage et une machine le redessine.\n"
            "Rien n'est conservé. Écartez-vous pour partir.",
        },
        min_length=1,
        description="Language -> the notice; a line break where lines shall break.",
    )

    @model_validator(mode="after")
    def _language_is_there(self) -> PrivacyConfig:
        if self.language not in self.notice:
            raise ValueError(f"language = {self.language!r} has no notice; there are: {', '.join(self.notice)}")
        return self


class KeepsakeConfig(Section):
    """[keepsake]: pictures that visitors ask for. Off unless somebody turns it on."""

    enabled: bool = Field(False, description="Whether a docent may save a picture when a visitor asks for it.")
    folder: str = Field("", description="Where pictures lie; empty for the state folder.")
    countdown_s: float = Field(5.0, ge=1, le=60, description="Visible countdown, in which it can be cancelled, in s.")
    keep_s: float = Field(3600.0, ge=10, le=30 * 86400, description="A picture is deleted after this time, in seconds.")


def local_zone() -> ZoneInfo:
    """The machine's own time zone, as a zone that knows its changes."""
    path = Path("/etc/localtime")
    name = str(path.resolve()).partition("zoneinfo/")[2] if path.is_symlink() else ""
    try:
        if name:
            return ZoneInfo(name)
        with path.open("rb") as file:
            return ZoneInfo.from_file(file, "local")
    except (OSError, ValueError):  # no zone is set on this machine: it runs on UTC
        return ZoneInfo("UTC")


def restart_time(config: KioskConfig) -> time | None:
    """`restart_at` as a time of day."""
    return datetime.strptime(config.restart_at, "%H:%M").time() if config.restart_at else None


def _periods(texts: tuple[str, ...]) -> tuple[Period, ...]:
    return tuple(parse_period(text) for text in texts)
