"""`mirror models` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines import models_cli
from installation.cli import main
from installation.errors import EngineError


@pytest.fixture
def packs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "packs"
    folder.mkdir()
    monkeypatch.setattr(models_cli, "PACKS", folder)
    return folder


def test_from_file_to_verified_pack(
    checkpoints: Any, packs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = checkpoints.write_nvidia(tmp_path / "My network.pkl")
    np.save(tmp_path / "age.npy", np.ones(12, np.float32))
    assert main(["models", "import", str(source), str(tmp_path / "age.npy"), "--name", "mine"]) == 0
    captured = capsys.readouterr()
    assert "16 px" in captured.out
    assert "cannot show a visitor" in captured.out
    assert "added age" in captured.out
    assert "commercial" in captured.err
    assert "100%" in captured.err
    assert main(["models", "list", str(packs)]) == 0
    assert "mine" in capsys.readouterr().out
    assert main(["models", "show", "mine"]) == 0
    shown = capsys.readouterr().out
    for text in ("no commercial use", "My network.pkl", "age: -5 to 5", "W+ 6 x 12"):
        assert text in shown
    assert main(["models", "show", "mine", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "mine"
    assert main(["models", "verify", "mine"]) == 0
    table = capsys.readouterr().out
    for text in ("openvino", "torch", "fp16", "all is well"):
        assert text in table


def test_a_named_licence(checkpoints: Any, packs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = checkpoints.write_nvidia(tmp_path / "a.pkl")
    (tmp_path / "terms.txt").write_text("Take it.")
    arguments = ["models", "import", str(source), "--licence", "mine", "--licence-file", str(tmp_path / "terms.txt")]
    assert main([*arguments, "--commercial-use"]) == 0
    assert "commercial" not in capsys.readouterr().err
    assert (packs / "a" / "LICENCE.txt").read_text() == "Take it."
    assert main(["models", "import", str(source), "--commercial-use"]) == EngineError.exit_code
    assert "--licence NAME" in capsys.readouterr().err


def test_directions_into_a_pack(checkpoints: Any, packs: Path, tmp_path: Path) -> None:
    main(["models", "import", str(checkpoints.write_nvidia(tmp_path / "a.pkl"))])
    np.save(tmp_path / "yaw.npy", np.ones(12, np.float32))
    assert main(["models", "import", str(tmp_path / "yaw.npy"), "--into", "a"]) == 0
    assert "yaw" in json.loads((packs / "a" / "pack.json").read_text())["directions"]


def test_mistakes_are_one_sentence(
    checkpoints: Any, packs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "yaw.npy", np.ones(12, np.float32))
    for arguments in (
        ["import", str(tmp_path / "absent.pt")],
        ["import", str(tmp_path / "yaw.npy")],
        ["show", "absent"],
        ["verify", "absent"],
        ["nonsense"],
    ):
        assert main(["models", *arguments]) == EngineError.exit_code
        error = capsys.readouterr().err.strip().splitlines()
        assert len([line for line in error if not line.startswith("importing")]) == 1
    assert list(packs.iterdir()) == []


def test_a_damaged_pack_is_listed_and_not_verified(
    checkpoints: Any, packs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["models", "import", str(checkpoints.write_nvidia(tmp_path / "a.pkl"))])
    graph = packs / "a" / "generator.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    assert main(["models", "verify", "a"]) == EngineError.exit_code
    assert "sha256" in capsys.readouterr().err
    (packs / "a" / "pack.json").write_text("{")
    assert main(["models", "list", str(packs)]) == 0
    assert "not JSON" in capsys.readouterr().out


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert models_cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ("list", "show", "import", "verify", "train"))
    assert models_cli.main([]) == 2
