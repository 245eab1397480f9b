"""One open tab of the studio: what it asks for, what it is told, and who sits for it. Gone when the tab is.

Between the page and the drawing thread lie mailboxes that hold the newest message of each kind and never queue: a
slider that moves faster than pictures are drawn leaves out pictures, and nothing grows old on the way. Both ends
speak frames: four bytes of length, a JSON header of that length, then the bytes of a picture, if there is one.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from installation.core.control import Value
from installation.core.latents import Latent
from installation.errors import PhotographError
from installation.runtime.pages import parsed
from installation.studio.sitter import Sitter

T = TypeVar("T")

LENGTH_BYTES = 4
MAX_HEADER = 64 << 10
SEEDS = 2**32

Part = Literal["picture", "reflection"]
"""What is drawn: the morph, or the same person with everything at rest."""

KEEPABLE = ("picture", "series", "film")
"""What a page may take home."""


@dataclass(frozen=True, slots=True)
class Photo:
    """Somebody's photograph: the bytes of its file."""

    data: bytes
    name: str


@dataclass(frozen=True, slots=True)
class OtherFace:
    """Another face of the same photograph, counted from 1."""

    place: int


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody who does not exist: a seed for the pack's mapping."""

    seed: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture that is wanted, with every control it depends on; a draft may be smaller where time is short."""

    number: int
    part: Part
    values: Mapping[str, Value]
    draft: bool = False


@dataclass(frozen=True, slots=True)
class Keep:
    """Something to take home, made from the sitter as the controls are now."""

    number: int
    kind: str
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Message:
    """What the page is told: a header, and the bytes that belong to it."""

    header: Mapping[str, Any]
    payload: bytes = b""


class Mailbox(Generic[T]):
    """Holds the newest message of each kind, for threads. `put` never waits.

    Args:
        on_news: Called after each `put`, on the thread that put.
    """

    def __init__(self, on_news: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, T] = {}
        self._on_news = on_news
        self.replaced = 0

    def put(self, kind: str, message: T) -> None:
        """Leave a message; one of its kind that nobody had taken is replaced, and the new one stands last."""
        with self._lock:
            self.replaced += self._held.pop(kind, None) is not None
            self._held[kind] = message
        self._on_news()

    def take(self) -> T | None:
        """Take the message that waits longest."""
        with self._lock:
            return self._held.pop(next(iter(self._held))) if self._held else None

    def clear(self) -> None:
        """Throw everything away."""
        with self._lock:
            self._held.clear()


Request = Photo | OtherFace | Stranger | Drawing | Keep


class Session:
    """What is known of one tab. The page's side puts requests and takes messages; the easel does the opposite.

    `faces` and `w_plus` belong to the easel's thread.

    Args:
        on_request: Wakes the easel.
        on_message: Wakes the page's side.
    """

    def __init__(self, on_request: Callable[[], None], on_message: Callable[[], None]) -> None:
        self.requests: Mailbox[Request] = Mailbox(on_request)
        self.messages: Mailbox[Message] = Mailbox(on_message)
        self.closed = threading.Event()
        self.faces: list[Sitter] = []
        self.w_plus: Latent | None = None

    def tell(self, kind: str, payload: bytes = b"", **header: Any) -> None:
        """Tell the page something; an older message of the same kind that it did not take is replaced."""
        if not self.closed.is_set():
            self.messages.put(kind, Message({"kind": kind, **header}, payload))

    def sit(self, w_plus: Latent, faces: list[Sitter]) -> None:
        """Let somebody sit; whoever sat before is wiped, unless the faces are the same."""
        if faces is not self.faces:
            self.wipe()
        self.w_plus, self.faces = w_plus.copy(), faces

    def wipe(self) -> None:
        """Overwrite what is known of the sitter and forget it."""
        for face in self.faces:
            for name in ("picture", "quad", "crop", "landmarks", "crop_landmarks", "encoded", "w_plus"):
                _blank(getattr(face, name))
        if self.w_plus is not None:
            _blank(self.w_plus)
        self.faces, self.w_plus = [], None

    def close(self) -> None:
        """The tab is gone: nothing more is told or done. The easel wipes the sitter."""
        self.closed.set()
        self.requests.clear()
        self.messages.clear()


def pack_frame(message: Message) -> bytes:
    """Header and bytes as one frame."""
    header = json.dumps(message.header, ensure_ascii=False).encode()
    return len(header).to_bytes(LENGTH_BYTES, "big") + header + message.payload


def open_frame(frame: bytes) -> tuple[dict[str, Any], bytes]:
    """Take a frame from outside apart.

    Raises:
        PhotographError: If it is none.
    """
    length = int.from_bytes(frame[:LENGTH_BYTES], "big")
    body = frame[LENGTH_BYTES:]
    if length <= min(len(body), MAX_HEADER):
        header = parsed(body[:length].decode("utf-8", "replace"))
        if isinstance(header, dict):
            return header, body[length:]
    raise PhotographError("what the page sent could not be read; load the page again")


def _blank(array: np.ndarray[Any, Any]) -> None:
    """Overwrite with zeros; views of read-only memory are only dropped."""
    if array.flags.writeable:
        array[...] = 0
