"""Bring in the public AdaIN weights, `vgg_normalised.pth` and `decoder.pth`. Nothing in the files is executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.importers.files import opened
from engines.lazy import LazyArray
from engines.packing import Licence, sha256_of
from engines.style.export import write_style
from engines.style.published import DECODER, ENCODER, Layer, PublishedNetwork
from installation.errors import EngineError

SIZES = range(256, 513, 8)

_TERMS = """These weights were imported from files that carry no licence of their own:

    {encoder}
    {decoder}

The public AdaIN encoder is VGG-19 of the Visual Geometry Group, Oxford (CC BY 4.0); the public decoders were trained on
photographs and on paintings whose rights differ from picture to picture. A paid exhibition needs a reading of them.
"""


def import_style(
    encoder: Path, decoder: Path, destination: Path, *, name: str, size: int = 256, replace: bool = False
) -> Path:
    """Turn the two files into a style folder.

    Args:
        encoder: `vgg_normalised.pth`.
        decoder: `decoder.pth`.
        destination: The folder to make.
        name: Of the network.
        size: Side of its pictures in pixels, 256 to 512, divisible by 8.
        replace: Take the place of an existing folder.

    Raises:
        EngineError: If a file is refused or holds other layers, or the size does not fit; nothing is left behind.
    """
    if size not in SIZES:
        raise EngineError(f"a style network's size must be 256 to 512 pixels and divisible by 8, not {size}")
    if destination.exists() and not replace:
        raise EngineError(f"{destination} exists already; choose another --out or add --replace")
    network = PublishedNetwork(read_layers(encoder, ENCODER), read_layers(decoder, DECODER))
    text = _TERMS.format(encoder=encoder.name, decoder=decoder.name)
    return write_style(
        destination,
        network,
        size,
        name=name,
        provenance={
            "kind": "import",
            "encoder": encoder.name,
            "encoder_sha256": sha256_of(encoder),
            "decoder": decoder.name,
            "decoder_sha256": sha256_of(decoder),
        },
        licence=Licence("unknown (see LICENCE.txt)", text, commercial_use=False),
        replace=replace,
    )


def read_layers(path: Path, layers: tuple[Layer, ...]) -> dict[str, Tensor]:
    """Read the convolutions of a published sequence; what else is in the file is left alone.

    Raises:
        EngineError: If a layer is missing, has another shape, or is not made of finite numbers.
    """
    with opened(path) as content:
        found = content.value
        if not isinstance(found, Mapping):
            raise EngineError("it holds no named layers; give vgg_normalised.pth and then decoder.pth")
        weights = {}
        for layer in layers:
            kernel = (layer.outputs, layer.inputs, layer.kernel, layer.kernel)
            for key, shape in ((f"{layer.index}.weight", kernel), (f"{layer.index}.bias", (layer.outputs,))):
                weights[key] = _tensor(found.get(key), key, shape)
        return weights


def _tensor(array: Any, key: str, shape: tuple[int, ...]) -> Tensor:
    if not isinstance(array, LazyArray) or array.shape != shape:
        has = f"{key} {array.shape}" if isinstance(array, LazyArray) else f"no {key}"
        raise EngineError(
            f"it has {has} where the published network has {shape}; give vgg_normalised.pth and then decoder.pth"
        )
    numbers = np.array(array.load(), np.float32)
    if not np.isfinite(numbers).all():
        raise EngineError(f"{key} holds values that are no numbers; the file is damaged")
    return torch.from_numpy(numbers)
