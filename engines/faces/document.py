"""Write the portrait's page: the parameter table into `docs/PORTRAIT.md`, and a sheet of random people.

python -m engines.faces.document docs/PORTRAIT.md --sheet docs/images/portraits.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from .parameters import PARAMETERS
from .renderer import OVERSAMPLING, PortraitRenderer
from .sampler import sample

BEGIN, END = "<!-- parameters: begin -->", "<!-- parameters: end -->"

SHEET_ROWS, SHEET_COLUMNS = 4, 7
SHEET_TILE = 220
SHEET_SEED = 21
"""Each tile is drawn larger and reduced, for smooth edges inside the picture."""


def table() -> str:
    """Format the parameters as a Markdown table, one row each, in the order of the vector."""
    lines = ["| name | group | range | rest | the high end looks like |", "| --- | --- | --- | --- | --- |"]
    for row in PARAMETERS:
        unit = f" {row.unit}" if row.unit else ""
        flip = " *" if row.mirror_sign < 0 else ""
        span = f"{row.low:g} .. {row.high:g}{unit}"
        lines.append(f"| `{row.name}`{flip} | {row.group} | {span} | {row.default:g} | {row.help} |")
    return "\n".join(lines)


def with_table(page: str) -> str:
    """Put the table between the marks of a page.

    Raises:
        ValueError: If the page lacks the marks.
    """
    if BEGIN not in page or END not in page:
        raise ValueError(f"the page needs the lines {BEGIN} and {END} round the table's place")
    before, rest = page.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def sheet(seed: int = SHEET_SEED) -> Image.Image:
    """Draw random people: `SHEET_ROWS` x `SHEET_COLUMNS` tiles of `SHEET_TILE` pixels."""
    renderer = PortraitRenderer(SHEET_TILE, oversampling=OVERSAMPLING)
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (SHEET_COLUMNS * SHEET_TILE, SHEET_ROWS * SHEET_TILE))
    for index in range(SHEET_ROWS * SHEET_COLUMNS):
        tile = Image.fromarray(renderer.render(sample(rng)))
        picture.paste(tile, (index % SHEET_COLUMNS * SHEET_TILE, index // SHEET_COLUMNS * SHEET_TILE))
    renderer.release()
    return picture


def main() -> None:
    """Write the page and, if asked, the sheet."""
    parser = argparse.ArgumentParser(description="Write the portrait's page and sheet.")
    parser.add_argument("page", type=Path, help="docs/PORTRAIT.md, with the table's marks in it")
    parser.add_argument("--sheet", type=Path, help="where to save the JPEG sheet")
    options = parser.parse_args()
    options.page.write_text(with_table(options.page.read_text(encoding="utf-8")), encoding="utf-8")
    if options.sheet:
        options.sheet.parent.mkdir(parents=True, exist_ok=True)
        sheet().save(options.sheet, quality=85, optimize=True)


if __name__ == "__main__":
    main()
