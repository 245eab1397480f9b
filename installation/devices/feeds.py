"""Data feeds: a number from a JSON or CSV file that somebody else writes, or from an MQTT topic. Off by default.

A value is text turned into a float and nothing more; what is not a finite number says nothing.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from installation.devices.instrument_config import FeedConfig
from installation.devices.watching import WatchedFile
from installation.errors import ConfigError, MissingExtra

MAX_PAYLOAD_BYTES = 65536

log = logging.getLogger(__name__)


class Feed(Protocol):
    """One source of numbers."""

    def value(self, now: float) -> float:
        """The newest number, NaN when there is none or it is stale."""

    def poll(self) -> None:
        """Look for a new one; called every half second."""

    def stop(self) -> None:
        """Give back what is held."""


def open_feed(config: FeedConfig, folder: Path, clock: Callable[[], float] = time.monotonic) -> Feed:
    """Open one feed; file names are relative to `folder`.

    Raises:
        MissingExtra: If MQTT is wanted and paho-mqtt is not installed.
    """
    return FileFeed(config, folder, clock) if config.file else MqttFeed(config, clock)


class _Newest:
    """The newest number and when it came."""

    def __init__(self, config: FeedConfig, clock: Callable[[], float]) -> None:
        self._config, self._clock = config, clock
        self._newest = (math.nan, -math.inf)
        self._told = ""

    def value(self, now: float) -> float:
        number, at = self._newest
        return number if now - at < self._config.stale_s else math.nan

    def take(self, text: str, *, is_csv: bool) -> None:
        try:
            number = read_csv(text, self._config.key) if is_csv else read_json(text, self._config.key)
        except ConfigError as error:
            if str(error) != self._told:
                log.warning("feed %s: %s", self._config.name, error)
                self._told = str(error)
            return
        self._newest = (number, self._clock())

    def poll(self) -> None:
        """Nothing to look for."""

    def stop(self) -> None:
        """Nothing is held."""


class FileFeed(_Newest):
    """A watched file. Its name's end says what it is: `.csv`, or JSON."""

    def __init__(self, config: FeedConfig, folder: Path, clock: Callable[[], float]) -> None:
        super().__init__(config, clock)
        self._file = WatchedFile(folder / config.file)

    def poll(self) -> None:
        text = self._file.read_if_changed()
        if text is not None:
            self.take(text, is_csv=self._file.path.suffix.lower() == ".csv")


class MqttFeed(_Newest):
    """An MQTT topic; paho's own thread receives and reconnects."""

    def __init__(self, config: FeedConfig, clock: Callable[[], float]) -> None:
        super().__init__(config, clock)
        try:
            from paho.mqtt import client as mqtt
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError as error:
            raise MissingExtra("paho-mqtt", "network", f"the feed {config.name!r} from MQTT") from error
        host, _, port = config.broker.rpartition(":")
        if not host or not port.isdecimal():
            raise ConfigError(f"feed {config.name!r}: broker = {config.broker!r}: must be host:port")
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 30)
        self._client.connect_async(host, int(port))
        self._client.loop_start()

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if not reason.is_failure:
            client.subscribe(self._config.topic)

    def _on_message(self, client: Any, userdata: Any, message: Any) -> None:
        if len(message.payload) <= MAX_PAYLOAD_BYTES:
            self.take(message.payload.decode("utf-8", "replace"), is_csv=False)


def read_json(text: str, key: str) -> float:
    """The number at `key` (`wind.speed`, `list.0`); a bare number with an empty key.

    Raises:
        ConfigError: If there is none.
    """
    try:
        node = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not JSON: {error}") from error
    for part in key.split(".") if key else ():
        if isinstance(node, dict) and part in node:
            node = node[part]
        elif isinstance(node, list) and part.removeprefix("-").isdecimal() and -len(node) <= int(part) < len(node):
            node = node[int(part)]
        else:
            raise ConfigError(f"there is nothing at {key!r}")
    return _number(node, key)


def read_csv(text: str, column: str) -> float:
    """The last row's number in a column, by its name in the first row or its place from 1; else the last column.

    Raises:
        ConfigError: If there is none.
    """
    try:
        rows = [row for row in csv.reader(io.StringIO(text)) if row]
    except csv.Error as error:
        raise ConfigError(f"not CSV: {error}") from error
    if not rows:
        raise ConfigError("the file has no row")
    place = -1
    if column in rows[0]:
        place = rows[0].index(column)
    elif column.isdecimal() and int(column) > 0:
        place = int(column) - 1
    elif column:
        raise ConfigError(f"there is no column {column!r}; there are {', '.join(rows[0])}")
    if not -1 <= place < len(rows[-1]):
        raise ConfigError(f"the last row has {len(rows[-1])} columns, not {place + 1}")
    return _number(rows[-1][place], column)


def _number(found: object, key: str) -> float:
    try:
        number = float(found)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if isinstance(found, (list, dict)) or not math.isfinite(number):
        raise ConfigError(f"what is at {key!r} is not a finite number: {str(found)[:40]!r}")
    return number
