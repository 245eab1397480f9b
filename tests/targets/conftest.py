"""A stand-in pack: a small linear generator, so that every number can be checked by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from engines.packing import Direction, Licence, write_pack

NUM_WS, W_DIM, Z_DIM, RESOLUTION, CROP = 10, 16, 12, 32, 16
AXES = ("gender_expression", "age", "smile", "hair_length", "skin_tone", "yaw", "wobble")


@pytest.fixture(scope="session")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of random weights with seven directions, one of which no caption describes."""
    return make_standin(tmp_path_factory.mktemp("packs") / "standin", seed=0)


@pytest.fixture(scope="session")
def other_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, of another training."""
    return make_standin(tmp_path_factory.mktemp("packs") / "other", seed=1)


def make_standin(folder: Path, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    latents = NUM_WS * W_DIM
    draw = rng.normal(0.0, 0.3 / np.sqrt(latents), (latents, 3 * RESOLUTION * RESOLUTION)).astype(np.float32)
    spread = rng.normal(0.0, 1.0 / np.sqrt(Z_DIM), (Z_DIM, latents)).astype(np.float32)
    see = rng.normal(0.0, 0.05, (3 * CROP * CROP, latents)).astype(np.float32)
    vectors = np.linalg.qr(rng.normal(size=(latents, len(AXES))))[0].T.reshape(-1, NUM_WS, W_DIM).astype(np.float32)
    return write_pack(
        folder,
        name=f"stand-in {seed}",
        resolution=RESOLUTION,
        num_ws=NUM_WS,
        w_dim=W_DIM,
        z_dim=Z_DIM,
        parts={
            "generator.onnx": _linear("w_plus", (NUM_WS, W_DIM), "image", (3, RESOLUTION, RESOLUTION), draw),
            "mapping.onnx": _linear("z", (Z_DIM,), "w_plus", (NUM_WS, W_DIM), spread),
            "encoder.onnx": _linear("crop", (3, CROP, CROP), "w_plus", (NUM_WS, W_DIM), see),
        },
        w_avg=rng.normal(size=(NUM_WS, W_DIM)).astype(np.float32),
        directions={
            name: Direction(vector, unit="", low=-1.0 - 0.1 * i, high=2.0)
            for i, (name, vector) in enumerate(zip(AXES, vectors, strict=True))
        },
        encoder={"input_size": CROP, "landmarks": False},
        provenance={"kind": "random"},
        licence=Licence("CC0-1.0", "Random numbers.", commercial_use=True),
    )


def _linear(
    source: str, in_shape: tuple[int, ...], result: str, out_shape: tuple[int, ...], matrix: NDArray[np.float32]
) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        flat = [helper.make_node("Flatten", [source], ["flat"], axis=1)] if len(in_shape) > 1 else []
        graph = helper.make_graph(
            [
                *flat,
                helper.make_node("MatMul", ["flat" if flat else source, "matrix"], ["long"]),
                helper.make_node("Reshape", ["long", "shape"], [result]),
            ],
            source,
            [helper.make_tensor_value_info(source, TensorProto.FLOAT, ["n", *in_shape])],
            [helper.make_tensor_value_info(result, TensorProto.FLOAT, ["n", *out_shape])],
            [
                numpy_helper.from_array(matrix, "matrix"),
                numpy_helper.from_array(np.array([-1, *out_shape], np.int64), "shape"),
            ],
        )
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)

    return write
