"""The command line: instant, one sentence for a person, an exit code for a script."""

import subprocess
import sys

import pytest

from installation import cli, system
from installation.errors import ConfigError, DeviceError, EngineError, MissingExtra


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as done:
        cli.main(["--help"])
    assert done.value.code == 0
    text = capsys.readouterr().out
    for command in ("run", "check", "bench", "models", "targets", "osc", "audio"):
        assert command in text


@pytest.mark.parametrize("arguments", [["run", "--seconds", "0"], ["run", "--seconds", "nan"], ["dance"], []])
def test_a_wrong_command_line_is_refused_with_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as done:
        cli.main(arguments)
    assert done.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("a"), 2),
        (DeviceError("a"), 3),
        (EngineError("a"), 4),
        (MissingExtra("torch", "models", "importing"), 6),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_become_a_sentence_and_an_exit_code(error, code, capsys, monkeypatch):
    def fail(arguments):
        raise error

    monkeypatch.setattr(cli, "_dispatch", fail)
    assert cli.main(["run"]) == code
    assert "Traceback" not in capsys.readouterr().err


def test_a_missing_extra_says_how_to_install_it():
    assert "pip install 'machine-reflections[models]'" in str(MissingExtra("torch", "models", "importing"))


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom installation import cli\ntry:\n cli.main(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('numpy', 'pydantic', 'cv2', 'openvino') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_missing_libraries_are_named_as_packages(monkeypatch):
    monkeypatch.setattr(system, "_loads", lambda library: library != "libportaudio.so.2")
    assert system.missing() == ["libportaudio2"]


def test_what_cannot_be_installed_is_told_word_for_word(monkeypatch, capsys):
    monkeypatch.setattr(system, "missing", lambda: ["libegl1", "libgl1"])
    monkeypatch.setattr(system, "install", lambda packages: False)
    assert system.main() == 1
    assert "sudo apt install libegl1 libgl1" in capsys.readouterr().err


def test_nothing_missing_is_silent(monkeypatch, capsys):
    monkeypatch.setattr(system, "missing", list)
    assert system.main() == 0
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_an_old_python_is_told_what_to_type(monkeypatch, capsys):
    monkeypatch.setattr(system.sys, "version_info", (3, 9, 0))
    assert system.main() == 1
    assert "make PYTHON=python3.12" in capsys.readouterr().err
