"""The fill rule gives the same bits everywhere: the published digests of its self-test."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from engines.networks.fill_rule import filled, image_input, image_u8, normals

DIGESTS = [
    ("encoder.input_layer.0.weight", (64, 3, 3, 3), "8ca01ea0b7287f24"),
    ("encoder.body.0.res_layer.2.weight", (64,), "186ac86e28b33d82"),
    ("encoder.body.3.res_layer.4.running_var", (128,), "1ffcac396a7242e4"),
    ("encoder.styles.0.convs.0.weight", (512, 512, 3, 3), "e1cb828c0f700573"),
    ("decoder.convs.0.conv.weight", (1, 512, 512, 3, 3), "558d0277dec5c220"),
    ("style.1.weight", (512, 512), "b60753b1c12c73ab"),
    ("convs.0.noise.weight", (1,), "e1da0b87613eb397"),
    ("convs.0.conv.blur.kernel", (4, 4), "ee9edc753336b381"),
    ("noises.noise_3", (1, 1, 16, 16), "a469703f9e443876"),
    ("synthesis.b8.conv0.noise_strength", (), "656e81e5ef83dfe5"),
    ("synthesis.b8.conv0.affine.bias", (512,), "701e4ab0380cb705"),
    ("mapping.w_avg", (512,), "810150348e0385f2"),
    ("latent_avg", (18, 512), "2f6e376fbacc9ac8"),
]


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


@pytest.mark.parametrize(("name", "shape", "expected"), DIGESTS)
def test_tensors(name: str, shape: tuple[int, ...], expected: str) -> None:
    array = filled(name, shape)
    assert array.dtype == np.float32
    assert array.shape == shape
    assert digest(array) == expected


def test_inputs() -> None:
    assert digest(image_u8(0)) == "912bacce926a1760"
    assert digest(image_input(0)) == "dfa34fe5594cf537"
    assert digest(normals("z:0", (1, 512)).astype(np.float32)) == "f10ba4ee1e38f0d5"
    assert digest(normals("wplus:0", (1, 14, 512)).astype(np.float32)) == "275edc75ee64b4df"


def test_a_name_without_a_rule() -> None:
    with pytest.raises(KeyError, match="nonsense"):
        filled("nonsense", (3,))
