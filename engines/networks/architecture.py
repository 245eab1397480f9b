"""The shapes of the public networks: what a checkpoint must hold, before any network is built.

Two records say everything that is not a weight: `GeneratorArchitecture` and `EncoderArchitecture`. They go into the
manifest of a pack, and both the PyTorch networks and the ONNX graphs are built from them. The tables of names and
shapes are those of a pack's `weights.safetensors`: the generator's tensors are called as in stylegan2-ada-pytorch,
the encoder's as in pixel2style2pixel.

Sources: StyleGAN2 (Karras et al., CVPR 2020); pSp (Richardson et al., CVPR 2021), section 3; e4e (Tov et al.,
SIGGRAPH 2021), section 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from installation.errors import EngineError

Shapes = dict[str, tuple[int, ...]]

STYLEGAN2 = "stylegan2"
PSP = "psp"
E4E = "e4e"

DEMODULATION_EPS = 1e-8
NORMALISATION_EPS = 1e-8
MAPPING_LR_MULTIPLIER = 0.01
BATCH_NORM_EPS = 1e-5
LRELU_SLOPE = 0.2
LRELU_GAIN = 2.0**0.5
STYLE_HEAD_SLOPE = 0.01
FIR_TAPS = (1.0, 3.0, 3.0, 1.0)

ENCODER_INPUT_SIZE = 256
BODY_STAGES = ((64, 3), (128, 4), (256, 14), (512, 3))
"""IR-SE50: channels and number of blocks per stage; the first block of each has stride 2. The pyramid takes its levels
c1 (64 px), c2 (32 px) and c3 (16 px) behind the last three stages."""

SQUEEZE_REDUCTION = 16
HEAD_SPLITS = (3, 7)
"""Rows that read c3, those that read p2, and those that read p1."""


@dataclass(frozen=True, slots=True)
class GeneratorArchitecture:
    """Shape of a StyleGAN2 generator (skip architecture, no classes).

    Attributes:
        resolution: Side of the picture, a power of two, 8 or more.
        z_dim: Width of z.
        w_dim: Width of w.
        channels: Feature channels at 4, 8 ... `resolution` pixels.
        mapping_layers: Depth of the mapping network.
        conv_clamp: Limit of every layer's output, or None. Networks trained in float16 have 256.
        eps_after_gain: Whether the demodulation's epsilon is added to weights that are scaled already by
            1/sqrt(fan_in) (rosinality's family) or to the stored ones (NVIDIA's). Visible only on tiny weights.
    """

    resolution: int
    z_dim: int
    w_dim: int
    channels: tuple[int, ...]
    mapping_layers: int
    conv_clamp: float | None = None
    eps_after_gain: bool = True

    def __post_init__(self) -> None:
        levels = self.resolution.bit_length() - 2
        if self.resolution < 8 or self.resolution & (self.resolution - 1) or len(self.channels) != levels:
            raise EngineError(
                f"a generator's resolution is a power of two from 8 and it has one width for each of 4, 8 ... pixels; "
                f"found {self.resolution} pixels and {len(self.channels)} widths"
            )
        if min(self.z_dim, self.w_dim, self.mapping_layers, *self.channels) < 1:
            raise EngineError(f"a generator's sizes must be positive; found {self}")

    @property
    def num_ws(self) -> int:
        """Rows of W+."""
        return 2 * len(self.channels)

    @property
    def resolutions(self) -> tuple[int, ...]:
        """4, 8 ... `resolution`."""
        return tuple(4 << level for level in range(len(self.channels)))

    def as_json(self) -> dict[str, Any]:
        """Give the record for a manifest."""
        return {"kind": STYLEGAN2, **asdict(self), "channels": list(self.channels)}


@dataclass(frozen=True, slots=True)
class EncoderArchitecture:
    """Shape of a pSp or e4e encoder.

    Attributes:
        kind: `PSP` or `E4E`.
        rows: Rows of W+ that it gives.
        adds_average: Whether the average latent is added to its codes.
        stages: Channels and blocks of the body's stages.
    """

    kind: str
    rows: int
    adds_average: bool = True
    stages: tuple[tuple[int, int], ...] = BODY_STAGES

    def __post_init__(self) -> None:
        if self.kind not in (PSP, E4E) or self.rows < 1:
            raise EngineError(f"an encoder is '{PSP}' or '{E4E}' with one row or more; found {self}")
        if len(self.stages) != len(BODY_STAGES) or any(w < SQUEEZE_REDUCTION or n < 1 for w, n in self.stages):
            raise EngineError(f"an encoder's body has four stages like IR-SE50's; found {self.stages}")

    @property
    def width(self) -> int:
        """Channels of the pyramid and width of a row: those of the last stage."""
        return self.stages[-1][0]

    @property
    def taps(self) -> tuple[int, int, int]:
        """Blocks behind which the pyramid takes c1, c2 and c3: (6, 20, 23) for IR-SE50."""
        ends = [sum(count for _, count in self.stages[: index + 1]) - 1 for index in range(4)]
        return ends[1], ends[2], ends[3]

    def as_json(self) -> dict[str, Any]:
        """Give the record for a manifest."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class BodyBlock:
    """One block of the encoder's body."""

    fan_in: int
    fan_out: int
    stride: int

    @property
    def projects(self) -> bool:
        """Whether the shortcut has a convolution; otherwise it subsamples."""
        return self.fan_in != self.fan_out


def generator_from_json(record: Mapping[str, Any]) -> GeneratorArchitecture:
    """Read the record that `GeneratorArchitecture.as_json` wrote.

    Raises:
        EngineError: If it is of another kind or lacks something.
    """
    fields = dict(record)
    if fields.pop("kind", None) != STYLEGAN2:
        raise EngineError(f"expected a generator of kind '{STYLEGAN2}'; the manifest says {record.get('kind')!r}")
    try:
        return GeneratorArchitecture(**{**fields, "channels": tuple(fields["channels"])})
    except (KeyError, TypeError) as error:
        raise EngineError(f"the manifest's generator architecture is not complete: {error}") from error


def encoder_from_json(record: Mapping[str, Any]) -> EncoderArchitecture:
    """Read the record that `EncoderArchitecture.as_json` wrote.

    Raises:
        EngineError: If it lacks something.
    """
    try:
        stages = tuple((int(width), int(count)) for width, count in record["stages"])
        return EncoderArchitecture(**{**record, "stages": stages})
    except (KeyError, TypeError, ValueError) as error:
        raise EngineError(f"the manifest's encoder architecture is not complete: {error}") from error


def body_blocks(arch: EncoderArchitecture) -> list[BodyBlock]:
    """List the blocks of the encoder's body, 24 for IR-SE50."""
    blocks = []
    fan_in = arch.stages[0][0]
    for width, count in arch.stages:
        for index in range(count):
            blocks.append(BodyBlock(fan_in, width, 2 if index == 0 else 1))
            fan_in = width
    return blocks


def head_level(row: int) -> int:
    """Say which level a row's head reads: 0 for c3, 1 for p2, 2 for p1."""
    return sum(row >= split for split in HEAD_SPLITS)


def head_convolutions(row: int) -> int:
    """Count the stride-2 convolutions that bring a level (16, 32, 64 pixels) down to one pixel."""
    return 4 + head_level(row)


def layer_names(arch: GeneratorArchitecture) -> list[tuple[str, int, int, int]]:
    """List the convolution layers in order: (name, resolution, fan_in, fan_out). Row i of W+ feeds layer i."""
    widths = arch.channels
    layers = [("synthesis.b4.conv1", 4, widths[0], widths[0])]
    for level, resolution in enumerate(arch.resolutions[1:], start=1):
        layers.append((f"synthesis.b{resolution}.conv0", resolution, widths[level - 1], widths[level]))
        layers.append((f"synthesis.b{resolution}.conv1", resolution, widths[level], widths[level]))
    return layers


def generator_shapes(arch: GeneratorArchitecture) -> Shapes:
    """List every tensor of a generator."""
    shapes: Shapes = {"mapping.w_avg": (arch.num_ws, arch.w_dim)}
    for index in range(arch.mapping_layers):
        shapes[f"mapping.fc{index}.weight"] = (arch.w_dim, arch.w_dim if index else arch.z_dim)
        shapes[f"mapping.fc{index}.bias"] = (arch.w_dim,)
    shapes["synthesis.b4.const"] = (arch.channels[0], 4, 4)
    for name, resolution, fan_in, fan_out in layer_names(arch):
        shapes[f"{name}.weight"] = (fan_out, fan_in, 3, 3)
        shapes[f"{name}.bias"] = (fan_out,)
        shapes[f"{name}.noise_strength"] = ()
        shapes[f"{name}.noise_const"] = (resolution, resolution)
        shapes |= _affine(name, fan_in, arch.w_dim)
    for resolution, width in zip(arch.resolutions, arch.channels, strict=True):
        name = f"synthesis.b{resolution}.torgb"
        shapes[f"{name}.weight"] = (3, width, 1, 1)
        shapes[f"{name}.bias"] = (3,)
        shapes |= _affine(name, width, arch.w_dim)
    return shapes


def encoder_shapes(arch: EncoderArchitecture) -> Shapes:
    """List every tensor of an encoder (`num_batches_tracked` counters hold nothing that is used)."""
    first, width = arch.stages[0][0], arch.width
    shapes: Shapes = {"input_layer.0.weight": (first, 3, 3, 3), "input_layer.2.weight": (first,)}
    shapes |= _batch_norm("input_layer.1", first)
    for index, block in enumerate(body_blocks(arch)):
        prefix = f"body.{index}"
        shapes |= _batch_norm(f"{prefix}.res_layer.0", block.fan_in)
        shapes[f"{prefix}.res_layer.1.weight"] = (block.fan_out, block.fan_in, 3, 3)
        shapes[f"{prefix}.res_layer.2.weight"] = (block.fan_out,)
        shapes[f"{prefix}.res_layer.3.weight"] = (block.fan_out, block.fan_out, 3, 3)
        shapes |= _batch_norm(f"{prefix}.res_layer.4", block.fan_out)
        squeezed = block.fan_out // SQUEEZE_REDUCTION
        shapes[f"{prefix}.res_layer.5.fc1.weight"] = (squeezed, block.fan_out, 1, 1)
        shapes[f"{prefix}.res_layer.5.fc2.weight"] = (block.fan_out, squeezed, 1, 1)
        if block.projects:
            shapes[f"{prefix}.shortcut_layer.0.weight"] = (block.fan_out, block.fan_in, 1, 1)
            shapes |= _batch_norm(f"{prefix}.shortcut_layer.1", block.fan_out)
    for row in range(arch.rows):
        for index in range(head_convolutions(row)):
            shapes[f"styles.{row}.convs.{2 * index}.weight"] = (width, width, 3, 3)
            shapes[f"styles.{row}.convs.{2 * index}.bias"] = (width,)
        shapes[f"styles.{row}.linear.weight"] = (width, width)
        shapes[f"styles.{row}.linear.bias"] = (width,)
    for index, tap in ((1, arch.stages[2][0]), (2, arch.stages[1][0])):
        shapes[f"latlayer{index}.weight"] = (width, tap, 1, 1)
        shapes[f"latlayer{index}.bias"] = (width,)
    return shapes


def _affine(name: str, width: int, w_dim: int) -> Shapes:
    return {f"{name}.affine.weight": (width, w_dim), f"{name}.affine.bias": (width,)}


def _batch_norm(name: str, width: int) -> Shapes:
    return {f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}
