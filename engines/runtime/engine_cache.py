"""Compiled engines on disk: a cache that may be deleted at any time, and that never trusts what it finds.

An entry is one file: a line that says what it is, a line of JSON with the whole key and the SHA-256 of what follows,
and the engine. It appears by one rename, so a power cut leaves the former entry or none. What does not fit its key or
its hash is moved to `quarantine/` with the reason beside it, and is built again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engines.runtime.paths import cache_dir
from installation.errors import EngineError

MAGIC = b"machine-reflections engine 1\n"
MAX_BYTES = 8 << 30
"""Of all entries together: an engine of the full-size generator is some 70 MB, so years of drivers fit."""

MAX_QUARANTINED = 4
_MAX_HEADER = 1 << 16
_SUFFIX = ".engine"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineKey:
    """Everything that a compiled engine depends on; two engines with the same key may stand in for each other.

    Attributes:
        graph: SHA-256 of the ONNX file.
        part: Which network of the pack.
        shapes: Input name -> static shape, batch included, sorted by name.
        precision: "fp32" or "fp16", as written in the graph.
        backend: Which compiler.
        version: Its version.
        device: Name of the GPU.
        capability: Its compute capability.
        driver: CUDA version of the driver.
        settings: What else was asked of the compiler ("level 3, workspace 2048 MB").
    """

    graph: str
    part: str
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    precision: str
    backend: str
    version: str
    device: str
    capability: str
    driver: str
    settings: str = ""

    @property
    def digest(self) -> str:
        """Hash of all fields: the entry's name."""
        return hashlib.sha256(self.text().encode()).hexdigest()[:40]

    def text(self) -> str:
        """All fields as JSON, the same for the same key."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)


class EngineCache:
    """A folder of compiled engines. Several processes may use it at once.

    Args:
        folder: Where; the user's cache folder if None.
        max_bytes: Of all entries; the ones not used for longest go first.
    """

    def __init__(self, folder: Path | None = None, *, max_bytes: int = MAX_BYTES) -> None:
        self.folder = cache_dir("engines") if folder is None else folder
        self.max_bytes = max_bytes

    def path(self, key: EngineKey) -> Path:
        """Where the entry of a key is or would be."""
        return self.folder / f"{key.part}-{key.digest}{_SUFFIX}"

    def load(self, key: EngineKey) -> bytes | None:
        """Give the engine of a key, None if there is none that can be trusted."""
        path = self.path(key)
        try:
            blob = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("the compiled engine %s cannot be read (%s); it is built again", path.name, error)
            return None
        engine, reason = _opened(blob, key)
        if engine is None:
            self.quarantine(key, reason)
            return None
        with contextlib.suppress(OSError):  # a cache on a read-only disk still serves; only its order of age suffers
            os.utime(path)
        return engine

    def store(self, key: EngineKey, engine: bytes) -> None:
        """Keep an engine. A disk that refuses costs a rebuild at the next start, never the show."""
        header = {"key": json.loads(key.text()), "size": len(engine), "sha256": hashlib.sha256(engine).hexdigest()}
        path = self.path(key)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(MAGIC + json.dumps(header, sort_keys=True).encode() + b"\n")
                file.write(engine)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            log.warning("the compiled engine %s could not be kept: %s", path.name, error)
            return
        self.trim(keep=path)

    def quarantine(self, key: EngineKey, reason: str) -> None:
        """Put the entry of a key aside with the reason, so that it is built again and can be looked at."""
        path = self.path(key)
        aside = self.folder / "quarantine" / path.name
        log.warning("the compiled engine %s is put aside and built again: %s", path.name, reason)
        try:
            aside.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, aside)
            aside.with_suffix(".txt").write_text(reason + "\n", encoding="utf-8")
            for old in _by_age(aside.parent.glob(f"*{_SUFFIX}"))[:-MAX_QUARANTINED]:
                old.unlink()
                old.with_suffix(".txt").unlink(missing_ok=True)
        except OSError as error:
            raise EngineError(
                f"the damaged engine {path} cannot be moved away ({error.strerror}); delete the folder {self.folder}"
            ) from error

    def refuse(self, key: EngineKey, reason: str) -> None:
        """Remember that this engine does not do, so that it is not built again for nothing at each start."""
        with contextlib.suppress(OSError):  # a disk that refuses costs a build at the next start
            self.folder.mkdir(parents=True, exist_ok=True)
            self._refusal(key).write_text(reason + "\n", encoding="utf-8")

    def refused(self, key: EngineKey) -> str | None:
        """Why the engine of a key was refused, None if it was not."""
        path = self._refusal(key)
        try:
            return f"{path.read_text('utf-8').strip()} (remembered; delete {path} to try again)"
        except (OSError, UnicodeDecodeError):
            return None

    def _refusal(self, key: EngineKey) -> Path:
        return self.path(key).with_suffix(".refused")

    def trim(self, keep: Path | None = None) -> None:
        """Remove the entries not used for longest until all fit; `keep` stays whatever its size."""
        entries = _by_age(self.folder.glob(f"*{_SUFFIX}"))
        total = sum(_size(path) for path in entries)
        for path in entries:
            if total <= self.max_bytes:
                break
            if path != keep:
                total -= _size(path)
                path.unlink(missing_ok=True)


def _opened(blob: bytes, key: EngineKey) -> tuple[bytes | None, str]:
    """Check an entry against its key: the engine, or None and what is wrong."""
    if not blob.startswith(MAGIC):
        return None, "it is no engine of this program, or of another version of it"
    line, _, engine = blob[len(MAGIC) :].partition(b"\n")
    try:
        header = json.loads(line) if len(line) <= _MAX_HEADER else None
    except ValueError:
        header = None
    if not isinstance(header, dict):
        return None, "its header is damaged"
    if header.get("key") != json.loads(key.text()):
        found = header.get("key")
        differing = [n for n, v in json.loads(key.text()).items() if not isinstance(found, dict) or found.get(n) != v]
        return None, f"it was built for another {', '.join(differing)}"
    if len(engine) != header.get("size"):
        return None, f"it has {len(engine)} bytes, expected {header.get('size')}: it was cut off"
    if hashlib.sha256(engine).hexdigest() != header.get("sha256"):
        return None, "its bytes are damaged"
    return engine, ""


def _by_age(paths: Iterable[Path]) -> list[Path]:
    """Sort by the time of last use, the oldest first; a file that another process removed is left out."""
    aged = []
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            aged.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(aged)]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
