"""What the kiosk's processes share: small JSON in shared memory, newest value only, and single numbers.

No locks: a process may be killed at any moment.
"""

from __future__ import annotations

import json
from multiprocessing.context import SpawnContext
from typing import Any

import numpy as np

from installation.runtime.slots import SharedLayout, SharedSlot

_BYTES = 1 << 16


class JsonSlot:
    """The newest JSON object of one process. One writer, many readers; the creator unlinks."""

    def __init__(self, layout: SharedLayout | None = None) -> None:
        if layout is None:
            self._slot = SharedSlot({"text": ((_BYTES,), "u1"), "length": ((), "i8")})
        else:
            self._slot = SharedSlot(layout=layout)

    @property
    def layout(self) -> SharedLayout:
        """For the other process."""
        return self._slot.layout

    def write(self, value: dict[str, Any]) -> None:
        """Publish. What is too long is a bug of ours.

        Raises:
            ValueError: If the text does not fit.
        """
        data = json.dumps(value, ensure_ascii=False).encode()
        if len(data) > _BYTES:
            raise ValueError(f"{len(data)} bytes do not fit into a slot of {_BYTES}")
        record = self._slot.begin()
        record["text"][: len(data)] = np.frombuffer(data, np.uint8)
        record["length"][...] = len(data)
        self._slot.commit()

    @property
    def sequence(self) -> int:
        """Number of the newest value, 0 before the first."""
        return self._slot.sequence

    def read(self) -> dict[str, Any]:
        """The newest value; empty before the first, and if the writer was too fast for us."""
        sequence, record = self._slot.latest()
        if record is None:
            return {}
        data = record["text"][: int(record["length"])].tobytes()
        return dict(json.loads(data)) if self._slot.still_valid(sequence) else {}

    def close(self, *, unlink: bool = False) -> None:
        """Detach, and remove the memory if it is ours."""
        self._slot.close(unlink=unlink)


class Dial:
    """One number that one process sets and others look at. Goes to a spawned process as an argument."""

    def __init__(self, context: SpawnContext, value: float = 0.0) -> None:
        self._cell: Any = context.RawArray("d", 1)
        self._cell[0] = value

    @property
    def value(self) -> float:
        """The number now."""
        return float(self._cell[0])

    def set(self, value: float) -> None:
        """Turn it."""
        self._cell[0] = value
