"""The control table: the only list of what can be played.

One row (`Control`) is one address. From the rows come validation, the OSC routes, feedback, OSCQuery,
MIDI, the layouts, the page for the performer and the tests; nothing else names an address. The table
is built once, from the targets and directions of the model pack, the looks and their uniforms.

Values live as float64 in one vector, a slot for each row that has a state: a toggle is 0 or 1, a
choice is the number of its name. Commands (`/mirror/cue/<id>/go`) and signals (`/mirror/beat`) have no state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from installation.core.control import ID_PLACE, ROOT, STATEFUL, Control, Curve, Kind, is_name
from installation.core.glide import EASING_NAMES
from installation.core.latents import BAND_NAMES

DEFAULT_VIEWS = ("portrait", "mirror", "split", "series")
DEFAULT_LOOKS = ("plain",)
MORPH_MODES = ("replace", "edit")
PATHS = ("linear", "spherical")
VISIT_STATES = ("nobody", "approach", "reflect", "morph", "reveal", "farewell")
NO_DONOR = "none"

STYLE_BRANCH = f"{ROOT}/paint"
"""Where the neural style is played: its strength, and a weight for each style picture."""


class ControlTable(Mapping[str, Control]):
    """All rows, by address, in the order they are shown. Immutable."""

    def __init__(self, rows: Iterable[Control]) -> None:
        """Take the rows.

        Raises:
            ValueError: If two rows share an address.
        """
        self._rows: dict[str, Control] = {}
        for row in rows:
            if row.address in self._rows:
                raise ValueError(f"two controls share the address {row.address}")
            self._rows[row.address] = row
        self.stateful: tuple[Control, ...] = tuple(row for row in self._rows.values() if row.kind in STATEFUL)
        self.slots: dict[str, int] = {row.address: slot for slot, row in enumerate(self.stateful)}
        """Address -> index into the vector of values."""
        self._patterns = {
            (head, tail): row
            for row in self._rows.values()
            if ID_PLACE in row.address
            for head, tail in [row.address.split(ID_PLACE)]
        }

    def __getitem__(self, address: str) -> Control:
        return self._rows[address]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, address: str) -> tuple[Control, str] | None:
        """Find the row of an address as it came: (row, what stood at `<id>` or ""), or None if there is none.

        Exact comparison only: patterns from the network are never matched.
        """
        row = self._rows.get(address)
        if row is not None:
            return None if ID_PLACE in address else (row, "")
        for (head, tail), pattern in self._patterns.items():
            if address.startswith(head) and address.endswith(tail):
                name = address[len(head) : len(address) - len(tail)]
                if is_name(name):
                    return pattern, name
        return None

    def names_under(self, branch: str) -> tuple[str, ...]:
        """Last parts of the stateful addresses below `branch`: `names_under("morph")` are the targets."""
        head = f"{ROOT}/{branch}/"
        return tuple(row.address[len(head) :] for row in self.stateful if row.address.startswith(head))

    def with_rows(self, rows: Iterable[Control]) -> ControlTable:
        """The same table with more rows at its end."""
        return ControlTable([*self._rows.values(), *rows])


def uniform_control(
    name: str, low: float, high: float, default: float, help: str, *, unit: str = "", curve: Curve = Curve.LINEAR
) -> Control:
    """The row of one uniform of a look: `/mirror/uniform/<name>`."""
    address = f"{ROOT}/uniform/{_checked(name)}"
    return Control(address, Kind.FLOAT, help, unit, low, high, default, curve, half_life_s=0.05)


def control_table(
    targets: Sequence[str],
    directions: Sequence[str],
    *,
    looks: Sequence[str] = DEFAULT_LOOKS,
    views: Sequence[str] = DEFAULT_VIEWS,
    uniforms: Iterable[Control] = (),
    num_ws: int = 18,
    styles: Sequence[str] = (),
    style_strength: float = 0.0,
) -> ControlTable:
    """Build the table of one show.

    Args:
        targets: Names of the pack's targets.
        directions: Names of the pack's attribute axes that may be played.
        looks: Names of the shader chains; the first is the default.
        views: Names of the views; the first is the default.
        uniforms: Rows of the looks' uniforms, from `uniform_control`.
        num_ws: Rows of W+, the bound of the style-mixing range.
        styles: Names of the style pictures of the neural style; without any there are no rows for it.
        style_strength: Its strength at rest.

    Raises:
        ValueError: If a name cannot be part of an address, or is there twice.
    """
    return ControlTable(
        [
            *_morph_rows(targets, directions, num_ws),
            *_picture_rows(looks, views),
            *uniforms,
            *_style_rows(styles, style_strength),
            *_cue_rows(),
            *_session_rows(),
            *_signal_rows(),
        ]
    )


def _morph_rows(targets: Sequence[str], directions: Sequence[str], num_ws: int) -> Iterator[Control]:
    smooth = 0.05  # s; hides the steps of a 7-bit controller at 60 Hz and is not felt as delay
    for name in targets:
        text = f"Weight of the target {name}; weights that sum over 1 are divided by their sum."
        yield Control(f"{ROOT}/morph/{_checked(name)}", Kind.FLOAT, text, half_life_s=smooth)
    text = "Master from the reflection (0) to the morph (1)."
    yield Control(f"{ROOT}/amount", Kind.FLOAT, text, default=1.0, half_life_s=smooth)
    for name in BAND_NAMES:
        text = f"How much of the {name} layers the morph takes."
        yield Control(f"{ROOT}/mix/{name}", Kind.FLOAT, text, default=1.0, half_life_s=smooth)
    for name in directions:
        text = f"Attribute axis {name}; -1 and 1 are the ends of its useful range."
        yield Control(f"{ROOT}/direction/{_checked(name)}", Kind.FLOAT, text, low=-1.0, half_life_s=smooth)
    text = "Truncation: 1 keeps the face as it is, 0 is the model's average face."
    yield Control(f"{ROOT}/psi", Kind.FLOAT, text, default=1.0, half_life_s=smooth)
    text = "Size of the breath, a slow walk along the axes."
    yield Control(f"{ROOT}/breath", Kind.FLOAT, text, curve=Curve.SQUARE, half_life_s=0.3)
    text = "How much of the shown face is encoded again with the next picture."
    yield Control(f"{ROOT}/feedback", Kind.FLOAT, text, half_life_s=smooth)
    text = "replace moves the face to the target; edit adds the target's difference from the average to the face."
    yield _choice("morph_mode", MORPH_MODES, text)
    text = "Way from the face to the target: straight, or on the sphere around the average face."
    yield _choice("morph_path", PATHS, text)
    text = "Target that gives its layers in style mixing."
    yield _choice("style/donor", (NO_DONOR, *targets), text)
    text = "First layer taken from the donor."
    yield Control(f"{ROOT}/style/first", Kind.INT, text, "layer", high=num_ws - 1)
    text = "Last layer taken from the donor."
    yield Control(f"{ROOT}/style/last", Kind.INT, text, "layer", high=num_ws - 1, default=num_ws - 1)
    text = "How much of the donor's layers is taken."
    yield Control(f"{ROOT}/style/amount", Kind.FLOAT, text, default=1.0, half_life_s=smooth)


def _picture_rows(looks: Sequence[str], views: Sequence[str]) -> Iterator[Control]:
    yield _choice("look", looks, "Look: the chain of shaders.")
    yield _choice("view", views, "What the screen shows.")
    text = "Opacity of the captions."
    yield Control(f"{ROOT}/caption", Kind.FLOAT, text, default=1.0, half_life_s=0.2)
    yield _toggle("freeze", "Hold the face as it is now.")
    yield _toggle("blackout", "Fade the picture to black.")
    yield _toggle("panic", "While on: everything at rest, nobody else is heard. What was played before is dropped.")


def _style_rows(styles: Sequence[str], strength: float) -> Iterator[Control]:
    if not styles:
        return
    text = "Neural style: 0 leaves the picture as it is, 1 paints it whole."
    yield Control(f"{STYLE_BRANCH}/strength", Kind.FLOAT, text, default=strength, half_life_s=0.1)
    for number, name in enumerate(styles):
        text = f"Weight of the style {name}; only the ratios of the weights count."
        first = 1.0 if number == 0 else 0.0
        yield Control(f"{STYLE_BRANCH}/style/{_checked(name)}", Kind.FLOAT, text, default=first, half_life_s=0.1)


def _cue_rows() -> Iterator[Control]:
    text = "Time that each move of a float takes when the message gives none."
    yield Control(f"{ROOT}/glide", Kind.FLOAT, text, "s", high=60.0, curve=Curve.CUBE, in_cue=False)
    yield _choice("easing", EASING_NAMES, "Shape of glides and cue fades.", in_cue=False)
    yield _command(f"cue/{ID_PLACE}/go", "Recall a cue over its time, or over the seconds given.")
    yield _command(f"cue/{ID_PLACE}/store", "Store what is played now as a cue, with the seconds given as its time.")
    yield _command(f"cue/{ID_PLACE}/delete", "Forget a cue.")
    yield _command("cue/go", "Recall the cue of the name or number given; without one, the next.")
    yield _command("cue/next", "Recall the next cue of the list.")
    yield _command("cue/previous", "Recall the cue before.")


def _session_rows() -> Iterator[Control]:
    text = "Ask for feedback: the whole state now, then every change. Arguments: port, seconds (both optional)."
    yield _command("subscribe", text)
    yield _command("unsubscribe", "End the feedback. Argument: port (optional).")
    yield _command("state", "Ask for the whole state once.")
    yield _command("midi/learn", "Bind the next MIDI knob or key that moves. Argument: the address it shall play.")
    yield _command("ping", "Answered by /mirror/pong with the same arguments.")


def _signal_rows() -> Iterator[Control]:
    for name in VISIT_STATES:
        yield _signal(f"visit/{name}", f"The visit has come to '{name}'.")
    yield _signal("beat", "A beat was heard. Arguments: number of the beat, confidence.")
    yield _signal("tempo", "Tempo in beats a minute, and confidence.")
    yield _signal("onset", "A sound began. Argument: strength.")
    yield _signal("heartbeat", "Once a second: seconds since the start.")
    yield _signal("pong", "Answer to /mirror/ping.")
    yield _signal("cue/current", "Name of the cue that was recalled last.")
    yield _signal("error", "What was wrong with a message, to its sender, at most once a second.")


def _choice(path: str, choices: Sequence[str], help: str, *, in_cue: bool = True) -> Control:
    names = tuple(choices)
    if not names or len(set(names)) != len(names):
        raise ValueError(f"{ROOT}/{path} needs names, each once: {', '.join(names) or 'none given'}")
    return Control(f"{ROOT}/{path}", Kind.CHOICE, help, high=float(len(names) - 1), choices=names, in_cue=in_cue)


def _toggle(path: str, help: str) -> Control:
    return Control(f"{ROOT}/{path}", Kind.TOGGLE, help, in_cue=False)


def _command(path: str, help: str) -> Control:
    return Control(f"{ROOT}/{path}", Kind.COMMAND, help, in_cue=False)


def _signal(path: str, help: str) -> Control:
    return Control(f"{ROOT}/{path}", Kind.SIGNAL, help, in_cue=False)


def _checked(name: str) -> str:
    if not is_name(name):
        raise ValueError(f"{name!r} cannot be part of an address: letters, digits, '_', '-' and '.', at most 40")
    return name
