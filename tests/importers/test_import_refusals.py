"""Files that must not come in: refused in one sentence, nothing executed, nothing left behind."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import signal
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engines.importers import checkpoint as importing
from engines.importers.checkpoint import import_checkpoint
from installation.errors import EngineError, MirrorError


class Bomb:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def refused(source: Path, said: str, folder: Path) -> None:
    """Import must fail with one sentence that has `said`, and the folder must stay as it was."""
    before = sorted(folder.rglob("*"))
    with pytest.raises(EngineError) as caught:
        import_checkpoint(source, folder / "pack")
    text = str(caught.value)
    assert said in text
    assert "\n" not in text
    assert len(text) < 500
    assert sorted(folder.rglob("*")) == before


@pytest.fixture
def state(checkpoints: Any) -> dict[str, Any]:
    return {"g_ema": checkpoints.rosinality_state(checkpoints.small), "latent_avg": torch.zeros(48)}


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_runs_a_command(tmp_path: Path, protocol: int) -> None:
    witness = tmp_path / "witness"
    source = tmp_path / "evil.pkl"
    source.write_bytes(pickle.dumps({"G_ema": Bomb(f"touch {witness}")}, protocol=protocol))
    refused(source, "system" if protocol else "no PyTorch", tmp_path)
    assert not witness.exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_that_runs_a_command(tmp_path: Path, state: dict[str, Any], zipped: bool) -> None:
    witness = tmp_path / "witness"
    state["opts"] = Bomb(f"touch {witness}")
    source = tmp_path / "evil.pt"
    torch.save(state, source, _use_new_zipfile_serialization=zipped)
    refused(source, "nothing in it was executed", tmp_path)
    assert not witness.exists()


def test_a_command_inside_a_nested_storage(tmp_path: Path) -> None:
    """The storages of NVIDIA's pickles are files in byte strings: they are read by the same rules."""
    witness = tmp_path / "witness"
    inner = io.BytesIO()
    torch.save(Bomb(f"touch {witness}"), inner, _use_new_zipfile_serialization=False)

    class Nested:
        def __reduce__(self) -> tuple[Any, ...]:
            return torch.storage._load_from_bytes, (inner.getvalue(),)

    source = tmp_path / "evil.pkl"
    source.write_bytes(pickle.dumps({"G_ema": Nested()}, protocol=3))
    refused(source, "system", tmp_path)
    assert not witness.exists()


def test_source_text_is_not_executed(checkpoints: Any, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    with checkpoints.nvidia_modules():
        module = checkpoints.nvidia_module(checkpoints.tiny)
    module.source = f"open({str(witness)!r}, 'w')"
    source = checkpoints.write_nvidia(tmp_path / "a.pkl", G_ema=module)
    import_checkpoint(source, tmp_path / "pack")
    assert not witness.exists()
    strange = checkpoints.module("Backdoor", {}, source=module.source)
    module.modules["synthesis"].modules["b4"].modules["extra"] = strange
    source = checkpoints.write_nvidia(tmp_path / "b.pkl", G_ema=module)
    shutil.rmtree(tmp_path / "pack")
    refused(source, "'Backdoor'", tmp_path)
    assert not witness.exists()


@pytest.mark.parametrize(
    "module",
    [
        "posix.system",
        "builtins.eval",
        "builtins.getattr",
        "torch.load",
        "numpy.load",
        "functools.partial",
        "os.path.join",
    ],
)
def test_no_name_outside_the_list(tmp_path: Path, module: str) -> None:
    where, _, name = module.rpartition(".")
    source = tmp_path / "a.pkl"
    source.write_bytes(b"\x80\x02c" + f"{where}\n{name}\n".encode() + b".")
    refused(source, repr(name), tmp_path)


def test_deeply_nested_containers(tmp_path: Path) -> None:
    depth = 50_000
    for opener, closer in ((b"]", b"a"), (b")", b"\x85")):
        source = tmp_path / "deep.pkl"
        source.write_bytes(b"\x80\x04" + opener * depth + closer * (depth - 1) + b".")
        with pytest.raises(EngineError):
            import_checkpoint(source, tmp_path / "pack")
    source.write_bytes(b"\x80\x04}K\x01" + b")" + b"\x85" * depth + b"K\x02s.")
    with pytest.raises(EngineError):
        import_checkpoint(source, tmp_path / "pack")
    source.write_bytes(b"\x80\x04}" + b")" + b"\x85" * depth + b"K\x02s.")
    refused(source, "as a key", tmp_path)


def test_a_bomb_of_containers_within_containers(tmp_path: Path) -> None:
    """Nine references to a list of nine references ...: nothing walks it."""
    levels = b"".join(b"](" + b"h" + bytes([i]) * 1 + (b"h" + bytes([i])) * 8 + b"e\x94" for i in range(40))
    source = tmp_path / "laughs.pkl"
    source.write_bytes(b"\x80\x04]\x94" + levels + b".")
    with pytest.raises(EngineError):
        import_checkpoint(source, tmp_path / "pack")


def test_too_many_instructions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.importers.pickles.MAX_INSTRUCTIONS", 10_000)
    source = tmp_path / "long.pkl"
    source.write_bytes(b"\x80\x04" + b"]" * 20_000 + b".")
    refused(source, "instructions", tmp_path)


@pytest.mark.parametrize("size", [0, 1, 2, 7, 100, 5000, -1000, -1])
@pytest.mark.parametrize("form", ["zip", "legacy", "nvidia", "safetensors"])
def test_truncated(checkpoints: Any, tmp_path: Path, state: dict[str, Any], form: str, size: int) -> None:
    whole = tmp_path / "whole"
    if form == "nvidia":
        checkpoints.write_nvidia(whole)
    elif form == "safetensors":
        from safetensors.torch import save_file

        save_file({**state["g_ema"], "latent_avg": state["latent_avg"]}, whole)
    else:
        torch.save(state, whole, _use_new_zipfile_serialization=form == "zip")
    source = tmp_path / "part"
    source.write_bytes(whole.read_bytes()[:size])
    refused(source, "part", tmp_path)


def test_other_zips(tmp_path: Path, state: dict[str, Any]) -> None:
    source = tmp_path / "other.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("word/document.xml", "<xml/>")
    refused(source, "zip", tmp_path)
    plain = tmp_path / "plain.pt"
    torch.save(state, plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            new.writestr(entry, old.read(entry))
    refused(source, "compressed", tmp_path)


def test_a_zip_that_claims_more_than_it_has(tmp_path: Path, state: dict[str, Any]) -> None:
    source = tmp_path / "a.pt"
    torch.save(state, source)
    data = bytearray(source.read_bytes())
    for mark, at, layout in ((b"PK\x05\x06", 12, "<I"), (b"PK\x06\x06", 40, "<Q")):
        where = data.rfind(mark) + at
        data[where : where + struct.calcsize(layout)] = struct.pack(layout, 0x7FFFFFFF)
    (tmp_path / "b.pt").write_bytes(data)
    with pytest.raises(EngineError):
        import_checkpoint(tmp_path / "b.pt", tmp_path / "pack")


@pytest.mark.parametrize("key", ["convs.3.conv.weight", "to_rgbs.2.conv.weight", "style.2.bias", "input.input"])
def test_missing_key(tmp_path: Path, state: dict[str, Any], key: str) -> None:
    del state["g_ema"][key]
    torch.save(state, tmp_path / "a.pt")
    refused(tmp_path / "a.pt", key, tmp_path)


def test_missing_last_resolution(tmp_path: Path, state: dict[str, Any]) -> None:
    """A file cut at a whole resolution must not pass for a smaller network when its colours are still there."""
    for key in [key for key in state["g_ema"] if key.startswith(("convs.4", "convs.5"))]:
        del state["g_ema"][key]
    torch.save(state, tmp_path / "a.pt")
    refused(tmp_path / "a.pt", "convs.4", tmp_path)


def test_missing_encoder_key(checkpoints: Any, tmp_path: Path) -> None:
    for key in ("encoder.body.1.res_layer.1.weight", "encoder.styles.7.linear.bias", "encoder.latlayer2.weight"):
        tree = checkpoints.psp_tree(checkpoints.small, checkpoints.encoder)
        del tree["state_dict"][key]
        torch.save(tree, tmp_path / "a.pt")
        refused(tmp_path / "a.pt", key, tmp_path)


def test_wrong_shape(tmp_path: Path, state: dict[str, Any]) -> None:
    state["g_ema"]["convs.1.conv.weight"] = torch.zeros(1, 16, 16, 3, 2)
    torch.save(state, tmp_path / "a.pt")
    refused(tmp_path / "a.pt", "convs.1.conv.weight", tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("key", ["convs.4.conv.weight", "noises.noise_5", "latent_avg"])
def test_numbers_that_are_none(tmp_path: Path, state: dict[str, Any], key: str, value: float) -> None:
    tensor = state[key] if key == "latent_avg" else state["g_ema"][key]
    tensor.view(-1)[3] = value
    torch.save(state, tmp_path / "a.pt")
    refused(tmp_path / "a.pt", key, tmp_path)


def test_an_expanded_tensor_is_a_bomb(tmp_path: Path, state: dict[str, Any]) -> None:
    state["g_ema"]["convs.1.conv.weight"] = torch.zeros(1).expand(1, 100_000, 100_000, 3, 3)
    torch.save(state, tmp_path / "a.pt")
    refused(tmp_path / "a.pt", "storage", tmp_path)


def test_networks_of_another_kind(checkpoints: Any, tmp_path: Path, state: dict[str, Any]) -> None:
    cases: dict[str, Any] = {"architecture": "resnet", "c_dim": 5, "activation": "relu"}
    for key, value in cases.items():
        with checkpoints.nvidia_modules():
            module = checkpoints.nvidia_module(checkpoints.tiny)
        block = module.modules["synthesis"].modules["b8"]
        holder = {"architecture": block, "c_dim": module, "activation": block.modules["conv0"]}[key]
        holder.attributes[key] = value
        refused(checkpoints.write_nvidia(tmp_path / "a.pkl", G_ema=module), str(value), tmp_path)
    refused(checkpoints.write_tensorflow(tmp_path / "b.pkl", version=3), "version 3", tmp_path)
    kernel = state["g_ema"]["convs.0.conv.blur.kernel"]
    kernel.copy_(kernel.flip(0) * torch.tensor([0.5, 1, 1, 1]))
    torch.save(state, tmp_path / "c.pt")
    refused(tmp_path / "c.pt", "filter", tmp_path)


def test_psp_of_another_kind(checkpoints: Any, tmp_path: Path) -> None:
    for change, said in (
        ({"encoder_type": "BackboneEncoderUsingLastLayerIntoW"}, "BackboneEncoder"),
        ({"learn_in_w": True}, "learn_in_w"),
    ):
        tree = checkpoints.psp_tree(checkpoints.small, checkpoints.encoder)
        tree["opts"] |= change
        torch.save(tree, tmp_path / "a.pt")
        refused(tmp_path / "a.pt", said, tmp_path)
    tree = checkpoints.psp_tree(checkpoints.small, checkpoints.encoder)
    tree["state_dict"]["encoder.input_layer.0.weight"] = torch.zeros(16, 19, 3, 3)
    torch.save(tree, tmp_path / "a.pt")
    refused(tmp_path / "a.pt", "19 channels", tmp_path)
    tree = checkpoints.psp_tree(checkpoints.small, checkpoints.encoder)
    del tree["latent_avg"]
    torch.save(tree, tmp_path / "a.pt")
    refused(tmp_path / "a.pt", "latent_avg", tmp_path)


def test_neither_file_nor_place(checkpoints: Any, tmp_path: Path) -> None:
    refused(tmp_path / "absent.pt", "absent.pt", tmp_path)
    source = checkpoints.write_nvidia(tmp_path / "a.pkl")
    (tmp_path / "pack").mkdir()
    with pytest.raises(EngineError, match="exists already"):
        import_checkpoint(source, tmp_path / "pack")
    import_checkpoint(source, tmp_path / "pack", replace=True)
    assert (tmp_path / "pack" / "pack.json").is_file()


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError(28, "No space left on device"), SystemExit])
def test_interrupted(checkpoints: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any) -> None:
    """Whatever ends an import half way, the folder is as before; an older pack is still there."""
    source = checkpoints.write_nvidia(tmp_path / "a.pkl")
    old = import_checkpoint(source, tmp_path / "packs" / "kept").pack
    before = {path: path.read_bytes() for path in old.iterdir()}

    def broken(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr(importing, "golden_vectors", broken)
    with pytest.raises((MirrorError, BaseException)):
        import_checkpoint(source, tmp_path / "packs" / "new")
    with pytest.raises((MirrorError, BaseException)):
        import_checkpoint(source, old, replace=True)
    assert list((tmp_path / "packs").iterdir()) == [old]
    assert {path: path.read_bytes() for path in old.iterdir()} == before


KILLED = """
import os, signal, sys
from pathlib import Path
from engines.importers import checkpoint
from engines import models_cli
def stop(*arguments):
    os.kill(os.getpid(), int(sys.argv[3]))
    signal.pause()
checkpoint.golden_vectors = stop
models_cli.main(["import", sys.argv[1], "--out", sys.argv[2]])
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_killed(checkpoints: Any, tmp_path: Path, number: signal.Signals) -> None:
    """No pack appears; what a killed import left is hidden and swept up by the next."""
    source = checkpoints.write_nvidia(tmp_path / "a.pkl")
    packs = tmp_path / "packs"
    command = [sys.executable, "-c", KILLED, str(source), str(packs / "new"), str(int(number))]
    process = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert process.returncode != 0
    left = [path.name for path in packs.iterdir()]
    assert "new" not in left
    if number != signal.SIGKILL:
        assert left == []
    import_checkpoint(source, packs / "new")
    assert [path.name for path in packs.iterdir()] == ["new"]
