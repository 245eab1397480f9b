"""Where optional models lie: a folder, a name on a model hub, or an installed package that carries one.

Nothing is fetched unless a name on a hub was given. Weights are read from safetensors alone, so that
no file is unpickled, and their hash goes into every target they had a say in.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from installation.errors import EngineError, MissingExtra

_CHUNK = 1 << 20
_NEEDED = ("*.json", "*.txt", "*.model", "*.safetensors")
"""What is fetched of a repository: configuration, vocabulary and weights, never code or pickles."""


def need(package: str, purpose: str, extra: str = "prompts") -> ModuleType:
    """Import an optional package.

    Raises:
        MissingExtra: If it is not installed; names the extra.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise MissingExtra(package, extra, purpose) from error


def packaged_folder(package: str, distribution: str, purpose: str) -> Path:
    """Find the `model` folder inside an installed package, without importing it.

    Raises:
        MissingExtra: If the package is not installed.
        EngineError: If it carries no model.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra(distribution, "prompts", purpose)
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    if not folder.is_dir():
        raise EngineError(f"the package {distribution} has no model folder at {folder}; install it again")
    return folder


def model_folder(where: str, purpose: str) -> Path:
    """Find a model: `where` is a folder, or a name such as "openai/clip-vit-base-patch32" on the hub.

    A name is looked up in the local cache first and fetched only if it is not there.

    Raises:
        EngineError: If there is no such folder, or the name cannot be fetched.
        MissingExtra: If a name is given and the hub's client is not installed.
    """
    folder = Path(where).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if where.count("/") != 1 or where.startswith((".", "/", "~")) or folder.parent.is_dir():
        raise EngineError(f"{purpose}: there is no folder {where}, and it is not a name of the form owner/model either")
    hub = need("huggingface_hub", purpose)
    patterns = [*_NEEDED, *(f"*/{pattern}" for pattern in _NEEDED)]
    try:
        try:
            return Path(hub.snapshot_download(where, allow_patterns=patterns, local_files_only=True))
        except FileNotFoundError:
            return Path(hub.snapshot_download(where, allow_patterns=patterns))
    except (OSError, ValueError, hub.errors.HfHubHTTPError) as error:
        raise EngineError(
            f"{purpose}: the model {where!r} is not on this machine and could not be fetched "
            f"({str(error).splitlines()[0]}); give the path of a folder that holds it"
        ) from error


def weights_sha256(folder: Path) -> str:
    """Hash a model's weights: the file's own sha256 if there is one `.safetensors`, else one over all their hashes.

    Raises:
        EngineError: If the folder has none.
    """
    files = sorted(folder.rglob("*.safetensors"))
    if not files:
        raise EngineError(
            f"{folder} holds no .safetensors weights; other formats can run code when loaded and are not read"
        )
    hashes = [_sha256(path) for path in files]
    return hashes[0] if len(hashes) == 1 else _sha256_of_lines(hashes)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _sha256_of_lines(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
