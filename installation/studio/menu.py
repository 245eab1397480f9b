"""What the studio's page may ask for: rows of the control table, told in words that need no manual.

The table is the show's own, so that a slider of the page and a fader of the show are one thing. The words at both
ends of an axis are those that its captions were written with (`engines/targets/captions.toml`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from engines.runtime import Pack
from engines.runtime.pack import Direction
from installation.config import Config
from installation.core.control import ROOT, Control, Value, ValueRefused
from installation.core.controls import STYLE_BRANCH, ControlTable, control_table
from installation.core.latents import BAND_NAMES
from installation.core.morph import Morph
from installation.display.looks import PLAIN, control_name, load_looks, look_controls, look_names

FIFTEEN = (
    "age", "gender_expression", "smile", "yaw", "pitch", "roll", "eyes_open", "eye_distance", "eye_ratio",
    "eye_eyebrow_distance", "nose_ratio", "nose_tip", "nose_mouth_distance", "lip_ratio", "mouth_open",
)  # fmt: skip
"""The features of the original work, in the order in which a face is read."""

_BAND_WORDS = {
    "coarse": ("Coarse layers", "pose, shape of the face and hair"),
    "middle": ("Middle layers", "eyes, nose, mouth, hair in detail"),
    "fine": ("Fine layers", "colours, skin, light"),
}
_SHORT_WORDS = {"yaw": ("left", "right"), "pitch": ("down", "up"), "roll": ("clockwise", "anticlockwise")}
"""In place of captions that are whole sentences; all directions are the picture's."""

_PLAYED = ("morph/", "mix/", "direction/", "uniform/", "paint/")
_PLAYED_ALONE = ("amount", "psi", "morph_mode", "look")


@dataclass(frozen=True, slots=True)
class Menu:
    """Everything that one pack lets a page do.

    Attributes:
        table: Rows that are heard; others do not exist for the page.
        catalogue: The same for people, as plain JSON values.
        rest: Address -> value of everything at rest: the reflection, unchanged.
    """

    table: ControlTable
    catalogue: Mapping[str, Any]
    rest: Mapping[str, Value]

    def accept(self, values: object) -> dict[str, Value]:
        """Check what a page sent, `{address: value}`; what is missing is at rest.

        Raises:
            ValueRefused: If it names what is not there, or a value does not fit its row.
        """
        if not isinstance(values, Mapping):
            raise ValueRefused("controls must be given by address")
        accepted = dict(self.rest)
        for address, value in values.items():
            row = self.table.get(address) if isinstance(address, str) else None
            if row is None:
                raise ValueRefused(f"this studio has no control {str(address)[:60]!r}; load the page again")
            accepted[row.address] = row.present(row.accept(value))
        return accepted


def menu_of(pack: Pack, config: Config) -> Menu:
    """Say what a pack and the configured looks allow.

    Raises:
        ConfigError: If a look is broken.
    """
    directions = playable(pack, config)
    whole = control_table(
        tuple(pack.targets),
        tuple(directions),
        looks=look_names(config.display),
        uniforms=look_controls(config.display),
        num_ws=pack.num_ws,
        styles=tuple(config.style.found()),
        style_strength=config.style.strength,
    )
    table = ControlTable(row for row in whole.values() if _is_played(row))
    rest = {row.address: row.present(row.default) for row in table.stateful}
    rest[f"{ROOT}/morph_mode"] = config.visit.morph_mode
    catalogue = {
        "pack": {"name": pack.name, "resolution": pack.resolution, "encodes": pack.manifest.encoder is not None},
        "targets": _targets(pack, config),
        "features": [_axis(directions[name]) for name in FIFTEEN if name in directions],
        "attributes": [_axis(axis) for name, axis in directions.items() if name not in FIFTEEN],
        "bands": [_slider(table[f"{ROOT}/mix/{name}"], *_BAND_WORDS[name]) for name in BAND_NAMES],
        "amount": _slider(table[f"{ROOT}/amount"], "Amount", "from the reflection to the morph"),
        "psi": _slider(table[f"{ROOT}/psi"], "Truncation ψ", "0 is the model's average face"),
        "mode": {"address": f"{ROOT}/morph_mode", "choices": list(table[f"{ROOT}/morph_mode"].choices)},
        "looks": _looks(config, table),
        "paint": _paint(table),
        "rest": rest,
    }
    return Menu(table, catalogue, rest)


def with_style(config: Config) -> Config:
    """The same config with the style network on: nothing in the studio has to keep up with a camera."""
    return config.model_copy(update={"style": config.style.model_copy(update={"enabled": True})})


def playable(pack: Pack, config: Config) -> dict[str, Direction]:
    """The pack's directions but those that nobody may play."""
    return {name: axis for name, axis in pack.directions.items() if name not in config.engine.untouched}


def morph_of(pack: Pack, config: Config, names: Iterable[str] | None = None) -> Morph:
    """The morph of a pack as the page plays it: to all targets, or to those named."""
    names = pack.targets if names is None else names
    return Morph(
        pack.w_avg,
        pack.bands,
        {name: pack.targets[name].w_plus for name in names},
        {name: axis.vector * _reach(axis) for name, axis in playable(pack, config).items()},
    )


def look_of(values: Mapping[str, Value]) -> str:
    """Name of the look that is played."""
    return str(values.get(f"{ROOT}/look", PLAIN))


def series_names(pack: Pack, config: Config) -> tuple[str, ...]:
    """Targets that stand side by side, in the order in which visitors meet them: at most five."""
    return (tuple(name for name in config.visit.targets if name in pack.targets) or tuple(pack.targets))[:5]


def _is_played(row: Control) -> bool:
    path = row.address.removeprefix(f"{ROOT}/")
    return path in _PLAYED_ALONE or path.startswith(_PLAYED)


def _reach(axis: Direction) -> float:
    return max(abs(axis.low), abs(axis.high))


def _targets(pack: Pack, config: Config) -> list[dict[str, Any]]:
    """Targets with their words and where they came from, those of the series first."""
    series = series_names(pack, config)
    order = [*series, *(name for name in pack.targets if name not in series)]
    return [
        {
            "address": f"{ROOT}/morph/{name}",
            "label": pack.targets[name].caption,
            "series": name in series,
            "prompt": pack.targets[name].provenance.prompt,
            "models": [used.name for used in pack.targets[name].provenance.models],
        }
        for name in order
    ]


def _axis(axis: Direction) -> dict[str, Any]:
    """A slider over the useful range; the table's -1..1 spans the longer of its two arms."""
    low, high = _SHORT_WORDS.get(axis.name) or _poles().get(axis.name, ("less", "more"))
    return {
        "address": f"{ROOT}/direction/{axis.name}",
        "label": axis.name.replace("_", " "),
        "low": axis.low / _reach(axis),
        "high": axis.high / _reach(axis),
        "low_word": low,
        "high_word": high,
    }


def _slider(row: Control, label: str, help: str) -> dict[str, Any]:
    return {"address": row.address, "label": label, "low": row.low, "high": row.high, "help": help}


def _looks(config: Config, table: ControlTable) -> list[dict[str, Any]]:
    looks: list[dict[str, Any]] = [{"name": PLAIN, "title": "Plain", "help": "As the model draws.", "knobs": []}]
    for name, look in load_looks(config.display).items():
        rows = [(knob, table[f"{ROOT}/uniform/{control_name(name, knob)}"]) for knob in look.controls]
        knobs = [_slider(row, knob.replace("_", " "), look.controls[knob].help) for knob, row in rows]
        looks.append({"name": name, "title": look.title, "help": look.help, "knobs": knobs})
    return looks


def _paint(table: ControlTable) -> list[dict[str, Any]]:
    """The neural style: its strength first, then a weight for each style picture; empty where it is not there."""
    strength = f"{STYLE_BRANCH}/strength"
    pictures = [row for row in table.stateful if row.address.startswith(f"{STYLE_BRANCH}/style/")]
    if strength not in table:
        return []
    weights = [_slider(row, row.address.rpartition("/")[2].replace("-", " "), "") for row in pictures]
    return [_slider(table[strength], "Painted", "by a network, in the style of the pictures below"), *weights]


@cache
def _poles() -> dict[str, tuple[str, str]]:
    """Axis -> words at its low and its high end."""
    text = files("engines.targets").joinpath("captions.toml").read_text("utf-8")
    return {name: (axis["low"], axis["high"]) for name, axis in tomllib.loads(text).items()}
