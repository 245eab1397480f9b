"""What lies in a checkpoint: the layouts in which the public networks are stored.

Each reader takes the tree of a file and gives `Weights`: tensors by our names (`engines.networks.architecture`), each
with its expected shape, and the average latent. Nothing is loaded yet. A tensor that is missing, has another shape or
is not finite ends the import with the name it has in the file.

| layout | tree |
|---|---|
| pSp, e4e | `state_dict` (`encoder.*`, `decoder.*`), `latent_avg`, `opts` |
| rosinality | `g_ema`, `latent_avg`; the names of pSp's decoder |
| NVIDIA PyTorch | `G_ema`: modules, or a flat table of the same names |
| NVIDIA TensorFlow | (G, D, Gs): networks with variables |

Optional in the wild, and so here: noise buffers (drawn from their name's seed where missing), FIR kernels (constants,
compared where present), and most of `opts`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engines.importers.checked import (
    Tensors,
    arrays_of,
    checked_average,
    compare_kernel,
    complete,
    drawn_noise,
    size_of,
    unflattened,
    without_ones,
)
from engines.importers.files import PICKLE, SAFETENSORS, Opened
from engines.importers.nvidia import nvidia_module, tensorflow_network
from engines.importers.tensors import as_array
from engines.lazy import LazyArray
from engines.networks.architecture import (
    E4E,
    PSP,
    EncoderArchitecture,
    GeneratorArchitecture,
    encoder_shapes,
    generator_shapes,
    layer_names,
)
from installation.errors import EngineError

_MAX_LEVELS = 10
"""4 to 2048 pixels."""

_ENCODER_TYPES = {"GradualStyleEncoder": PSP, "Encoder4Editing": E4E}


@dataclass(frozen=True, slots=True)
class Weights:
    """A generator, perhaps with its encoder, ready to be written.

    Attributes:
        layout: What the file was recognised as, for people.
        generator: Its shape.
        generator_tensors: Its tensors by our names; without `mapping.w_avg`.
        average: The average latent, (w_dim,) or (num_ws, w_dim); None if the file has none.
        encoder: The encoder's shape, or None.
        encoder_tensors: Its tensors by our names.
        notes: What a person should know about how the file was read.
    """

    layout: str
    generator: GeneratorArchitecture
    generator_tensors: Tensors
    average: LazyArray | None
    encoder: EncoderArchitecture | None
    encoder_tensors: Tensors
    notes: tuple[str, ...]


def recognise(content: Opened, encoder_kind: str | None = None) -> Weights | None:
    """Find the networks of an open checkpoint; None if it holds none (it may hold directions).

    Args:
        content: The open file.
        encoder_kind: `PSP` or `E4E` where the file does not say which; it must not contradict the file.

    Raises:
        EngineError: If it is a checkpoint, but not whole, or of a network that this project cannot run.
    """
    tree = content.value
    if content.format == PICKLE and isinstance(tree, tuple) and len(tree) == 3:
        return _from_nvidia("NVIDIA StyleGAN2 (TensorFlow)", *tensorflow_network(tree[2]))
    if not isinstance(tree, dict):
        return None
    if content.format == SAFETENSORS:
        tree = unflattened(tree, content.notes)
    if isinstance(tree.get("G_ema"), dict):
        ema = tree["G_ema"]
        found = nvidia_module(ema) if "class_name" in ema else (arrays_of(ema), {})
        return _from_nvidia("NVIDIA StyleGAN2", *found)
    state = tree.get("state_dict")
    if isinstance(state, dict) and any(str(key).startswith(("encoder.", "decoder.")) for key in state):
        return _from_psp(arrays_of(state), tree, encoder_kind)
    if isinstance(tree.get("g_ema"), dict):
        return _from_rosinality(arrays_of(tree["g_ema"]), as_array(tree.get("latent_avg")))
    names = set(map(str, tree))
    if "synthesis.b4.const" in names:
        return _from_nvidia("NVIDIA StyleGAN2", arrays_of(tree), {})
    if "style.1.weight" in names or "conv1.conv.weight" in names:
        return _from_rosinality(arrays_of(tree), as_array(tree.get("latent_avg")))
    return None


def _from_psp(tensors: Tensors, tree: Mapping[Any, Any], asked: str | None) -> Weights:
    options = tree.get("opts")
    state = getattr(options, "state", None)
    options = options if isinstance(options, dict) else state if isinstance(state, dict) else {}
    notes: list[str] = []
    average = as_array(tree.get("latent_avg"))
    starts_from_average = options.get("start_from_latent_avg", average is not None) is True
    if starts_from_average and average is None:
        raise EngineError(
            "its options say start_from_latent_avg, but there is no latent_avg; the checkpoint is not whole"
        )
    if options.get("learn_in_w") is True:
        raise EngineError("its encoder gives one w instead of rows of W+ (learn_in_w), which is not supported")
    decoder = {key.removeprefix("decoder."): value for key, value in tensors.items() if key.startswith("decoder.")}
    generator, generator_tensors = _rosinality_generator(decoder, "decoder.", notes)
    encoder_type = options.get("encoder_type")
    if encoder_type is not None and encoder_type not in _ENCODER_TYPES:
        raise EngineError(f"its encoder is {str(encoder_type)[:60]!r}; {' and '.join(_ENCODER_TYPES)} are supported")
    kind = _ENCODER_TYPES.get(encoder_type) if encoder_type else _guessed_kind(tree, options)
    if kind is None:
        kind = asked or PSP
        notes.append(f"the file does not say whether its encoder is pSp's or e4e's; it was read as {kind}")
    elif asked is not None and asked != kind:
        raise EngineError(f"you asked for an encoder of kind {asked}, but the file says {kind}")
    plain = {key.removeprefix("encoder."): value for key, value in tensors.items() if key.startswith("encoder.")}
    heads = {int(match[1]) for key in plain if (match := re.match(r"styles\.(\d{1,3})\.", key))}
    if heads and heads != set(range(generator.num_ws)):
        raise EngineError(f"its encoder has {len(heads)} style heads for a generator of {generator.num_ws} rows")
    channels = plain.get("input_layer.0.weight")
    if channels is not None and len(channels.shape) == 4 and channels.shape[1] != 3:
        raise EngineError(f"its encoder reads {channels.shape[1]} channels (labels or sketches); a mirror sees RGB")
    encoder = EncoderArchitecture(kind, generator.num_ws, starts_from_average, _stages(plain))
    if encoder.width != generator.w_dim:
        raise EngineError(f"its encoder's rows have {encoder.width} numbers, its generator's {generator.w_dim}")
    return Weights(
        layout=f"{kind} checkpoint",
        generator=generator,
        generator_tensors=generator_tensors,
        average=checked_average(average, generator, "latent_avg"),
        encoder=encoder,
        encoder_tensors=complete(plain, encoder_shapes(encoder), lambda name: f"encoder.{name}"),
        notes=tuple(notes),
    )


def _stages(tensors: Tensors) -> tuple[tuple[int, int], ...]:
    """Read the body's stages: blocks of the same width in a row."""
    blocks = {int(match[1]) for key in tensors if (match := re.match(r"body\.(\d{1,2})\.", key))}
    widths = [
        size_of(tensors, f"body.{i}.res_layer.1.weight", 4, 0, "encoder.") for i in range(max(blocks, default=0) + 1)
    ]
    return tuple((width, len(list(run))) for width, run in itertools.groupby(widths))


def _guessed_kind(tree: Mapping[Any, Any], options: Mapping[Any, Any]) -> str | None:
    if "stylegan_size" in options or "discriminator_state_dict" in tree:
        return E4E
    return PSP if "output_size" in options or "learn_in_w" in options else None


def _from_rosinality(tensors: Tensors, average: LazyArray | None) -> Weights:
    notes: list[str] = []
    generator, generator_tensors = _rosinality_generator(tensors, "", notes)
    average = checked_average(average, generator, "latent_avg")
    return Weights("rosinality StyleGAN2", generator, generator_tensors, average, None, {}, tuple(notes))


def _rosinality_generator(tensors: Tensors, prefix: str, notes: list[str]) -> tuple[GeneratorArchitecture, Tensors]:
    """Translate the names of the rosinality family."""
    highest = [
        int(match[2]) if match[1] == "to_rgbs" else int(match[2]) // 2
        for key in tensors
        if (match := re.match(r"(to_rgbs|convs)\.(\d{1,2})\.", key))
    ]
    if not highest or max(highest) + 2 > _MAX_LEVELS:
        raise EngineError(f"it has no {prefix}convs and {prefix}to_rgbs of a StyleGAN2 generator; it is not whole")
    levels = max(highest) + 2
    colour = ["to_rgb1", *(f"to_rgbs.{level}" for level in range(levels - 1))]
    channels = tuple(size_of(tensors, f"{name}.conv.weight", 5, 2, prefix) for name in colour)
    w_dim = size_of(tensors, "conv1.conv.modulation.weight", 2, 1, prefix)
    z_dim = size_of(tensors, "style.1.weight", 2, 1, prefix)
    depth = len([key for key in tensors if re.fullmatch(r"style\.\d{1,2}\.weight", key)])
    arch = GeneratorArchitecture(4 << (levels - 1), z_dim, w_dim, channels, depth)
    names = rosinality_names(arch)
    found = {}
    for ours, theirs in names.items():
        if theirs in tensors:
            found[ours] = without_ones(tensors[theirs], ours)
        elif ours.endswith("noise_const"):
            found[ours] = drawn_noise(ours, generator_shapes(arch)[ours])
    if not any(names[ours] in tensors for ours in names if ours.endswith("noise_const")):
        notes.append("the file has no noise images; they were drawn, always the same ones")
    for key, kernel in tensors.items():
        if key.endswith(".kernel"):
            compare_kernel(kernel, 4.0, prefix + key)
    shapes = {name: shape for name, shape in generator_shapes(arch).items() if name != "mapping.w_avg"}
    return arch, complete(found, shapes, lambda name: prefix + names[name])


def rosinality_names(arch: GeneratorArchitecture) -> dict[str, str]:
    """Our name -> the family's name."""
    names = {"synthesis.b4.const": "input.input"}
    for index in range(arch.mapping_layers):
        for part in ("weight", "bias"):
            names[f"mapping.fc{index}.{part}"] = f"style.{index + 1}.{part}"
    for index, (ours, *_) in enumerate(layer_names(arch)):
        theirs = f"convs.{index - 1}" if index else "conv1"
        names[f"{ours}.weight"] = f"{theirs}.conv.weight"
        names[f"{ours}.affine.weight"] = f"{theirs}.conv.modulation.weight"
        names[f"{ours}.affine.bias"] = f"{theirs}.conv.modulation.bias"
        names[f"{ours}.bias"] = f"{theirs}.activate.bias"
        names[f"{ours}.noise_strength"] = f"{theirs}.noise.weight"
        names[f"{ours}.noise_const"] = f"noises.noise_{index}"
    for level, resolution in enumerate(arch.resolutions):
        ours, theirs = f"synthesis.b{resolution}.torgb", f"to_rgbs.{level - 1}" if level else "to_rgb1"
        names[f"{ours}.weight"] = f"{theirs}.conv.weight"
        names[f"{ours}.affine.weight"] = f"{theirs}.conv.modulation.weight"
        names[f"{ours}.affine.bias"] = f"{theirs}.conv.modulation.bias"
        names[f"{ours}.bias"] = f"{theirs}.bias"
    return names


def _from_nvidia(layout: str, tensors: Tensors, settings: Mapping[str, Any]) -> Weights:
    """Take tensors that have NVIDIA's names, which are ours."""
    if any(key.startswith("mapping.embed.") for key in tensors):
        raise EngineError("it is a class-conditional generator, which is not supported")
    if "synthesis.input.weight" in tensors or "synthesis.input.freqs" in tensors:
        raise EngineError("it is a StyleGAN3 generator; only StyleGAN2 is supported")
    sides = [int(match[1]) for key in tensors if (match := re.match(r"synthesis\.b(\d{1,4})\.", key))]
    if not sides or max(sides) > 4 << (_MAX_LEVELS - 1) or max(sides) & (max(sides) - 1):
        raise EngineError("it has no synthesis blocks of a StyleGAN2 generator")
    resolution = max(sides)
    levels = resolution.bit_length() - 2
    channels = tuple(size_of(tensors, f"synthesis.b{4 << i}.torgb.weight", 4, 1, "") for i in range(levels))
    w_dim = size_of(tensors, "synthesis.b4.conv1.affine.weight", 2, 1, "")
    z_dim = size_of(tensors, "mapping.fc0.weight", 2, 1, "")
    depth = len([key for key in tensors if re.fullmatch(r"mapping\.fc\d{1,2}\.weight", key)])
    clamp = settings.get("conv_clamp")
    arch = GeneratorArchitecture(
        resolution, z_dim, w_dim, channels, depth, None if clamp is None else float(clamp), eps_after_gain=False
    )
    notes = []
    for key, kernel in tensors.items():
        if key.endswith("resample_filter"):
            compare_kernel(kernel, 1.0, key)
    shapes = {name: shape for name, shape in generator_shapes(arch).items() if name != "mapping.w_avg"}
    found = dict(tensors)
    if not any(name.endswith("noise_const") for name in tensors):
        notes.append("the network was trained without noise")
        for name, shape in shapes.items():
            if name.endswith((".noise_const", ".noise_strength")):
                found[name] = LazyArray.of(np.zeros(shape, np.float32))
    average = checked_average(tensors.get("mapping.w_avg"), arch, "mapping.w_avg")
    return Weights(layout, arch, complete(found, shapes, str), average, None, {}, tuple(notes))
