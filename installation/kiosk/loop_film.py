"""Draw the film that safe mode plays: an attract walk that ends where it began, made from the pack alone.

Made once for each pack and kept in the cache; it shows nobody, only faces that the generator invents.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np

from engines.runtime import load_pack
from engines.runtime.paths import cache_dir
from installation.errors import MirrorError
from installation.kiosk.curtain import RATE_HZ
from installation.runtime.supervisor import tell_on_stderr

_SEED = 20  # the faces of the attract walk
_STATIONS = 3
_REST = 0.25  # part of each leg that stands still
_NICENESS = 10


def film_path(pack: Path, seconds: float) -> Path:
    """Where the film of a pack lies or will lie."""
    digest = hashlib.sha256((pack / "pack.json").read_bytes()).hexdigest()[:16]
    return cache_dir("safe-mode") / f"{pack.name}-{digest}-{seconds:g}s.mp4"


def make_film(pack_folder: Path, backend: str, seconds: float, path: Path) -> None:
    """Body of a process: draw the film and put it in place, whole or not at all."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)  # the show comes first
    try:
        _draw(pack_folder, backend, seconds, path)
    except MirrorError as error:
        tell_on_stderr(f"the film for safe mode could not be made: {error}")
        sys.exit(error.exit_code)
    except OSError as error:
        tell_on_stderr(f"the film for safe mode could not be written: {error}")
        sys.exit(1)


def _draw(pack_folder: Path, backend: str, seconds: float, path: Path) -> None:
    import av

    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with load_pack(pack_folder, backend) as pack, av.open(str(partial), "w", format="mp4") as film:
            side = pack.resolution // 2 * 2
            stream = film.add_stream("libx264", rate=Fraction(RATE_HZ).limit_denominator(100))
            stream.width = stream.height = side
            stream.pix_fmt = "yuv420p"
            stream.codec_context.thread_count = 1
            stream.options = {"crf": "18", "preset": "veryfast"}
            rng = np.random.default_rng(_SEED)
            z = rng.normal(size=(_STATIONS, pack.manifest.z_dim)).astype(np.float32)
            stations = np.concatenate([pack.map(row[None], 0.7) for row in z])
            count = round(seconds * RATE_HZ)
            for k in range(count):
                leg, part = divmod(k / count * _STATIONS, 1.0)
                x = min(1.0, part / (1.0 - _REST))
                eased = np.float32(x * x * (3.0 - 2.0 * x))
                begin, end = stations[int(leg)], stations[(int(leg) + 1) % _STATIONS]
                image = pack.synthesize((begin + (end - begin) * eased)[None])[0]
                rgb = np.clip((image.transpose(1, 2, 0) + 1.0) * 127.5, 0, 255).astype(np.uint8)
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb[:side, :side]), format="rgb24")
                picture.pts = k
                for packet in stream.encode(picture):
                    film.mux(packet)
            for packet in stream.encode(None):
                film.mux(packet)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
