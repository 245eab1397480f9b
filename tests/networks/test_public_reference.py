"""Outputs of the public implementations, where their folder is there; `engines.networks.parity` compares them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.networks.parity import compare
from engines.networks.parity_table import Row

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"

pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason="the folder with reference outputs is not here")


@pytest.mark.parametrize("case", ["alignment", "nvidia_tiny.pkl", "tf_tiny.pkl", "rosinality"])
def test_within_tolerance(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRROR_CACHE", str(tmp_path))
    rows = compare(REFERENCE, "torch", [case], show=lambda row: None)
    assert rows
    assert [row for row in rows if not row.ok] == []


def test_the_comparison_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quad that is a pixel off must not pass."""
    from engines.networks import parity_cases

    right = parity_cases.quad_from_68
    monkeypatch.setattr(parity_cases, "quad_from_68", lambda landmarks: right(landmarks) + 1e-3)
    rows: list[Row] = compare(REFERENCE, "torch", ["alignment"], show=lambda row: None)
    assert any(not row.ok for row in rows)
