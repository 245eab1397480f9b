"""The public AdaIN weights: read without executing anything, the same arithmetic, the same picture in the show."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

import torch.nn.functional as F  # noqa: E402

from engines.runtime.stylist import load_stylist  # noqa: E402
from engines.style.importer import import_style, read_layers  # noqa: E402
from engines.style.published import DECODER, ENCODER, PublishedNetwork  # noqa: E402
from installation.errors import EngineError  # noqa: E402

# Out channels of the published sequences, as a list of steps: a number is a convolution of 3 x 3 behind a reflected
# border, "M" a maximum of 2 x 2, "U" an enlarging by 2. Written out here, apart from the code under test.
VGG = [64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512]
BACK = [256, "U", 256, 256, 256, 128, "U", 128, 64, "U", 64, 3]


def convolution_keys(steps: list[object], index: int, inputs: int) -> list[tuple[str, int, int]]:
    """Give (key, inputs, outputs) of each convolution, counting border, convolution and ReLU as published."""
    keys = []
    for step in steps:
        if isinstance(step, int):
            keys.append((str(index + 1), inputs, step))
            index, inputs = index + 3, step
        else:
            index += 1
    return keys


@pytest.fixture(scope="module")
def weights() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Random weights in the published layout, and a layer beyond relu4_1 that nobody asks for."""
    generator = torch.Generator().manual_seed(4)

    def random(keys: list[tuple[str, int, int]]) -> dict[str, torch.Tensor]:
        made = {}
        for key, inputs, outputs in keys:
            scale = (2.0 / (9 * inputs)) ** 0.5
            made[f"{key}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) * scale
            made[f"{key}.bias"] = torch.randn(outputs, generator=generator) * 0.05
        return made

    encoder = random(convolution_keys(VGG, 1, 3))
    encoder["0.weight"] = torch.randn(3, 3, 1, 1, generator=generator)
    encoder["0.bias"] = torch.randn(3, generator=generator)
    encoder["32.weight"] = torch.zeros(512, 512, 1, 1)
    return encoder, random(convolution_keys(BACK, 0, 512))


@pytest.fixture(scope="module")
def files(request: pytest.FixtureRequest, weights: tuple, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The two files, as PyTorch writes them now and as it did when they were published."""
    folder = tmp_path_factory.mktemp("weights")
    paths = [folder / "vgg_normalised.pth", folder / "decoder.pth"]
    for path, state in zip(paths, weights, strict=True):
        torch.save(state, path, _use_new_zipfile_serialization=getattr(request, "param", "zip") == "zip")
    return paths


def run_steps(picture: torch.Tensor, steps: list[object], weights: dict[str, torch.Tensor], index: int) -> torch.Tensor:
    """Walk the published sequence with plain functions; no ReLU behind the very last convolution of the decoder."""
    keys = iter(convolution_keys(steps, index, picture.shape[1]))
    for step in steps:
        if step == "M":
            picture = F.max_pool2d(picture, 2, ceil_mode=True)
        elif step == "U":
            picture = picture.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        else:
            key, _, outputs = next(keys)
            border = F.pad(picture, (1, 1, 1, 1), mode="reflect")
            picture = F.conv2d(border, weights[f"{key}.weight"], weights[f"{key}.bias"])
            picture = picture if outputs == 3 else picture.clamp(min=0.0)
    return picture


def published(
    content: torch.Tensor, styles: list[torch.Tensor], shares: list[float], alpha: float, weights: tuple
) -> torch.Tensor:
    """The published test program's arithmetic: AdaIN of every style, weighted sum, alpha, decoder; RGB in [0, 1]."""
    encoder, decoder = weights

    def encode(picture: torch.Tensor) -> torch.Tensor:
        return run_steps(F.conv2d(picture, encoder["0.weight"], encoder["0.bias"]), VGG, encoder, 1)

    def moments(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        flat = features.flatten(2)
        return flat.mean(2)[:, :, None, None], (flat.var(2, unbiased=True) + 1e-5).sqrt()[:, :, None, None]

    features = encode(content)
    mean, std = moments(features)
    mixed = torch.zeros_like(features)
    for style, share in zip(styles, shares, strict=True):
        style_mean, style_std = moments(encode(style))
        mixed = mixed + share * ((features - mean) / std * style_std + style_mean)
    return run_steps(alpha * mixed + (1.0 - alpha) * features, BACK, decoder, 0)


@pytest.mark.parametrize("files", ["zip", "older"], indirect=True)
@pytest.mark.parametrize(("alpha", "share"), [(1.0, 1.0), (0.6, 0.25), (0.0, 0.5)])
def test_arithmetic_is_the_published_one(files: list[Path], weights: tuple, alpha: float, share: float) -> None:
    network = PublishedNetwork(read_layers(files[0], ENCODER), read_layers(files[1], DECODER)).eval()
    pictures = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    content, first, second = pictures.split(1)
    with torch.no_grad():
        expected = published(content, [first, second], [share, 1.0 - share], alpha, weights)
        moments = [network.statistics(style * 2.0 - 1.0) for style in (first, second)]
        mean, std = (share * a + (1.0 - share) * b for a, b in zip(*moments, strict=True))
        found = network(content * 2.0 - 1.0, mean, std, torch.full((1, 1), alpha)) * 0.5 + 0.5
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


def test_an_imported_folder_paints_the_published_picture(files: list[Path], weights: tuple, tmp_path: Path) -> None:
    folder = import_style(files[0], files[1], tmp_path / "adain", name="adain", size=256)
    rng = np.random.default_rng(2)
    styles = {name: rng.integers(0, 256, (256, 256, 3), np.uint8) for name in ("one", "two")}
    content = rng.uniform(-1, 1, (1, 3, 256, 256)).astype(np.float32)
    stylist = load_stylist(folder, "openvino")
    stylist.learn(styles)
    stylist.warm_up()
    image = np.zeros((1, 3, 256, 256), np.float32)
    stylist.stylise(content, np.array([3.0, 1.0], np.float32), 0.8, image)
    stylist.close()
    tensors = [torch.from_numpy(style).permute(2, 0, 1)[None].float() / 255.0 for style in styles.values()]
    with torch.no_grad():
        expected = published(torch.from_numpy(content) * 0.5 + 0.5, tensors, [0.75, 0.25], 0.8, weights)
    expected = expected.numpy() * 2.0 - 1.0
    assert np.abs(image - expected).max() < 1e-3 * np.abs(expected).max()


def test_swapped_files_are_refused_with_what_to_do(files: list[Path]) -> None:
    with pytest.raises(EngineError, match=r"vgg_normalised\.pth and then decoder\.pth"):
        read_layers(files[1], ENCODER)


def test_a_damaged_layer_is_refused(weights: tuple, tmp_path: Path) -> None:
    broken = dict(weights[1])
    broken["8.bias"] = torch.full((256,), float("nan"))
    torch.save(broken, tmp_path / "decoder.pth")
    with pytest.raises(EngineError, match=re.escape("8.bias holds values that are no numbers")):
        read_layers(tmp_path / "decoder.pth", DECODER)


@pytest.mark.parametrize("size", [128, 250, 520])
def test_sizes_outside_the_range_are_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(EngineError, match="256 to 512"):
        import_style(tmp_path / "a", tmp_path / "b", tmp_path / "c", name="n", size=size)
