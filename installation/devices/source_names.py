"""Names of everything a mapping may listen to, beside sound: faces, hands, the visit; and what is known in all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from installation.core.audio_features import SOURCES as AUDIO_SOURCES
from installation.core.types import FaceMeasures

FACE_SOURCES = tuple(f"face.{field.name}" for field in fields(FaceMeasures))
HAND_SOURCES = tuple(
    f"hand.{name}" for name in ("present", "count", "height", "openness", "pinch", "x", "distance", "left", "right")
)
VISIT_SOURCES = ("visit.presence", "visit.amount", "visit.seconds", "visit.visits")


def known_sources(lfos: Iterable[str], feeds: Iterable[str]) -> frozenset[str]:
    """All sources of a show with these waves and feeds."""
    names = [f"audio.{name}" for name in AUDIO_SOURCES]
    names += [*FACE_SOURCES, *HAND_SOURCES, *VISIT_SOURCES]
    names += [f"lfo.{name}" for name in lfos]
    names += [f"feed.{name}" for name in feeds]
    return frozenset(names)
