"""Under which terms imported weights may be used, as far as a file can tell.

A checkpoint carries no licence. The public FFHQ weights may not be used commercially, and a paid exhibition needs a
reading by somebody who may give one; so an imported pack says "not commercial" until a person says otherwise.
"""

from __future__ import annotations

from engines.packing import Licence

_PUBLIC = """These weights were imported from a file that carries no licence of its own:

    {source}
    recognised as: {layout}

The public weights of this kind come under terms that forbid commercial use:

- StyleGAN2 and StyleGAN2-ADA networks published by NVIDIA: NVIDIA Source Code License-NC, for research and evaluation.
- Networks trained on FFHQ: the data set is under CC BY-NC-SA 4.0, its pictures under the licences of their authors.
- Conversions of these networks (rosinality's format) and encoders trained with them (pSp, e4e) depend on them, whatever
  the licence of the code that made them.

If the file is one of these, the pack may not be used commercially; a paid exhibition needs legal advice first.
If the weights are your own, import them again and name their licence (--licence NAME --commercial-use).
"""


def assumed_licence(source: str, layout: str) -> Licence:
    """Give the careful assumption for a checkpoint of unknown origin."""
    return Licence(
        "unknown (public weights of this kind: non-commercial)", _PUBLIC.format(source=source, layout=layout), False
    )


def named_licence(name: str, text: str | None, commercial_use: bool) -> Licence:
    """Give the licence that a person named; `text` is its wording, if they have it."""
    return Licence(
        name, text or f"The person who imported these weights states their licence: {name}\n", commercial_use
    )


def warning(licence: Licence) -> str | None:
    """Give the sentence that a person must see, if there is one."""
    if licence.commercial_use:
        return None
    return (
        f"these weights may not be used commercially, or nothing allows it ({licence.name}); see the pack's LICENCE.txt"
    )
