"""Write a style folder: two graphs, golden vectors, the pictures that ship with it, and `style.json`.

`stylize.onnx` draws a content with given statistics; `statistics.onnx` takes them from a style picture, once for each
picture, before the show. `engines.runtime.stylist` reads the folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from engines.export.lint import lint_file
from engines.export.torch_export import export_onnx
from engines.packing import Licence, seal, staged_folder
from engines.runtime.style_folder import FORMAT, MANIFEST, PICTURES
from installation.errors import EngineError

GOLDEN_WINDOW = 32
"""Side of the part of a golden picture that is kept."""


class StyleModule(Protocol):
    """What `engines.style.network` and `engines.style.published` have in common."""

    @property
    def channels(self) -> int: ...

    def statistics(self, picture: Tensor) -> tuple[Tensor, Tensor]: ...

    def forward(self, content: Tensor, mean: Tensor, std: Tensor, strength: Tensor) -> Tensor: ...


class _Statistics(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        return cast(StyleModule, self.network).statistics(picture)


def write_style(
    destination: Path,
    network: nn.Module,
    size: int,
    *,
    name: str,
    provenance: Mapping[str, Any],
    licence: Licence,
    pictures: Sequence[Path] = (),
    replace: bool = False,
) -> Path:
    """Write the folder whole or not at all.

    Args:
        destination: The folder to make.
        network: A `StyleModule`.
        size: Side of its pictures in pixels.
        name: Of the network.
        provenance: Where the weights came from.
        licence: Of the weights.
        pictures: Style pictures to ship with it.
        replace: Take the place of an existing folder.

    Raises:
        EngineError: If the folder exists, the disk refuses, or a graph holds what TensorRT does not read.
    """
    module = cast(StyleModule, network)
    channels = module.channels
    content = {"content": ("n", 3, size, size)}
    style = {"mean": ("n", channels), "std": ("n", channels), "strength": ("n", 1)}
    with staged_folder(destination, replace=replace) as folder:
        export_onnx(network, {**content, **style}, ["image"], folder / "stylize.onnx")
        export_onnx(
            _Statistics(network), {"picture": ("n", 3, size, size)}, ["mean", "std"], folder / "statistics.onnx"
        )
        _store_fields_in_half(folder / "stylize.onnx")
        for graph in ("stylize.onnx", "statistics.onnx"):
            if problems := lint_file(folder / graph):
                raise EngineError(f"{graph}: {'; '.join(problems)}")
        np.savez_compressed(folder / "golden.npz", **_golden(network, size))
        (folder / "LICENCE.txt").write_text(licence.text, encoding="utf-8")
        (folder / PICTURES).mkdir()
        for picture in pictures:
            shutil.copyfile(picture, folder / PICTURES / picture.name)
        manifest = {
            "format": FORMAT,
            "name": name,
            "size": size,
            "channels": channels,
            "provenance": dict(provenance),
            "licence": {"name": licence.name, "text_file": "LICENCE.txt", "commercial_use": licence.commercial_use},
        }
        seal(folder, manifest, name=MANIFEST)
    return destination


def _store_fields_in_half(path: Path) -> None:
    """Keep constant pictures (1, c, h, w) in float16 where that loses nothing; compilers cast them once."""
    model = onnx.load(path)
    graph = model.graph
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.ndim != 4 or values.shape[0] != 1 or values.dtype != np.float32:
            continue
        half = values.astype(np.float16)
        if np.array_equal(half.astype(np.float32), values):
            graph.initializer.remove(tensor)
            graph.initializer.append(numpy_helper.from_array(half, f"{tensor.name}_half"))
            graph.node.insert(0, helper.make_node("Cast", [f"{tensor.name}_half"], [tensor.name], to=TensorProto.FLOAT))
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


@torch.no_grad()
def _golden(network: nn.Module, size: int) -> dict[str, NDArray[Any]]:
    """One content and one style of flat blocks (which a zip holds in no room), and what the network makes of them."""
    module = cast(StyleModule, network)
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, 3, 16, 16, generator=generator) * 2.0 - 1.0
    pictures = nn.functional.interpolate(coarse, size=(size, size), mode="nearest")
    content, style = pictures[:1], pictures[1:]
    mean, std = module.statistics(style)
    strength = torch.ones(1, 1)
    image = module.forward(content, mean, std, strength)
    start = (size - GOLDEN_WINDOW) // 2
    window = slice(start, start + GOLDEN_WINDOW)
    return {
        "stylize.in.content": content.numpy(),
        "stylize.in.mean": mean.numpy(),
        "stylize.in.std": std.numpy(),
        "stylize.in.strength": strength.numpy(),
        "stylize.window": np.array([start, start]),
        "stylize.out.image": image[..., window, window].numpy(),
        "statistics.in.picture": style.numpy(),
        "statistics.out.mean": mean.numpy(),
        "statistics.out.std": std.numpy(),
    }
