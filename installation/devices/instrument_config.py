"""Sections of `config.toml` about playing: [osc], [cues], [audio], [mappings], [hands], [midi]."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from installation.core.control import Curve, is_name
from installation.runtime.section import Section

Port = Annotated[int, Field(ge=0, le=65535)]


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise ValueError(f"{text!r} is not an address range such as 192.168.1.0/24") from error
    return text


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError(f"{text!r} may hold letters, digits, '_', '-' and '.', 1 to 40 of them")
    return text


Network = Annotated[str, AfterValidator(_network)]
Name = Annotated[str, AfterValidator(_name)]


class OscConfig(Section):
    """[osc]: who may play over the network, and how the mirror answers."""

    enabled: bool = Field(True, description="Whether to listen for OSC at all.")
    host: str = Field(
        "127.0.0.1", min_length=1, description="Address to listen on: this machine alone, or 0.0.0.0 for every network."
    )
    port: Port = Field(9000, description="UDP port for OSC messages; 0 takes any free one.")
    tcp: bool = Field(False, description="Whether to take OSC over TCP too, framed by SLIP (OSC 1.1).")
    tcp_port: Port = Field(9000, description="TCP port for OSC; 0 takes any free one.")
    allow: tuple[Network, ...] = Field(
        ("127.0.0.0/8", "::1/128"),
        description="Address ranges (CIDR) whose messages are heard; all others are ignored.",
    )
    hold_s: float = Field(
        20.0,
        ge=0,
        le=86400,
        description="How long a touched control stays with the operator before mappings and the visit play it again, "
        "in seconds.",
    )
    subscription_s: float = Field(
        60.0,
        ge=1,
        le=3600,
        description="How long feedback is sent after /mirror/subscribe without seconds, in seconds.",
    )
    feedback_hz: float = Field(30.0, ge=1, le=30, description="How often each subscriber is told changes at most.")
    wekinator: tuple[str, ...] = Field(
        (), description="Addresses played by the arguments of /wek/outputs (0..1), in their order."
    )
    query: bool = Field(True, description="Whether to answer OSCQuery (HTTP) about the controls.")
    query_port: Port = Field(9001, description="TCP port for OSCQuery; 0 takes any free one.")
    announce: bool = Field(
        False, description="Whether to announce the mirror on the local network (zeroconf; needs the extra 'network')."
    )


class CuesConfig(Section):
    """[cues]: the list of stored states."""

    file: str = Field("cues.toml", min_length=1, description="The cue list; read again when it changes.")
    keep: bool = Field(True, description="Whether cues that are stored during the show are written to the file.")


class AudioConfig(Section):
    """[audio]: what the mirror hears."""

    source: str = Field(
        "off",
        min_length=1,
        description="off, default (the system's input), a part of an input's name, or the path of a WAV file.",
    )
    host_api: str = Field("", description="A part of the host API's name (ALSA, JACK, Core Audio); empty takes any.")
    sample_rate: int = Field(48000, ge=8000, le=192000, description="Rate asked of the device, in hertz.")
    loop: bool = Field(True, description="Whether a WAV file begins again at its end.")
    attack_s: float = Field(0.01, ge=0.001, le=1, description="How fast the level rises, in seconds.")
    release_s: float = Field(0.25, ge=0.01, le=10, description="How fast the level falls, in seconds.")
    gain: Literal["auto", "fixed"] = Field(
        "auto", description="auto adapts over minutes to how loud the room is; fixed takes floor_db to full_db."
    )
    floor_db: float = Field(
        -60.0, ge=-120, le=0, description="Level that counts as silence when the gain is fixed, in dBFS."
    )
    full_db: float = Field(
        -12.0, ge=-120, le=0, description="Level that counts as full when the gain is fixed, in dBFS."
    )
    adapt_s: float = Field(
        120.0, ge=1, le=3600, description="How fast the automatic gain and the noise floor adapt, in seconds."
    )
    rest_s: float = Field(
        0.5, ge=0.05, le=10, description="A feature that stops coming is at rest after this time, in seconds."
    )
    retry_first_s: float = Field(0.5, ge=0.05, le=60, description="First delay before opening again, in seconds.")
    retry_max_s: float = Field(8.0, ge=0.05, le=600, description="Longest delay before opening again, in seconds.")

    @model_validator(mode="after")
    def _ordered(self) -> AudioConfig:
        if self.floor_db >= self.full_db:
            raise ValueError(f"floor_db = {self.floor_db:g} must lie below full_db = {self.full_db:g}")
        return self


class MappingRow(Section):
    """[[mappings.row]]: one source plays one control."""

    source: str = Field(
        min_length=1,
        description="audio.level, face.smile, hand.height, lfo.NAME, visit.presence, feed.NAME ...: see the page for "
        "performers.",
    )
    address: str = Field(min_length=1, description="The control that is played.")
    low: float = Field(0.0, description="Value of the source that counts as 0.")
    high: float = Field(1.0, description="Value of the source that counts as 1; below `low` turns it round.")
    gain: float = Field(1.0, ge=-100, le=100, description="Factor on the way 0..1, before the curve.")
    curve: Curve = Field(Curve.LINEAR, description="Shape of the way: linear, square, cube or root.")
    out_low: float | None = Field(None, description="Value of the control at 0; by default its own lower end.")
    out_high: float | None = Field(None, description="Value of the control at 1; by default its own upper end.")
    smoothing_s: float = Field(0.0, ge=0, le=60, description="Half of a step is done after this time, in seconds.")
    combine: Literal["max", "add", "mean", "multiply", "last"] = Field(
        "max", description="How several rows on one address become one value; the first row's rule counts."
    )

    @model_validator(mode="after")
    def _not_flat(self) -> MappingRow:
        if self.low == self.high:
            raise ValueError(f"low and high are both {self.low:g}: the source could not move")
        return self


class LfoConfig(Section):
    """[[mappings.lfo]]: a slow wave as a source, `lfo.NAME`, 0..1."""

    name: Name = Field(description="Its name in sources.")
    shape: Literal["sine", "triangle", "saw", "square", "random"] = Field("sine", description="Shape of the wave.")
    period_s: float = Field(20.0, ge=0.02, le=86400, description="Length of one wave, in seconds.")
    phase: float = Field(0.0, ge=0, le=1, description="Where the wave begins, as a part of it.")


class FeedConfig(Section):
    """[[mappings.feed]]: numbers from outside as a source, `feed.NAME`."""

    name: Name = Field(description="Its name in sources.")
    file: str = Field("", description="A JSON or CSV file that is watched; its newest number is the value.")
    topic: str = Field("", description="An MQTT topic (needs the extra 'network'); used if there is no file.")
    broker: str = Field("127.0.0.1:1883", description="Host and port of the MQTT broker.")
    key: str = Field("", description="Where in JSON the number is, with dots (wind.speed); or the column of a CSV.")
    stale_s: float = Field(
        300.0, ge=1, le=604800, description="A value that was not renewed for so long is at rest, in seconds."
    )

    @model_validator(mode="after")
    def _one_origin(self) -> FeedConfig:
        if bool(self.file) == bool(self.topic):
            raise ValueError("give either file or topic")
        return self


class MappingsConfig(Section):
    """[mappings]: what plays the controls when nobody does."""

    row: tuple[MappingRow, ...] = Field((), description="One source to one control each.")
    lfo: tuple[LfoConfig, ...] = Field((), description="Slow waves.")
    feed: tuple[FeedConfig, ...] = Field((), description="Watched files and MQTT topics; none by default.")


class HandsConfig(Section):
    """[hands]: the visitor's hands as sources."""

    enabled: bool = Field(False, description="Whether to look for hands in the camera picture.")
    max_hands: int = Field(2, ge=1, le=2, description="How many hands are looked for.")
    hz: float = Field(15.0, ge=1, le=60, description="How often to look, in hertz.")
    score: float = Field(
        0.7, ge=0.1, le=1, description="How hand-like something must be; lower sees hands in folds of cloth."
    )


class MidiConfig(Section):
    """[midi]: a controller on the table (needs the extra 'midi')."""

    device: str = Field("", description="A part of the MIDI input's name; empty switches MIDI off.")
    file: str = Field("midi.toml", min_length=1, description="Which key and knob plays what; written by learning.")
    retry_s: float = Field(2.0, ge=0.2, le=60, description="How often to look for a missing device, in seconds.")
