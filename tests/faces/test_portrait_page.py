"""The portrait's page tells the table that is in the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.faces.document import table, with_table
from engines.faces.parameters import NAMES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "PORTRAIT.md"


def test_page_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert with_table(text) == text, "run: python -m engines.faces.document docs/PORTRAIT.md"


def test_table_has_a_row_for_each_parameter() -> None:
    assert [line.split("`")[1] for line in table().splitlines()[2:]] == list(NAMES)


def test_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="parameters: begin"):
        with_table("# no marks here")
