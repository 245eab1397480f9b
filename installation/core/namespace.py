"""The control table as an OSCQuery namespace: what a client asks for before it draws its surface.

Format: "OSCQuery Proposal" (Vidvox, 2018): nodes with FULL_PATH, CONTENTS, TYPE, VALUE, RANGE, ACCESS, DESCRIPTION.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from installation.core.control import ID_PLACE, Control, Kind
from installation.core.snapshot import Snapshot

ATTRIBUTES = ("FULL_PATH", "CONTENTS", "TYPE", "VALUE", "RANGE", "ACCESS", "DESCRIPTION", "UNIT", "CLIPMODE")

_TYPES = {Kind.FLOAT: "f", Kind.INT: "i", Kind.TOGGLE: "T", Kind.CHOICE: "s", Kind.COMMAND: "I", Kind.SIGNAL: "I"}
_READ, _WRITE = 1, 2


def build_namespace(snapshot: Snapshot, cues: Iterable[str] = ()) -> dict[str, Any]:
    """The whole tree with its values now; a row with `<id>` stands once for each cue of the list."""
    root: dict[str, Any] = {"FULL_PATH": "/", "ACCESS": 0, "DESCRIPTION": "Machine Reflections", "CONTENTS": {}}
    names = tuple(cues)
    for row in snapshot.table.values():
        addresses = (
            [row.address.replace(ID_PLACE, name) for name in names] if ID_PLACE in row.address else [row.address]
        )
        for address in addresses:
            _insert(root, address, _leaf(row, address, snapshot))
    return root


def find_node(root: dict[str, Any], path: str) -> dict[str, Any] | None:
    """The node of a path such as `/mirror/amount`, or None."""
    node = root
    for part in path.strip("/").split("/") if path.strip("/") else ():
        child = node.get("CONTENTS", {}).get(part)
        if child is None:
            return None
        node = child
    return node


def _insert(root: dict[str, Any], address: str, leaf: dict[str, Any]) -> None:
    *branches, name = address.strip("/").split("/")
    node, path = root, ""
    for branch in branches:
        path += f"/{branch}"
        node = node.setdefault("CONTENTS", {}).setdefault(branch, {"FULL_PATH": path, "ACCESS": 0})
    # a leaf may be a branch too: /mirror/cue/go beside /mirror/cue/<id>/go with a cue named "go"
    node.setdefault("CONTENTS", {}).setdefault(name, {}).update(leaf)


def _leaf(row: Control, address: str, snapshot: Snapshot) -> dict[str, Any]:
    leaf: dict[str, Any] = {"FULL_PATH": address, "TYPE": _TYPES[row.kind], "DESCRIPTION": row.help}
    if row.kind in (Kind.COMMAND, Kind.SIGNAL):
        # an impulse has no value, but clients take a node without VALUE for a container (python-oscquery 0.4)
        return leaf | {"ACCESS": _WRITE if row.kind is Kind.COMMAND else _READ, "VALUE": [None]}
    value = snapshot.goal(row.address)
    if row.kind is Kind.TOGGLE:
        leaf["TYPE"] = "T" if value else "F"
    leaf |= {"ACCESS": _READ | _WRITE, "VALUE": [value]}
    if row.kind is Kind.CHOICE:
        leaf["RANGE"] = [{"VALS": list(row.choices)}]
    elif row.kind in (Kind.FLOAT, Kind.INT):
        leaf["RANGE"] = [{"MIN": row.low, "MAX": row.high}]
        leaf["CLIPMODE"] = ["both" if row.clamp else "none"]
        if row.unit:
            leaf["UNIT"] = [row.unit]
    return leaf
