"""Plays the mappings: gathers what the sources say, steps the engine, sets the instrument; reloads while it plays."""

from __future__ import annotations

import logging
import math
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import ValidationError

from installation.core.audio_features import AudioFeatures
from installation.core.controls import ControlTable
from installation.core.hands import HandMeasures
from installation.core.instrument import Instrument
from installation.core.mappings import Binding, Lfo, MappingEngine, check_bindings
from installation.core.types import FaceMeasures
from installation.devices.feeds import Feed, open_feed
from installation.devices.instrument_config import MappingsConfig
from installation.devices.source_names import known_sources
from installation.devices.watching import WatchedFile
from installation.errors import ConfigError, MirrorError

log = logging.getLogger(__name__)


def build_engine(config: MappingsConfig, table: ControlTable) -> MappingEngine:
    """Make the engine of a section.

    Raises:
        ConfigError: With every mistake, one a line.
    """
    bindings = [Binding(**row.model_dump()) for row in config.row]
    lfos = [Lfo(**lfo.model_dump()) for lfo in config.lfo]
    problems = [
        f"two {what} are named {name!r}"
        for what, names in (("waves", [lfo.name for lfo in lfos]), ("feeds", [feed.name for feed in config.feed]))
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    sources = known_sources((lfo.name for lfo in lfos), (feed.name for feed in config.feed))
    problems += check_bindings(bindings, table, sources)
    if problems:
        raise ConfigError("\n".join(f"[mappings] {problem}" for problem in problems))
    return MappingEngine(bindings, table, lfos)


class MappingPlayer:
    """The mappings of a show. `play` belongs to the show's thread, `poll` to the one that watches files.

    Args:
        config: Section `[mappings]`.
        instrument: To play.
        audio: Gives the newest features at a time, None when there is no input.
        config_path: The file to watch for changes of the section; None watches nothing.
        clock: Monotonic seconds.

    Raises:
        ConfigError: If the mappings are wrong at the start.
        MissingExtra: If a feed needs a package that is not installed.
    """

    def __init__(
        self,
        config: MappingsConfig,
        instrument: Instrument,
        *,
        audio: Callable[[float], AudioFeatures | None] = lambda now: None,
        config_path: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._instrument = instrument
        self._audio = audio
        self._clock = clock
        self._file = None if config_path is None else WatchedFile(config_path)
        self._folder = Path() if config_path is None else config_path.parent
        self._config = config
        # one attribute, so that a reload from another thread never mixes an engine with another's feeds
        self._playing = (build_engine(config, instrument.table), self._open_feeds(config))
        if self._file is not None:
            self._file.read_if_changed()  # what was read at the start is no change

    def play(
        self,
        now: float,
        face: FaceMeasures | None = None,
        hands: HandMeasures | None = None,
        visit: Mapping[str, float] | None = None,
    ) -> None:
        """Set every control that a source plays now.

        Args:
            now: Monotonic seconds.
            face: Of the followed visitor; None when nobody is there.
            hands: None when hands are not looked for.
            visit: presence, amount, seconds and visits.
        """
        engine, feeds = self._playing
        audio = self._audio(now)
        values = {}
        for source in engine.sources:
            kind, _, name = source.partition(".")
            if kind == "audio" and audio is not None:
                values[source] = float(getattr(audio, name))
            elif kind == "face" and face is not None:
                values[source] = float(getattr(face, name))
            elif kind == "hand" and hands is not None:
                values[source] = float(getattr(hands, name))
            elif kind == "visit" and visit is not None:
                values[source] = float(visit.get(name, math.nan))
            elif kind == "feed":
                values[source] = feeds[name].value(now)
        for address, number in engine.step(values, now):
            self._instrument.set(address, number, "mapping", now)

    def poll(self) -> None:
        """Look at the feeds, and take new mappings when the file has changed.

        Raises:
            ConfigError: If the new mappings are wrong; the old ones go on.
        """
        for feed in self._playing[1].values():
            feed.poll()
        text = None if self._file is None else self._file.read_if_changed()
        if text is None or self._file is None:
            return
        try:
            self._load(parse_mappings(text))
        except MirrorError as error:
            raise ConfigError(f"{self._file.path.name}: the mappings stay as they were:\n{error}") from error

    def stop(self) -> None:
        """Give the feeds back."""
        for feed in self._playing[1].values():
            feed.stop()

    def _load(self, config: MappingsConfig) -> None:
        if config == self._config:
            return
        engine = build_engine(config, self._instrument.table)
        _, old = self._playing
        self._playing, self._config = (engine, self._open_feeds(config)), config
        for feed in old.values():
            feed.stop()
        log.info("mappings: %d rows", len(config.row))

    def _open_feeds(self, config: MappingsConfig) -> dict[str, Feed]:
        return {feed.name: open_feed(feed, self._folder, self._clock) for feed in config.feed}


def parse_mappings(text: str) -> MappingsConfig:
    """Read the section `[mappings]` of a whole config.toml.

    Raises:
        ConfigError: With every mistake, one a line.
    """
    try:
        return MappingsConfig.model_validate(tomllib.loads(text).get("mappings", {}))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}") from error
    except ValidationError as error:
        lines = [
            f"[mappings] {'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors(include_url=False)
        ]
        raise ConfigError("\n".join(lines)) from error
