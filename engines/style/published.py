"""The published AdaIN network: VGG-19 up to relu4_1, AdaIN, a decoder that mirrors it.

Built from the layers' own numbers, with the interface of `engines.style.network`: statistics of a style picture in,
a picture out. Pictures are [-1, 1] outside and [0, 1] within, as the weights want them; the encoder's first layer turns
RGB into what VGG-19 was trained on.

Source: Huang and Belongie (ICCV 2017), section 6; layer order of the PyTorch weights by naoto0804
(`vgg_normalised.pth`, `decoder.pth`), where each convolution is an index into a sequence that also counts padding,
ReLU, pooling and enlarging.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engines.style.adain import adain, mean_std

CHANNELS = 512
"""Of relu4_1, where AdaIN acts."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution of the published sequences.

    Attributes:
        index: Its place in the sequence; the keys are `<index>.weight` and `<index>.bias`.
        inputs, outputs: Channels.
        kernel: Side of the kernel; 3 comes with a reflected border of 1.
        then: What follows: "relu", "pool" (ReLU, then maximum of 2 x 2), "double" (ReLU, then nearest enlarging by 2),
            or "" for nothing.
    """

    index: int
    inputs: int
    outputs: int
    kernel: int = 3
    then: str = "relu"


ENCODER = (
    Layer(0, 3, 3, kernel=1, then=""),
    Layer(2, 3, 64),
    Layer(5, 64, 64, then="pool"),
    Layer(9, 64, 128),
    Layer(12, 128, 128, then="pool"),
    Layer(16, 128, 256),
    Layer(19, 256, 256),
    Layer(22, 256, 256),
    Layer(25, 256, 256, then="pool"),
    Layer(29, 256, 512),
)
"""Up to relu4_1. The file goes on to relu5_4; what lies beyond is not read."""

DECODER = (
    Layer(1, 512, 256, then="double"),
    Layer(5, 256, 256),
    Layer(8, 256, 256),
    Layer(11, 256, 256),
    Layer(14, 256, 128, then="double"),
    Layer(18, 128, 128),
    Layer(21, 128, 64, then="double"),
    Layer(25, 64, 64),
    Layer(28, 64, 3, then=""),
)


class PublishedNetwork(nn.Module):
    """Content and style statistics -> picture. Sides must be divisible by 8.

    Args:
        encoder, decoder: `<index>.weight` and `<index>.bias` of the layers above.
    """

    channels = CHANNELS

    def __init__(self, encoder: Mapping[str, Tensor], decoder: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.encoder = _sequence(ENCODER, encoder)
        self.decoder = _sequence(DECODER, decoder)

    def statistics(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Describe a style picture (n, 3, s, s) in [-1, 1]: mean and deviation of relu4_1, two of (n, 512)."""
        return mean_std(self.encoder(picture * 0.5 + 0.5))

    def forward(self, content: Tensor, mean: Tensor, std: Tensor, strength: Tensor) -> Tensor:
        """Draw the content in the style: as `StyleNetwork.forward`."""
        features = adain(self.encoder(content * 0.5 + 0.5), mean, std, strength)
        picture: Tensor = self.decoder(features) * 2.0 - 1.0
        return picture


def _sequence(layers: tuple[Layer, ...], weights: Mapping[str, Tensor]) -> nn.Sequential:
    steps: list[nn.Module] = []
    for layer in layers:
        if layer.kernel == 3:
            steps.append(nn.ReflectionPad2d(1))
        convolution = nn.Conv2d(layer.inputs, layer.outputs, layer.kernel)
        with torch.no_grad():
            convolution.weight.copy_(weights[f"{layer.index}.weight"])
            assert convolution.bias is not None
            convolution.bias.copy_(weights[f"{layer.index}.bias"])
        steps.append(convolution)
        if layer.then:
            steps.append(nn.ReLU())
        if layer.then == "pool":
            steps.append(nn.MaxPool2d(2))
        elif layer.then == "double":
            steps.append(nn.Upsample(scale_factor=2.0, mode="nearest"))
    return nn.Sequential(*steps)
