"""The record that the eye publishes, field by field. Light: every process may import it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from installation.core.types import NUM_LANDMARKS, FaceMeasures
from installation.runtime.slots import Fields, SharedSlot

MESSAGE_BYTES = 320
"""Room for `source_message`: UTF-8, padded with zeros."""


def eye_fields(crop_size: int, max_side_px: int) -> Fields:
    """Lay out one record of the eye.

    | field | what |
    | --- | --- |
    | camera | (m, m, 3) RGB; the picture lies at the top left, `frame_size` tells how much of it is used |
    | frame_size | (2,) width and height of the picture in `camera` |
    | frame_id, captured_at | of the picture; monotonic seconds |
    | face_id | of the followed face, 0 if it is not visible: the face's fields are then wiped |
    | faces | how many faces are visible |
    | crop | (s, s, 3) RGB, the quad's content, cut from the full picture |
    | quad, landmarks | (4, 2) and (478, 3) smoothed, in pixels of `camera` |
    | crop_landmarks | (478, 3) smoothed, in crop units |
    | measures | (9,) in the order of `FaceMeasures` |
    | captured, fps | pictures that the source delivered so far, and its measured rate |
    | looked, with_face | pictures looked at so far, and in how many of them a face was followed |
    | reacquired | how often a hidden face was found again |
    | source_state, source_message | a `SourceState`, and a sentence for the operator or nothing |
    | watch_ms, publish_ms | time spent on the face and on copying the picture, of this record |

    Args:
        crop_size: Side of the crop in pixels, as the encoder wants it.
        max_side_px: Longest side of the camera picture; larger ones are reduced.
    """
    return {
        "camera": ((max_side_px, max_side_px, 3), "u1"),
        "frame_size": ((2,), "i8"),
        "frame_id": ((), "i8"),
        "captured_at": ((), "f8"),
        "face_id": ((), "i8"),
        "faces": ((), "i8"),
        "crop": ((crop_size, crop_size, 3), "u1"),
        "quad": ((4, 2), "f4"),
        "landmarks": ((NUM_LANDMARKS, 3), "f4"),
        "crop_landmarks": ((NUM_LANDMARKS, 3), "f4"),
        "measures": ((len(FaceMeasures.__slots__),), "f4"),
        "captured": ((), "i8"),
        "fps": ((), "f8"),
        "looked": ((), "i8"),
        "with_face": ((), "i8"),
        "reacquired": ((), "i8"),
        "source_state": ((), "i8"),
        "source_message": ((MESSAGE_BYTES,), "u1"),
        "watch_ms": ((), "f8"),
        "publish_ms": ((), "f8"),
    }


def write_message(record: Mapping[str, NDArray[Any]], text: str) -> None:
    """Put a sentence into a record, cut at a whole character if it is too long."""
    data = text.encode()[:MESSAGE_BYTES].decode(errors="ignore").encode()
    field = record["source_message"]
    field[: len(data)] = bytearray(data)
    field[len(data) :] = 0


def read_message(record: Mapping[str, NDArray[Any]]) -> str:
    """Read the sentence of a record."""
    return record["source_message"].tobytes().rstrip(b"\0").decode(errors="replace")


def newest_picture(slot: SharedSlot) -> tuple[int, NDArray[np.uint8]] | None:
    """Copy the newest camera picture: (frame_id, (height, width, 3) RGB), or None if there is no whole one."""
    sequence, record = slot.latest()
    if record is None:
        return None
    width, height = (int(side) for side in record["frame_size"])
    frame_id, pixels = int(record["frame_id"]), record["camera"][:height, :width].copy()
    return (frame_id, pixels) if width and slot.still_valid(sequence) else None


def read_measures(record: Mapping[str, NDArray[Any]]) -> FaceMeasures:
    """Read what the followed face does."""
    return FaceMeasures(*(float(value) for value in record["measures"]))
