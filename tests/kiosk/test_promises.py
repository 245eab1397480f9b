"""Promises that hold for all of the code: no wall clock where time is measured, no report to anybody's maker."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "installation"

WALL_CLOCK = {
    "devices/osc_server.py": "time tags of OSC bundles, which are wall time",
    "kiosk/daybook.py": "the date of a day's summary",
    "kiosk/keepsake.py": "when a picture must be gone, across restarts",
    "kiosk/run.py": "opening hours and the nightly restart",
    "kiosk/state.py": "when the notice was acknowledged",
    "runtime/logs.py": "the time written into a line",
    "film.py": "the name of a saved picture",
}
"""The only files that may ask what time it is on the wall, and what for: nothing else depends on it being right."""

FORBIDDEN = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "today"), ("datetime", "utcnow"),
             ("date", "today"), ("time", "localtime"), ("time", "ctime")}  # fmt: skip


def uses_of_the_wall_clock(path):
    tree = ast.parse(path.read_text("utf-8"))
    return sorted(
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in FORBIDDEN
    )


def test_only_named_files_ask_for_the_time_on_the_wall():
    found = {str(path.relative_to(PACKAGE)): uses_of_the_wall_clock(path) for path in sorted(PACKAGE.rglob("*.py"))}
    found = {name: lines for name, lines in found.items() if lines}
    assert set(found) <= set(WALL_CLOCK), "measure with time.monotonic: the clock may be set at any moment"


def test_the_finder_of_wall_clocks_finds(tmp_path):
    path = tmp_path / "x.py"
    path.write_text("import time\nnow = time.time()\nlater = time.monotonic()\ngive = time.time\n")
    assert uses_of_the_wall_clock(path) == [2, 4]


def test_openvino_takes_its_stub_in_place_of_its_telemetry():
    pytest.importorskip("openvino")
    script = (
        "import engines.runtime.openvino_backend, sys\n"
        "from openvino.tools.ovc import telemetry_utils\n"
        "assert telemetry_utils.tm.__name__.endswith('telemetry_stub'), telemetry_utils.tm\n"
        "assert not [name for name in sys.modules if name.startswith('openvino_telemetry.')]\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
