"""Where models lie: folders, hub names, packages; and nothing is fetched that was not named."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from engines.targets.hub import model_folder, need, packaged_folder, weights_sha256
from installation.errors import EngineError, MissingExtra


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    assert model_folder(str(tmp_path), "reading") == tmp_path.resolve()


@pytest.mark.parametrize("where", ["nowhere", "./a/b", "/nowhere/model", "~/nowhere", "a/b/c"])
def test_a_path_that_does_not_exist_is_never_looked_up_on_the_hub(where: str) -> None:
    with pytest.raises(EngineError, match="reading: there is no folder"):
        model_folder(where, "reading")


def test_a_hub_name_without_a_network_is_told_in_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub", reason="needs the extra [prompts]")
    script = (
        "from engines.targets.hub import model_folder\n"
        "from installation.errors import EngineError\n"
        "try: model_folder('nobody/nothing', 'reading')\n"
        "except EngineError as error: print(error)"
    )
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, env=offline, check=True
    )
    assert done.stdout.startswith("reading: the model 'nobody/nothing' is not on this machine and could not be fetched")
    assert "give the path of a folder that holds it" in done.stdout
    assert done.stdout.count("\n") == 1


def test_missing_packages_name_their_extra() -> None:
    assert need("json", "reading").__name__ == "json"
    with pytest.raises(MissingExtra, match=r"reading needs the package 'no_such_package'.*\[prompts\]"):
        need("no_such_package", "reading")
    with pytest.raises(MissingExtra, match=r"'no-such-package'.*\[prompts\]"):
        packaged_folder("no_such_package", "no-such-package", "reading")
    with pytest.raises(EngineError, match="has no model folder"):
        packaged_folder("engines", "engines", "reading")


def test_the_hash_is_that_of_the_weights(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"one")
    (tmp_path / "config.json").write_text("{}")
    one = sha256(b"one").hexdigest()
    assert weights_sha256(tmp_path) == one
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "b.safetensors").write_bytes(b"two")
    assert weights_sha256(tmp_path) == sha256(f"{one}\n{sha256(b'two').hexdigest()}".encode()).hexdigest()
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    (tmp_path / "a.safetensors").unlink()
    (tmp_path / "unet" / "b.safetensors").unlink()
    with pytest.raises(EngineError, match="other formats can run code"):
        weights_sha256(tmp_path)
