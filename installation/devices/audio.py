"""Listening: opens the source, analyses, publishes the newest features; comes back after every loss.

One thread. The audience never notices a missing microphone: the features sink to silence within `rest_s`
while this thread tries again, at growing intervals, with a fresh list of devices.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from installation.core.audio_features import AUDIO_REST, AudioAnalyser, AudioFeatures
from installation.devices.audio_sources import AudioSource, open_audio
from installation.devices.instrument_config import AudioConfig
from installation.devices.reader import retry_delay
from installation.errors import DeviceError, MirrorError
from installation.runtime.worker import Worker

STALL_S = 1.0
"""A device that gives nothing for so long is lost, whatever it says: it may never say anything."""

BEGIN_S = 3.0
"""A device that was just opened may take so long to its first sound: a monitor of PulseAudio fills its buffer first."""

_BEHIND_S = 0.25  # samples missing against the clock; PortAudio does not flag every loss (python-sounddevice#64)
_FADE_FROM_S = 0.1  # younger features are as good as new
_HEALTHY_S = 5.0  # a device that was heard for so long is tried again at once when it is lost; a loose plug is not

log = logging.getLogger(__name__)


@dataclass(slots=True)
class AudioHealth:
    """How the listening goes.

    Attributes:
        state: off, opening, live or lost.
        message: What is wrong; empty while sound is heard.
        opened: How often a source was opened.
        lost_blocks: Blocks that were lost to overflow.
        gaps: How often the samples fell behind the clock: losses that no flag told of.
        frames: Frames of features since the start.
        latency_s: Of the device, as it says.
    """

    state: str = "off"
    message: str = ""
    opened: int = 0
    lost_blocks: int = 0
    gaps: int = 0
    frames: int = 0
    latency_s: float = 0.0


class AudioListener:
    """The mirror's ear.

    Args:
        config: Section `[audio]`.
        on_frame: Called from the listening thread with every frame, for beats and onsets; must return at once.
        clock: Monotonic seconds.
        opener: Opens the source; raises DeviceError.
    """

    def __init__(
        self,
        config: AudioConfig,
        *,
        on_frame: Callable[[AudioFeatures], None] = lambda frame: None,
        clock: Callable[[], float] = time.monotonic,
        opener: Callable[[AudioConfig], AudioSource] = open_audio,
    ) -> None:
        self._config = config
        self._on_frame = on_frame
        self._clock = clock
        self._opener = opener
        self._newest: tuple[AudioFeatures, float] = (AUDIO_REST, float("-inf"))
        self._worker = Worker("audio", self._run)
        self._missed = False
        self.health = AudioHealth()

    def start(self) -> None:
        """Begin to listen, unless `source` is off. Never raises: a missing device is silence."""
        if self._config.source != "off":
            self._worker.start()

    def stop(self) -> None:
        """End the thread and give the device back; waits at most two seconds."""
        self._worker.stop()

    def features(self, now: float) -> AudioFeatures:
        """The newest features; older ones sink, and after `rest_s` they are silence."""
        frame, at = self._newest
        rest_s = self._config.rest_s
        age = now - at
        if age <= min(_FADE_FROM_S, 0.5 * rest_s):
            return frame
        if age >= rest_s:
            return AUDIO_REST
        return faded(frame, (rest_s - age) / (rest_s - min(_FADE_FROM_S, 0.5 * rest_s)))

    def heard(self, now: float) -> AudioFeatures | None:
        """The same, for mappings: None when there is no input, so that a lost microphone leaves its controls to others.

        For another `rest_s` after they have sunk they are still given as silence, so that nothing jumps.
        """
        return self.features(now) if now - self._newest[1] < 2.0 * self._config.rest_s else None

    def _run(self) -> None:
        attempt = 0
        while not self._worker.ending.is_set():
            self.health.state = "opening"
            opened_at = self._clock()
            try:
                source = self._opener(self._config)
            except DeviceError as error:
                self._lost(error)
                if not error.transient:
                    return
            else:
                self.health.opened += 1
                self.health.latency_s = source.latency_s
                try:
                    self._listen(source)
                except DeviceError as error:
                    self._lost(error)
                finally:
                    source.close()
            if self._newest[1] - opened_at > _HEALTHY_S:
                attempt = 0
            self._worker.ending.wait(retry_delay(attempt, self._config.retry_first_s, self._config.retry_max_s))
            attempt += 1

    def _listen(self, source: AudioSource) -> None:
        """Analyse until `stop`.

        Raises:
            DeviceError: When the source is lost.
        """
        config = self._config
        analyser = AudioAnalyser(
            source.sample_rate,
            attack_s=config.attack_s,
            release_s=config.release_s,
            adapt_s=config.adapt_s if config.gain == "auto" else None,
            floor_db=config.floor_db,
            full_db=config.full_db,
        )
        heard_at = began = self._clock()
        lost_before = self.health.lost_blocks
        samples = 0
        while not self._worker.ending.is_set():
            block = source.read(0.1)
            self.health.lost_blocks = lost_before + source.lost_blocks
            now = self._clock()
            if block is None:
                limit_s = STALL_S if samples else BEGIN_S
                if now - heard_at > limit_s:
                    raise DeviceError(f"the audio input {source.name!r} gives no sound for {limit_s:g} s")
                continue
            if not samples:
                began = now
                self._found(source)
            heard_at = now
            samples += len(block)
            if (now - began) * source.sample_rate - samples > _BEHIND_S * source.sample_rate:
                self.health.gaps += 1
                began = now - samples / source.sample_rate
            for frame in analyser.feed(block):
                self.health.frames += 1
                self._newest = (frame, now)
                self._on_frame(frame)

    def _found(self, source: AudioSource) -> None:
        self.health.state, self.health.message = "live", ""
        level = logging.WARNING if self._missed else logging.INFO  # who read of the loss shall read of its end
        log.log(level, "audio: hearing %s at %d Hz", source.name, source.sample_rate)
        self._missed = False

    def _lost(self, error: MirrorError) -> None:
        if not self._missed:  # a device that stays away is one line, not one each try
            log.warning("audio: %s; the show goes on in silence", error)
        self._missed = True
        self.health.state, self.health.message = "lost", str(error)


def faded(frame: AudioFeatures, part: float) -> AudioFeatures:
    """The same features on their way to silence: `part` 1 as they are, 0 at rest. Nothing begins in them."""
    return replace(
        frame,
        level=frame.level * part,
        loudness=frame.loudness * part,
        bass=frame.bass * part,
        mid=frame.mid * part,
        treble=frame.treble * part,
        centroid=frame.centroid * part,
        flux=frame.flux * part,
        onset=frame.onset * part,
        beat=frame.beat * part,
        tempo_confidence=frame.tempo_confidence * part,
        pitch_confidence=frame.pitch_confidence * part,
        is_onset=False,
        is_beat=False,
    )
