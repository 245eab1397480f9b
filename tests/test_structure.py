"""The structure is what the documents say: who may import whom, and what starting the show costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "onnx", "tensorrt", "transformers", "diffusers", "onnxruntime")

RULES = {
    "installation/core": ("installation.core", "installation.errors"),
    "installation/runtime": ("installation.runtime", "installation.core", "installation.errors"),
    "installation/devices": (
        "installation.devices",
        "installation.core",
        "installation.runtime",
        "installation.errors",
    ),
    "installation/display": (
        "installation.display",
        "installation.core",
        "installation.runtime",
        "installation.errors",
    ),
    "engines/runtime": ("engines.runtime", "installation.core", "installation.runtime", "installation.errors"),
}
"""Folder -> the project's own packages that it may import."""


def imports_of(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("folder", RULES)
def test_arrows_point_downward(folder):
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    for path in files:
        for name in imports_of(path):
            if name.split(".")[0] in ("installation", "engines"):
                assert name.startswith(RULES[folder]), f"{path.relative_to(ROOT)} imports {name}"


def test_core_needs_numpy_and_nothing_else():
    allowed = set(sys.stdlib_module_names) | {"numpy", "installation"}
    forbidden = {"time", "threading", "socket", "subprocess", "os", "io"}
    for path in (ROOT / "installation/core").rglob("*.py"):
        roots = {name.split(".")[0] for name in imports_of(path)}
        assert roots <= allowed, f"{path.name} imports {roots - allowed}"
        names = roots & forbidden
        lock_only = path.name == "instrument.py" and names == {"threading"}
        assert not names or lock_only, f"{path.name} imports {names}: core has no clock, thread or file"


def test_only_the_model_workshop_imports_heavy_packages():
    for folder in ("installation", "engines/runtime"):
        for path in (ROOT / folder).rglob("*.py"):
            roots = {name.split(".")[0] for name in imports_of(path)}
            assert not roots & set(HEAVY), f"{path.relative_to(ROOT)} imports {roots & set(HEAVY)}"


def test_starting_the_show_pulls_in_nothing_heavy():
    code = (
        "import sys, installation.show_process, installation.cli, installation.devices.eye;"
        "print([m for m in sys.modules if m.split('.')[0] in " + repr(HEAVY) + "])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_the_supervisor_is_light():
    code = (
        "import sys, installation.app;"
        "print([m for m in ('cv2', 'mediapipe', 'moderngl', 'openvino', 'av', 'sounddevice') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_the_performers_page_names_every_view():
    from installation.devices.performer_page import PAGE_VIEWS
    from installation.display.scene import VIEWS

    assert PAGE_VIEWS == VIEWS
