"""Measure how well faces are followed on footage, and what it costs:

    python -m installation.devices.eye_probe FOOTAGE...

Every picture of each file is watched, in order and without waiting. One line for each file:

    frames       pictures in the file
    with face    pictures in which the followed face was seen, and their part of all
    identities   followed identities, in order of appearance: 1 when nobody was mixed up
    reacquired   how often a face that was lost for a moment was found again
    faces        most faces seen at once
    jitter       median movement of the smoothed crop from picture to picture at rest, in per cent of the
                 distance between the eyes: second differences, so that real motion does not count
    cpu          processor time for a picture: watching alone, decoding not counted; median and 95th percentile
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from installation.core.types import Frame
from installation.devices.config import CameraConfig, FacesConfig
from installation.devices.landmarks import FaceFinder
from installation.devices.sources import open_source
from installation.devices.watcher import FaceWatcher
from installation.errors import MirrorError

CROP_PX = 256


@dataclass(slots=True)
class Findings:
    """What was seen in one file."""

    frames: int = 0
    seen: int = 0
    identities: list[int] = field(default_factory=list)
    reacquired: int = 0
    most_faces: int = 0
    cpu_ms: list[float] = field(default_factory=list)
    quads: list[NDArray[np.float64] | None] = field(default_factory=list)

    @property
    def coverage(self) -> float:
        """Part of the pictures in which the followed face was seen."""
        return self.seen / self.frames if self.frames else 0.0

    @property
    def jitter(self) -> float:
        """Median second difference of the crop's corners, in parts of the distance between the eyes."""
        wobble = []
        for before, here, after in zip(self.quads, self.quads[1:], self.quads[2:], strict=False):
            if before is not None and here is not None and after is not None:
                # The crop's side is about four times the distance between the eyes (FFHQ).
                eyes = np.hypot(*(here[3] - here[0])) / 4.0
                wobble.append(np.abs(before - 2.0 * here + after).max() / eyes)
        return float(np.median(wobble)) if wobble else 0.0


def probe(spec: str, finder: FaceFinder, faces: FacesConfig, camera: CameraConfig) -> Findings:
    """Watch one file from beginning to end.

    Raises:
        MirrorError: If it cannot be opened or read.
    """
    source = open_source(spec, camera, as_fast_as_possible=True, loop=False)
    watcher = FaceWatcher(faces, camera.view_angle_deg, finder)
    crop = np.empty((CROP_PX, CROP_PX, 3), np.uint8)
    findings = Findings()
    source.open()
    try:
        while (shot := source.read()) is not None:
            findings.frames += 1
            started = time.process_time()
            sighting = watcher.watch(Frame(shot.pixels, findings.frames, shot.captured_at), crop)
            findings.cpu_ms.append((time.process_time() - started) * 1e3)
            findings.most_faces = max(findings.most_faces, watcher.faces)
            findings.quads.append(None if sighting is None else sighting.quad)
            if sighting is not None:
                findings.seen += 1
                if not findings.identities or findings.identities[-1] != sighting.face_id:
                    findings.identities.append(sighting.face_id)
    finally:
        source.close()
    findings.reacquired = watcher.tracker.reacquired
    return findings


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line for each file; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m installation.devices.eye_probe", description=__doc__.split("\n")[0]
    )
    parser.add_argument("footage", nargs="+", help="video files")
    parser.add_argument("--follow", choices=("largest", "centre", "longest"), default="largest")
    options = parser.parse_args(arguments)
    finder = FaceFinder()
    code = 0
    print(f"{'footage':32} {'frames':>6} {'with face':>13} {'identities':>10} {'reacq.':>6} {'faces':>5} ", end="")
    print(f"{'jitter':>7} {'cpu ms':>12}")
    for spec in options.footage:
        try:
            found = probe(spec, finder, FacesConfig(follow=options.follow), CameraConfig())
        except MirrorError as error:
            print(f"{spec}: {error}", file=sys.stderr)
            code = error.exit_code
            continue
        cpu = np.percentile(found.cpu_ms, [50, 95]) if found.cpu_ms else (0.0, 0.0)
        print(
            f"{Path(spec).name[:32]:32} {found.frames:6} {found.seen:6} {found.coverage:6.1%} "
            f"{len(found.identities):10} {found.reacquired:6} {found.most_faces:5} {found.jitter:7.2%} "
            f"{cpu[0]:6.1f} {cpu[1]:5.1f}",
            flush=True,
        )
    finder.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
