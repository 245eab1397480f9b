"""The bench of the networks: what it tells, and that it runs them as the config says."""

import argparse
import json

import openvino as ov
import pytest

from installation import bench as module
from installation.bench import bench

HAS_BF16 = "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def asked(tmp_path, text, **changes):
    path = tmp_path / "config.toml"
    path.write_text(text)
    given = {"config": path, "pack": None, "backend": None, "runs": 0, "networks_only": True, "json": True}
    return argparse.Namespace(**(given | {"control": False} | changes))


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(module, "RUNS", 2)
    monkeypatch.setattr(module, "BURN_IN", 1)


@pytest.mark.parametrize(
    ("precision", "inside"),
    [
        ("full", "fp32"),
        pytest.param(
            "half", "bf16", marks=pytest.mark.skipif(not HAS_BF16, reason="this processor does not compute in bfloat16")
        ),
    ],
)
def test_networks_run_as_the_config_says(tmp_path, capsys, precision, inside):
    text = f'[engine]\nbackend = "openvino"\nthreads = 1\nprecision = "{precision}"\n'
    assert bench(asked(tmp_path, text)) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["backend"] == "openvino"
    assert set(told["networks_ms"]) == set(told["roofline"]["stages"]) == {"encoder", "generator", "generator x5"}
    stages = told["roofline"]["stages"]
    assert stages["generator"]["precision"] == inside
    assert {stage["precision"] for stage in stages.values()} == set(told["roofline"]["peak_gflop_s"])
    assert stages["generator x5"]["gflop"] == pytest.approx(5 * stages["generator"]["gflop"], rel=0.01)
    assert all(0.0 < times["p50"] <= times["worst"] for times in told["networks_ms"].values())
    assert told["plain_torch"]["not_measured"]


def test_the_table_and_the_memory(tmp_path, capsys):
    text = '[engine]\nbackend = "openvino"\n'
    assert bench(asked(tmp_path, text, json=False)) == 0
    table = capsys.readouterr().out
    assert "GFLOP/s in fp32" in table
    assert "at least" in table
    assert bench(asked(tmp_path, text, json=False, runs=10)) == 0
    assert "10 runs of each network" in capsys.readouterr().out
