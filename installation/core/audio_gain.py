"""Automatic gain: learns how quiet and how loud a room is, and gives a level 0..1 between the two.

The floor sinks within seconds to a quieter room and rises over minutes to a louder one, so a hum becomes silence;
the top jumps to what is louder and sinks over minutes. Both by half-lives, so the block length changes nothing.
"""

from __future__ import annotations

import math

QUICK_S = 1.0
LEAST_SPAN_DB = 18.0
"""Floor and top never come nearer: the flutter of a silent room is not music."""

FLOOR_MARGIN_DB = 6.0
"""This much above the floor still counts as silence; steady noise flutters about so far in a short window."""

LOWEST_DB, HIGHEST_DB = -80.0, 0.0


class AutoGain:
    """Follows one level in dBFS.

    Args:
        adapt_s: Half-life of the slow ways; None keeps floor and top where they are.
        floor_db, full_db: Where to begin.
    """

    def __init__(self, adapt_s: float | None, floor_db: float = -60.0, full_db: float = -12.0) -> None:
        self._adapt_s = adapt_s
        self.floor_db = floor_db
        self.full_db = full_db

    def step(self, level_db: float, dt_s: float) -> float:
        """Take a level and the time since the last one; give the level 0..1 in the room's own range."""
        if self._adapt_s is None:
            low = self.floor_db
        else:
            level_db = min(max(level_db, LOWEST_DB), HIGHEST_DB)
            self.floor_db = _follow(self.floor_db, level_db, QUICK_S, self._adapt_s, dt_s)
            self.full_db = _follow(self.full_db, level_db, self._adapt_s, QUICK_S, dt_s)
            self.full_db = max(self.full_db, self.floor_db + LEAST_SPAN_DB)
            low = self.floor_db + FLOOR_MARGIN_DB
        return min(max((level_db - low) / (self.full_db - low), 0.0), 1.0)


def _follow(value: float, goal: float, down_s: float, up_s: float, dt_s: float) -> float:
    return goal + (value - goal) * math.exp2(-dt_s / (up_s if goal > value else down_s))
