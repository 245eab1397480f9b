"""Keep the chatter of native libraries off the operator's terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_NOISE = (
    "INFO: Created TensorFlow Lite XNNPACK delegate",
    "All log messages before absl::InitializeLog()",
    "inference_feedback_manager.cc",
    "landmark_projection_calculator.cc",
)


@contextmanager
def without_native_noise() -> Iterator[None]:
    """Hold standard error back and pass on afterwards what is not known noise.

    MediaPipe writes to file descriptor 2 before its log can be configured, so neither `logging` nor
    GLOG_minloglevel reaches it. What else was written in the meantime, by any thread, follows after.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    held = os.memfd_create("stderr")
    os.dup2(held, 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        with os.fdopen(held, "rb") as text:
            text.seek(0)
            for line in text.read().decode(errors="replace").splitlines(keepends=True):
                if not any(noise in line for noise in _NOISE):
                    sys.stderr.write(line)
