"""The words under a picture: what the visitor becomes at this moment, or the names of all that stands side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from installation.core.latents import BAND_NAMES
from installation.core.visit import VisitState
from installation.display.scene import Scene
from installation.wish import Wish

SERIES = 5
"""How many targets the series shows: the five of the original work."""

_BEGIN, _END = 0.15, 0.75
"""Amounts of the morph between which the word fades in: it names what can be seen already."""


class Words:
    """Captions of one show.

    Args:
        captions: Names of the targets, in the order in which visitors meet them, with what the screen calls them.
    """

    def __init__(self, captions: Mapping[str, str]) -> None:
        self._captions = captions
        self.targets = tuple(captions)

    def target(self, visit: VisitState) -> str:
        """Name the target of this moment, or "" where the pack has none."""
        return self.targets[visit.target % len(self.targets)] if self.targets else ""

    def caption(self, scene: Scene, visit: VisitState, several: Wish | None, opacity: float) -> Scene:
        """Give a scene its words: the series', the ladder's bands and the word, or the word as far as the morph is.

        Args:
            scene: Without words.
            visit: Says what is morphed toward, and how far.
            several: For what the pictures were made, if they are several.
            opacity: 0..1, the performer's.
        """
        if not self.targets:
            return scene
        opacity *= visit.presence
        if scene.view == "series" and several is not None and several.series:
            words = tuple(self._captions[name] for name in self.targets[:SERIES])
            return replace(scene, captions=words, caption_alpha=opacity)
        word = self._captions[self.target(visit)]
        ladder = scene.view == "strip" and several is not None and several.ladder
        x = min(max((visit.amount - _BEGIN) / (_END - _BEGIN), 0.0), 1.0)
        return replace(
            scene,
            captions=("", *BAND_NAMES, word) if ladder else (word,),
            caption_alpha=opacity * x * x * (3.0 - 2.0 * x),
        )
