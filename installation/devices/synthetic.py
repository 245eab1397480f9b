"""The synthetic visitor: a drawn person who enters, looks round, speaks and leaves, for ever.

The clip is part of the package and was drawn by the project's own portrait shader; no camera and no
person was needed. It is played like any video file, so it exercises the same path.
"""

from __future__ import annotations

from pathlib import Path

from installation.devices.video_file import VideoFile

VISITOR_CLIP = Path(__file__).with_name("visitor.mp4")


def synthetic_visitor(*, as_fast_as_possible: bool = False, loop: bool = True) -> VideoFile:
    """Make the source that plays the synthetic visitor."""
    return VideoFile(VISITOR_CLIP, as_fast_as_possible=as_fast_as_possible, loop=loop, name="synthetic")
