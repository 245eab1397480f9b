"""Mappings: sources play controls. A mapping is data; nothing in it is evaluated.

    source --(x - low) / (high - low)--> 0..1 --gain, curve, smoothing--> way --out_low..out_high--> control

Several bindings on one address are combined by the rule of the first of them. A source that says nothing
contributes nothing, and an address whose sources are all silent is left to whoever comes below it in
the instrument. Pure: values and time are handed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from installation.core.breath import Breath
from installation.core.control import ROOT, Control, Curve, Kind
from installation.core.controls import ControlTable

_EXPONENT = {Curve.LINEAR: 1.0, Curve.SQUARE: 2.0, Curve.CUBE: 3.0, Curve.ROOT: 0.5}

COMBINE: dict[str, Callable[[Sequence[float]], float]] = {
    "max": max,
    "add": lambda ways: min(sum(ways), 1.0),
    "mean": lambda ways: sum(ways) / len(ways),
    "multiply": math.prod,
    "last": lambda ways: ways[-1],
}
"""How the ways 0..1 of several bindings become one."""

LFO_SHAPES = ("sine", "triangle", "saw", "square", "random")


@dataclass(frozen=True, slots=True)
class Binding:
    """One source to one control.

    Attributes:
        source: Its name, such as `audio.level`.
        address: Of a control that has a state.
        low, high: Values of the source that count as 0 and 1; `high` may be below `low`.
        gain: Factor on the way before the curve.
        curve: Shape of the way.
        out_low, out_high: Values of the control at 0 and 1; None is its own end.
        smoothing_s: Half of a step is done after this time.
        combine: Key of `COMBINE`.
    """

    source: str
    address: str
    low: float = 0.0
    high: float = 1.0
    gain: float = 1.0
    curve: Curve = Curve.LINEAR
    out_low: float | None = None
    out_high: float | None = None
    smoothing_s: float = 0.0
    combine: str = "max"

    def way(self, value: float) -> float:
        """The source's value as a way 0..1."""
        place = self.gain * (value - self.low) / (self.high - self.low)
        return float(min(max(place, 0.0), 1.0) ** _EXPONENT[self.curve])


@dataclass(frozen=True, slots=True)
class Lfo:
    """A slow wave: source `lfo.<name>`, 0..1."""

    name: str
    shape: str = "sine"
    period_s: float = 20.0
    phase: float = 0.0
    _walk: Breath = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        seed = int.from_bytes(self.name.encode()[:8], "big")  # the same name walks the same way
        object.__setattr__(self, "_walk", Breath(1, seed=seed, period_s=1.0))

    def value(self, now: float) -> float:
        """The wave at `now`; a closed form of time."""
        place = (now / self.period_s + self.phase) % 1.0
        if self.shape == "sine":
            return 0.5 - 0.5 * math.cos(2.0 * math.pi * place)
        if self.shape == "triangle":
            return 1.0 - abs(2.0 * place - 1.0)
        if self.shape == "saw":
            return place
        if self.shape == "square":
            return float(place < 0.5)
        walk = self._walk.walk(now / self.period_s + self.phase, np.empty(1, np.float32))
        return 0.5 + 0.5 * min(max(float(walk[0]), -1.0), 1.0)


def check_bindings(bindings: Sequence[Binding], table: ControlTable, sources: Collection[str]) -> list[str]:
    """Find every mistake: a sentence each, with the number of the row from 1."""
    problems = []
    for number, binding in enumerate(bindings, 1):
        row = table.get(binding.address)
        here = f"row {number}: "
        if binding.source not in sources:
            near = [name for name in sources if name.split(".")[0] == binding.source.split(".")[0]]
            there = (
                f"there are {', '.join(near)}" if near else "sources begin with audio, face, hand, lfo, visit or feed"
            )
            problems.append(f"{here}source = {binding.source!r}: no such source; {there}")
        if row is None or binding.address not in table.slots or binding.address == f"{ROOT}/panic":
            problems.append(f"{here}address = {binding.address!r}: no such control to play")
            continue
        for name, value in (("out_low", binding.out_low), ("out_high", binding.out_high)):
            if value is not None and not row.low <= value <= row.high:
                problems.append(f"{here}{name} = {value:g}: {binding.address} takes {row.low:g} to {row.high:g}")
    return problems


class MappingEngine:
    """All bindings of a show, with their smoothing. Owned by one thread.

    Args:
        bindings: Already checked.
        table: Where the addresses are.
        lfos: Waves that are sources by themselves.
    """

    def __init__(self, bindings: Sequence[Binding], table: ControlTable, lfos: Sequence[Lfo] = ()) -> None:
        self._lfos = tuple(lfos)
        self._groups: dict[str, list[int]] = {}
        self._bindings = tuple(bindings)
        for index, binding in enumerate(self._bindings):
            self._groups.setdefault(binding.address, []).append(index)
        self._rows = {address: table[address] for address in self._groups}
        self._smooth: list[float | None] = [None] * len(self._bindings)
        self._then: float | None = None

    @property
    def sources(self) -> frozenset[str]:
        """The sources that are used, so that nobody measures what is not."""
        return frozenset(binding.source for binding in self._bindings)

    def step(self, values: Mapping[str, float], now: float) -> Iterator[tuple[str, float]]:
        """Take what the sources say, give (address, value) for each control that is played.

        Args:
            values: Source name -> value; those that are missing or not finite say nothing.
            now: Monotonic seconds.
        """
        waves = {f"lfo.{lfo.name}": lfo.value(now) for lfo in self._lfos}
        dt = 0.0 if self._then is None else max(now - self._then, 0.0)
        self._then = now
        for index, binding in enumerate(self._bindings):
            value = waves.get(binding.source, values.get(binding.source, math.nan))
            if not math.isfinite(value):
                self._smooth[index] = None
                continue
            way, before = binding.way(value), self._smooth[index]
            if before is not None and binding.smoothing_s > 0.0:
                way += (before - way) * 2.0 ** (-dt / binding.smoothing_s)
            self._smooth[index] = way
        for address, indices in self._groups.items():
            ways = [way for way in (self._smooth[index] for index in indices) if way is not None]
            if ways:
                first = self._bindings[indices[0]]
                yield address, _place(COMBINE[first.combine](ways), first, self._rows[address])


def _place(way: float, binding: Binding, row: Control) -> float:
    if row.kind is Kind.TOGGLE:
        return float(way >= 0.5)
    low = row.low if binding.out_low is None else binding.out_low
    high = row.high if binding.out_high is None else binding.out_high
    return low + (high - low) * way
