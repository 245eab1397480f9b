"""Small checkpoints of every layout, filled by the rule, written by the libraries that wrote the real ones."""

from __future__ import annotations

import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engines.importers.layouts import rosinality_names
from engines.networks.architecture import (
    PSP,
    EncoderArchitecture,
    GeneratorArchitecture,
    encoder_shapes,
    generator_shapes,
    layer_names,
)
from engines.networks.fill_rule import filled

TINY = GeneratorArchitecture(16, 8, 12, (16, 16, 8), 2, conv_clamp=256.0, eps_after_gain=False)
SMALL = GeneratorArchitecture(32, 8, 48, (16, 16, 8, 8), 2)
EASY_DICT = type("EasyDict", (dict,), {"__module__": "dnnlib.util", "__qualname__": "EasyDict"})
NETWORK = type("Network", (), {"__module__": "dnnlib.tflib.network", "__qualname__": "Network"})
SMALL_ENCODER = EncoderArchitecture(PSP, 8, True, ((16, 1), (24, 1), (32, 1), (48, 2)))


def tensor(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(np.array(filled(name, shape)))


def rosinality_state(arch: GeneratorArchitecture, prefix: str = "") -> OrderedDict[str, torch.Tensor]:
    """The state dict of the rosinality family, with its leading axes of one, kernels included."""
    names = rosinality_names(arch)
    state: OrderedDict[str, torch.Tensor] = OrderedDict()
    for ours, shape in generator_shapes(arch).items():
        if ours == "mapping.w_avg":
            continue
        theirs = names[ours]
        if ours.endswith("noise_strength"):
            shape = (1,)
        elif ours.endswith("noise_const"):
            shape = (1, 1, *shape)
        elif ours.endswith("torgb.bias"):
            shape = (1, 3, 1, 1)
        elif ours.endswith("const") or len(shape) == 4:
            shape = (1, *shape)
        state[prefix + theirs] = tensor(prefix + theirs, shape)
    for index in range(0, 2 * len(arch.channels) - 2, 2):
        state[f"{prefix}convs.{index}.conv.blur.kernel"] = tensor("convs.0.conv.blur.kernel", (4, 4))
    return state


def psp_tree(arch: GeneratorArchitecture, encoder: EncoderArchitecture) -> dict[str, Any]:
    """A pSp or e4e checkpoint."""
    state: OrderedDict[str, torch.Tensor] = OrderedDict()
    for name, shape in encoder_shapes(encoder).items():
        state[f"encoder.{name}"] = tensor(f"encoder.{name}", shape)
        if name.endswith("running_var"):
            counter = f"encoder.{name.replace('running_var', 'num_batches_tracked')}"
            state[counter] = tensor(counter, ())
    state.update(rosinality_state(arch, "decoder."))
    kind = "GradualStyleEncoder" if encoder.kind == PSP else "Encoder4Editing"
    options = {"encoder_type": kind, "start_from_latent_avg": True, "output_size": arch.resolution, "device": "cuda:0"}
    average = tensor("latent_avg", (arch.num_ws, arch.w_dim))
    return {"state_dict": state, "latent_avg": average, "opts": options}


@dataclass(eq=False)
class Module:
    """Stands for one of NVIDIA's modules: pickles as a call of the persistence machinery."""

    class_name: str
    attributes: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, torch.Tensor] = field(default_factory=dict)
    buffers: dict[str, torch.Tensor] = field(default_factory=dict)
    modules: dict[str, Module] = field(default_factory=dict)
    source: str = "# the module's source would stand here\n"

    def __reduce__(self) -> tuple[Any, ...]:
        state: dict[str, Any] = {
            "training": False,
            "_parameters": OrderedDict((k, torch.nn.Parameter(v)) for k, v in self.parameters.items()),
            "_buffers": OrderedDict(self.buffers),
            "_non_persistent_buffers_set": set(),
            "_backward_hooks": OrderedDict(),
            "_modules": OrderedDict(self.modules),
            **self.attributes,
        }
        meta = {"type": "class", "version": 6, "module_src": self.source, "class_name": self.class_name, "state": state}
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta,)


def nvidia_module(arch: GeneratorArchitecture, factor: float = 1.0) -> Module:
    """G_ema of a snapshot, filled by its own names times `factor`."""
    shapes = generator_shapes(arch)

    def part(name: str) -> torch.Tensor:
        shape = (arch.w_dim,) if name == "mapping.w_avg" else shapes[name]
        return tensor(name, shape) * factor

    def parts(prefix: str, *names: str) -> dict[str, torch.Tensor]:
        return {name: part(f"{prefix}.{name}") for name in names}

    def affine(prefix: str) -> dict[str, Module]:
        kernel = parts(f"{prefix}.affine", "weight", "bias")
        return {"affine": Module("FullyConnectedLayer", {"activation": "linear", "bias_gain": 1}, kernel)}

    gain = np.float64(np.sqrt(2))
    blocks: dict[str, Module] = {}
    for level, side in enumerate(arch.resolutions):
        block = Module("SynthesisBlock", {"architecture": "skip", "resolution": side})
        block.buffers["resample_filter"] = tensor("resample_filter", (4, 4))
        if not level:
            block.parameters["const"] = part("synthesis.b4.const")
        for name, at, *_ in layer_names(arch):
            if at == side:
                settings = {"activation": "lrelu", "conv_clamp": arch.conv_clamp, "act_gain": gain, "use_noise": True}
                layer = Module("SynthesisLayer", settings, parts(name, "weight", "bias", "noise_strength"))
                layer.buffers = {"noise_const": part(f"{name}.noise_const")}
                layer.modules = affine(name)
                block.modules[name.rsplit(".", 1)[1]] = layer
        colour = f"synthesis.b{side}.torgb"
        settings = {"conv_clamp": arch.conv_clamp, "weight_gain": np.float64(0.25)}
        block.modules["torgb"] = Module("ToRGBLayer", settings, parts(colour, "weight", "bias"), {}, affine(colour))
        blocks[f"b{side}"] = block
    mapping = Module("MappingNetwork", {"num_layers": arch.mapping_layers})
    mapping.buffers["w_avg"] = part("mapping.w_avg")
    for index in range(arch.mapping_layers):
        kernel = parts(f"mapping.fc{index}", "weight", "bias")
        mapping.modules[f"fc{index}"] = Module(
            "FullyConnectedLayer", {"activation": "lrelu", "bias_gain": 0.01}, kernel
        )
    synthesis = Module("SynthesisNetwork", {"w_dim": arch.w_dim}, {}, {}, blocks)
    settings = {"c_dim": 0, "img_channels": 3, "_init_kwargs": EASY_DICT(z_dim=arch.z_dim, w_dim=arch.w_dim)}
    return Module("Generator", settings, {}, {}, {"synthesis": synthesis, "mapping": mapping})


@contextmanager
def nvidia_modules() -> Iterator[None]:
    """Let pickles name NVIDIA's modules while they are written; they are gone again when they are read."""
    persistence, util, network = (types.ModuleType(n) for n in ("persistence", "util", "network"))

    def _reconstruct_persistent_obj(meta: Any) -> None:
        raise AssertionError("a pickle was executed")

    _reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
    _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    persistence._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
    util.EasyDict, network.Network = EASY_DICT, NETWORK  # type: ignore[attr-defined]
    made = {
        "torch_utils": types.ModuleType("torch_utils"),
        "torch_utils.persistence": persistence,
        "dnnlib": types.ModuleType("dnnlib"),
        "dnnlib.util": util,
        "dnnlib.tflib": types.ModuleType("tflib"),
        "dnnlib.tflib.network": network,
    }
    sys.modules.update(made)
    try:
        yield
    finally:
        for name in made:
            del sys.modules[name]


def write_nvidia(path: Path, arch: GeneratorArchitecture = TINY, protocol: int = 3, **changes: Any) -> Path:
    """Write a snapshot: the wrong networks beside G_ema hold other numbers."""
    with nvidia_modules():
        tree = {
            "training_set_kwargs": EASY_DICT(path="dataset.zip", resolution=arch.resolution),
            "G": nvidia_module(arch, 0.5),
            "D": None,
            "G_ema": nvidia_module(arch),
            "augment_pipe": None,
            **changes,
        }
        path.write_bytes(pickle.dumps(tree, protocol=protocol))
    return path


def write_tensorflow(path: Path, arch: GeneratorArchitecture = TINY, protocol: int = 4, version: int = 4) -> Path:
    """Write (G, D, Gs) of TensorFlow's StyleGAN2: the same numbers in its names, axes and signs."""
    with nvidia_modules():

        def network(variables: list[tuple[str, Any]], **components: Any) -> Any:
            made = NETWORK()
            made.__dict__ = {
                "version": version,
                "name": "G",
                "static_kwargs": {"resolution": arch.resolution, "label_size": 0},
                "components": components,
                "build_module_src": "raise SystemExit",
                "build_func_name": "G",
                "variables": variables,
            }
            return made

        def numbers(name: str) -> np.ndarray[Any, Any]:
            shape = (arch.w_dim,) if name == "mapping.w_avg" else generator_shapes(arch)[name]
            return np.array(filled(name, shape), np.float32)

        mapping = []
        for index in range(arch.mapping_layers):
            mapping.append((f"Dense{index}/weight", np.ascontiguousarray(numbers(f"mapping.fc{index}.weight").T)))
            mapping.append((f"Dense{index}/bias", numbers(f"mapping.fc{index}.bias")))
        synthesis = [("4x4/Const/const", numbers("synthesis.b4.const")[None])]
        for index, (name, side, *_) in enumerate(layer_names(arch)):
            theirs = f"{side}x{side}/" + ("Conv" if side == 4 else "Conv0_up" if name.endswith("conv0") else "Conv1")
            synthesis.append((f"noise{index}", numbers(f"{name}.noise_const")[None, None]))
            weight = numbers(f"{name}.weight").transpose(2, 3, 1, 0)
            synthesis.append((f"{theirs}/weight", weight[::-1, ::-1] if name.endswith("conv0") else weight))
            synthesis += _tensorflow_affine(theirs, name, numbers)
            synthesis.append((f"{theirs}/noise_strength", float(numbers(f"{name}.noise_strength"))))
            synthesis.append((f"{theirs}/bias", numbers(f"{name}.bias")))
        for side in arch.resolutions:
            name, theirs = f"synthesis.b{side}.torgb", f"{side}x{side}/ToRGB"
            synthesis.append((f"{theirs}/weight", numbers(f"{name}.weight").transpose(2, 3, 1, 0)))
            synthesis += _tensorflow_affine(theirs, name, numbers)
            synthesis.append((f"{theirs}/bias", numbers(f"{name}.bias")))
        average = [("lod", 0.0), ("dlatent_avg", numbers("mapping.w_avg"))]
        wanted = network(average, mapping=network(mapping), synthesis=network(synthesis))
        path.write_bytes(pickle.dumps((network([]), network([]), wanted), protocol=protocol))
    return path


def _tensorflow_affine(theirs: str, ours: str, numbers: Callable[[str], Any]) -> list[tuple[str, Any]]:
    weight = np.ascontiguousarray(numbers(f"{ours}.affine.weight").T)
    return [(f"{theirs}/mod_weight", weight), (f"{theirs}/mod_bias", numbers(f"{ours}.affine.bias") - np.float32(1))]


@pytest.fixture(scope="session")
def checkpoints() -> types.SimpleNamespace:
    """Writers of small checkpoints, and the shapes of their networks."""
    return types.SimpleNamespace(
        tiny=TINY,
        small=SMALL,
        encoder=SMALL_ENCODER,
        psp_tree=psp_tree,
        rosinality_state=rosinality_state,
        write_nvidia=write_nvidia,
        write_tensorflow=write_tensorflow,
        nvidia_module=nvidia_module,
        nvidia_modules=nvidia_modules,
        module=Module,
    )


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRROR_CACHE", str(tmp_path / "cache"))
