"""Surfaces written from the control table: an Open Stage Control session and a TouchOSC document.

One tab (Open Stage Control) or one page (TouchOSC) for each part of the table, a fader for a float, a button
for a toggle or a command, a button for each name of a choice. Nothing is drawn by hand, so no surface is
ever behind the table.
"""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Iterator, Sequence
from typing import Any
from xml.sax.saxutils import escape

from installation.core.control import ID_PLACE, ROOT, Control, Kind
from installation.core.controls import ControlTable

OPEN_STAGE_CONTROL_VERSION = "1.26.0"
_CUE_ADDRESSES = ("cue/go", "cue/next", "cue/previous")
_TOUCH_SIZE = (1280, 800)
_COLUMNS = 6
_HUES = ((0.85, 0.55, 0.35), (0.45, 0.65, 0.85), (0.55, 0.75, 0.5), (0.75, 0.5, 0.75))


def sections(table: ControlTable, cues: Sequence[str] = ()) -> Iterator[tuple[str, list[Control]]]:
    """What belongs on one page: (title, rows). Cues come as rows of their own."""
    playable = [row for row in table.stateful if row.kind is not Kind.CHOICE]
    morph = [row for row in playable if row.address.startswith((f"{ROOT}/morph/", f"{ROOT}/amount", f"{ROOT}/mix/"))]
    axes = [row for row in playable if row.address.startswith((f"{ROOT}/direction/", f"{ROOT}/psi", f"{ROOT}/style/"))]
    looks = [row for row in playable if row.address.startswith(f"{ROOT}/uniform/")]
    rest = [row for row in playable if row not in [*morph, *axes, *looks]]
    yield "Morph", morph
    yield "Axes", axes
    if looks:
        yield "Look", looks
    yield "Show", rest + [row for row in table.stateful if row.kind is Kind.CHOICE]
    go = table.get(f"{ROOT}/cue/{ID_PLACE}/go")
    rows = [table[f"{ROOT}/{address}"] for address in _CUE_ADDRESSES]
    if go is not None:
        rows += [Control(go.address.replace(ID_PLACE, cue), Kind.COMMAND, go.help) for cue in cues]
    yield "Cues", rows


def open_stage_control(table: ControlTable, target: str, cues: Sequence[str] = ()) -> str:
    """A session for Open Stage Control (JSON), sending to `target` ("127.0.0.1:9000")."""
    tabs = []
    for title, rows in sections(table, cues):
        widgets = [_osc_widget(row, target) for row in rows]
        tabs.append(
            {
                "type": "tab",
                "id": f"tab_{title.lower()}",
                "label": title,
                "layout": "horizontal",
                "scroll": True,
                "widgets": widgets,
                "tabs": [],
            }
        )
    root = {"type": "root", "id": "root", "widgets": [], "tabs": tabs}
    session = {"createdWith": "Open Stage Control", "version": OPEN_STAGE_CONTROL_VERSION, "type": "session"}
    return json.dumps(session | {"content": root}, indent=2) + "\n"


def _osc_widget(row: Control, target: str) -> dict[str, Any]:
    label = row.address.removeprefix(f"{ROOT}/")
    shared: dict[str, Any] = {"id": label.replace("/", "_"), "label": label, "address": row.address, "target": target}
    shared |= {"comments": row.help, "expand": True}
    if row.kind in (Kind.FLOAT, Kind.INT):
        exact = {"decimals": 0} if row.kind is Kind.INT else {"decimals": 3}
        limits = {"range": {"min": row.low, "max": row.high}, "default": row.default}
        return shared | limits | exact | {"type": "fader", "typeTags": "i" if row.kind is Kind.INT else "f"}
    if row.kind is Kind.CHOICE:
        names = {"values": list(row.choices), "default": row.choices[round(row.default)]}
        return shared | names | {"type": "switch", "typeTags": "s"}
    if row.kind is Kind.TOGGLE:
        return shared | {"type": "button", "mode": "toggle", "on": 1, "off": 0, "typeTags": "i"}
    return shared | {"type": "button", "mode": "tap", "typeTags": ""}


def touch_osc(table: ControlTable, cues: Sequence[str] = ()) -> bytes:
    """A document for TouchOSC (.tosc: XML, compressed by zlib). Its host is set in the program: connection 1."""
    width, height = _TOUCH_SIZE
    pages = []
    for number, (title, rows) in enumerate(sections(table, cues)):
        colour = _HUES[number % len(_HUES)]
        cells = [cell for row in rows for cell in _cells(row)]
        lines = max(-(-len(cells) // _COLUMNS), 1)
        cell_w, cell_h = width // _COLUMNS, (height - 40) // lines
        nodes = []
        for place, (caption, row, value) in enumerate(cells):
            x, y = place % _COLUMNS * cell_w, place // _COLUMNS * cell_h
            nodes.append(_label(caption, (x, y, cell_w, 30)))
            nodes.append(_touch_widget(caption, row, value, (x + 4, y + 30, cell_w - 8, cell_h - 36), colour))
        pages.append(_node("GROUP", title, (0, 40, width, height - 40), (0, 0, 0), children="".join(nodes), tab=title))
    pager = _node("PAGER", "pages", (0, 0, width, height), (0.1, 0.1, 0.1), children="".join(pages))
    root = _node("GROUP", "Machine Reflections", (0, 0, width, height), (0, 0, 0), children=pager)
    return zlib.compress(f"<?xml version='1.0' encoding='UTF-8'?><lexml version='3'>{root}</lexml>".encode())


def _cells(row: Control) -> Iterator[tuple[str, Control, str | None]]:
    """(caption, row, name to send): a choice takes a cell for each name."""
    label = row.address.removeprefix(f"{ROOT}/")
    if row.kind is Kind.CHOICE:
        for name in row.choices:
            yield f"{label}: {name}", row, name
    else:
        yield label, row, None


def _touch_widget(
    caption: str, row: Control, value: str | None, frame: tuple[int, int, int, int], colour: Sequence[float]
) -> str:
    if row.kind in (Kind.FLOAT, Kind.INT):
        conversion = "INTEGER" if row.kind is Kind.INT else "FLOAT"
        argument = _partial("VALUE", conversion, "x", row.low, row.high)
        message = _message(row.address, argument, "ANY", receive=True)
        way = 0.0 if row.high == row.low else (row.default - row.low) / (row.high - row.low)
        return _node("FADER", caption, frame, colour, values={"x": f"{way:g}"}, messages=message)
    if row.kind is Kind.TOGGLE:
        message = _message(row.address, _partial("VALUE", "INTEGER", "x", 0, 1), "ANY", receive=True)
        toggles = "<property type='i'><key><![CDATA[buttonType]]></key><value>1</value></property>"
        return _node("BUTTON", caption, frame, colour, values={"x": "0"}, messages=message, more=toggles)
    argument = "" if value is None else _partial("CONSTANT", "STRING", value, 0, 1)
    message = _message(row.address, argument, "RISE", receive=False)
    return _node("BUTTON", caption, frame, colour, values={"x": "0"}, messages=message)


def _message(address: str, argument: str, condition: str, *, receive: bool) -> str:
    return (
        f"<osc><enabled>1</enabled><send>1</send><receive>{int(receive)}</receive><feedback>0</feedback>"
        "<connections>0000000001</connections><triggers><trigger><var><![CDATA[x]]></var>"
        f"<condition>{condition}</condition></trigger></triggers>"
        f"<path>{_partial('CONSTANT', 'STRING', address, 0, 1)}</path><arguments>{argument}</arguments></osc>"
    )


def _partial(kind: str, conversion: str, value: str, low: float, high: float) -> str:
    return (
        f"<partial><type>{kind}</type><conversion>{conversion}</conversion><value><![CDATA[{value}]]></value>"
        f"<scaleMin>{low:g}</scaleMin><scaleMax>{high:g}</scaleMax></partial>"
    )


def _label(text: str, frame: tuple[int, int, int, int]) -> str:
    return _node("LABEL", f"label {text}", frame, (0, 0, 0), values={"text": text})


def _node(
    kind: str,
    name: str,
    frame: tuple[int, int, int, int],
    colour: Sequence[float],
    *,
    values: dict[str, str] | None = None,
    messages: str = "",
    children: str = "",
    more: str = "",
    tab: str = "",
) -> str:
    identity = uuid.uuid5(uuid.NAMESPACE_URL, f"machine-reflections/{kind}/{name}/{frame}")
    x, y, w, h = frame
    r, g, b = colour
    texts = {"name": name} | ({"tabLabel": tab} if tab else {})
    properties = "".join(
        f"<property type='s'><key><![CDATA[{key}]]></key><value><![CDATA[{escape(text)}]]></value></property>"
        for key, text in texts.items()
    )
    place = f"<x>{x}</x><y>{y}</y><w>{w}</w><h>{h}</h>"
    paint = f"<r>{r}</r><g>{g}</g><b>{b}</b><a>1</a>"
    properties += f"<property type='r'><key><![CDATA[frame]]></key><value>{place}</value></property>"
    properties += f"<property type='c'><key><![CDATA[color]]></key><value>{paint}</value></property>"
    held = "".join(
        f"<value><key><![CDATA[{key}]]></key><locked>0</locked><lockedDefaultCurrent>0</lockedDefaultCurrent>"
        f"<default><![CDATA[{text}]]></default><defaultPull>0</defaultPull></value>"
        for key, text in (values or {}).items()
    )
    parts = f"<properties>{properties}{more}</properties>" + (f"<values>{held}</values>" if held else "")
    parts += f"<messages>{messages}</messages>" if messages else ""
    parts += f"<children>{children}</children>" if children else ""
    return f"<node ID='{identity}' type='{kind}'>{parts}</node>"
