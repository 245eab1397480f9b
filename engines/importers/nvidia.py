"""NVIDIA's generators out of their pickles: modules of PyTorch, networks of TensorFlow.

The PyTorch pickles hold each module's `__dict__`, so the settings that are not weights (clamping, noise, the kind of
skip) are read from there. The TensorFlow pickles hold variables, which are transposed, flipped and shifted into the
names and conventions of the PyTorch ones.

Sources: the layouts as published with stylegan2-ada-pytorch and stylegan3 (StyleGAN2 networks) and stylegan2; StyleGAN2
(Karras et al., CVPR 2020).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.importers.pickles import Record
from engines.importers.tensors import as_array
from engines.lazy import LazyArray
from installation.errors import EngineError

Found = tuple[dict[str, LazyArray], dict[str, Any]]
"""Tensors by NVIDIA's PyTorch names, and settings (`conv_clamp`)."""

_CLASSES = {
    "Generator",
    "MappingNetwork",
    "FullyConnectedLayer",
    "SynthesisNetwork",
    "SynthesisBlock",
    "SynthesisLayer",
    "ToRGBLayer",
}
_MAX_DEPTH = 8
_MAPPING_LR = 0.01
_OLDEST_TENSORFLOW_VERSION = 4


def nvidia_module(root: dict[str, Any]) -> Found:
    """Collect parameters and buffers of a pickled generator.

    Raises:
        EngineError: If a module is of an unknown class, or set to something this project cannot run.
    """
    if root.get("class_name") != "Generator":
        raise EngineError(f"its G_ema is a {str(root.get('class_name'))[:60]!r}; a StyleGAN2 'Generator' was expected")
    tensors: dict[str, LazyArray] = {}
    clamps: set[float | None] = set()

    def visit(module: Any, prefix: str, depth: int) -> None:
        if not isinstance(module, dict) or not isinstance(module.get("state"), dict) or depth > _MAX_DEPTH:
            raise EngineError(f"the module '{prefix}' of its G_ema is damaged")
        name, state = module["class_name"], module["state"]
        if name in ("Conv2dLayer", "SynthesisInput"):
            raise EngineError(
                f"its generator has a {name}: a resnet or StyleGAN3 network; only StyleGAN2's skip is supported"
            )
        if name not in _CLASSES:
            raise EngineError(f"its G_ema contains a {name[:60]!r}, which is no part of a StyleGAN2 generator")
        _check_settings(name, state, prefix)
        if name in ("SynthesisLayer", "ToRGBLayer"):
            clamp = state.get("conv_clamp")
            if not (clamp is None or (isinstance(clamp, int | float) and math.isfinite(clamp) and clamp > 0)):
                raise EngineError(f"'{prefix}' has the conv_clamp {str(clamp)[:40]}; a positive number was expected")
            clamps.add(None if clamp is None else float(clamp))
        for table in ("_parameters", "_buffers"):
            for key, value in _table(state, table, prefix):
                if (array := as_array(value)) is not None:
                    tensors[f"{prefix}{key}"] = array
        for key, child in _table(state, "_modules", prefix):
            visit(child, f"{prefix}{key}.", depth + 1)

    visit(root, "", 0)
    if len(clamps) > 1:
        raise EngineError("its layers have different conv_clamp settings, which is not supported")
    return tensors, {"conv_clamp": clamps.pop() if clamps else None}


def _table(state: dict[str, Any], key: str, prefix: str) -> list[tuple[str, Any]]:
    table = state.get(key, {})
    if not isinstance(table, dict) or not all(isinstance(name, str) for name in table):
        raise EngineError(f"the module '{prefix}' of its G_ema is damaged")
    return list(table.items())


def _check_settings(name: str, state: dict[str, Any], prefix: str) -> None:
    """Refuse what would draw other pictures than the network was trained for."""
    expected: dict[str, tuple[tuple[str, Any], ...]] = {
        "Generator": (("c_dim", 0), ("img_channels", 3)),
        "SynthesisBlock": (("architecture", "skip"),),
        "SynthesisLayer": (("activation", "lrelu"),),
    }
    for key, value in expected.get(name, ()):
        if state.get(key, value) != value:
            found = str(state[key])[:40]
            raise EngineError(f"the generator's {prefix}{key} is {found}; only {value} is supported")
    if name == "FullyConnectedLayer" and prefix.startswith("mapping.fc"):
        rate = state.get("bias_gain", _MAPPING_LR)
        if not isinstance(rate, int | float) or not math.isclose(rate, _MAPPING_LR, rel_tol=1e-6):
            raise EngineError(f"'{prefix}' has the learning-rate multiplier {str(rate)[:40]}; only 0.01 is supported")


def tensorflow_network(network: Any) -> Found:
    """Translate the variables of `Gs` of a TensorFlow StyleGAN2 pickle.

    Raises:
        EngineError: If it is no such network, or of StyleGAN1 or older.
    """
    if not isinstance(network, Record) or not isinstance(network.state, dict):
        raise EngineError("its third network (Gs) is missing")
    version = network.state.get("version")
    if type(version) is not int or version < _OLDEST_TENSORFLOW_VERSION:
        raise EngineError(
            f"its network format is version {str(version)[:20]}, older than StyleGAN2's ({_OLDEST_TENSORFLOW_VERSION})"
        )
    variables = _variables(network, "", 0)
    if "synthesis/4x4/Conv/mod_weight" not in variables:
        raise EngineError("it is a TensorFlow network, but not StyleGAN2 (it has no modulated convolutions)")
    options = network.state.get("static_kwargs")
    settings = options if isinstance(options, dict) else {}
    if settings.get("label_size", 0) != 0:
        raise EngineError("it is a class-conditional generator, which is not supported")
    if settings.get("architecture", "skip") != "skip":
        raise EngineError(f"its architecture is {str(settings['architecture'])[:40]}; only skip is supported")
    tensors = {}
    for name, value in variables.items():
        for pattern, translate in _TENSORFLOW:
            if match := re.fullmatch(pattern, name):
                ours, tensor = translate(match, value)
                tensors[ours] = tensor
    return tensors, {"conv_clamp": settings.get("conv_clamp")}


def _variables(network: Record, prefix: str, depth: int) -> dict[str, LazyArray]:
    state = network.state
    entries = state.get("variables") if isinstance(state, dict) else None
    components = state.get("components") if isinstance(state, dict) else None
    if not isinstance(entries, list) or not isinstance(components, dict) or depth > 2:
        raise EngineError("its third network (Gs) is damaged")
    found = {}
    for entry in entries:
        if not isinstance(entry, tuple) or len(entry) != 2 or not isinstance(entry[0], str):
            raise EngineError("its third network (Gs) is damaged")
        name, value = entry
        array = as_array(value)
        if array is None and isinstance(value, int | float):
            array = LazyArray.of(np.asarray(value, np.float32))
        if array is not None:
            found[prefix + name] = array
    for name, component in components.items():
        if not isinstance(component, Record) or not isinstance(name, str):
            raise EngineError("its third network (Gs) is damaged")
        found |= _variables(component, f"{prefix}{name}/", depth + 1)
    return found


Translation = Callable[[re.Match[str], LazyArray], tuple[str, LazyArray]]


def _permuted(
    tensor: LazyArray, axes: tuple[int, ...], change: Callable[[NDArray[Any]], NDArray[Any]] | None = None
) -> LazyArray:
    if len(tensor.shape) != len(axes):
        return tensor  # the shape check names it
    shape = tuple(tensor.shape[axis] for axis in axes)
    return tensor.then(lambda array: (array if change is None else change(array)).transpose(axes), shape)


def _first(tensor: LazyArray, leading: int) -> LazyArray:
    """Drop leading axes of size one."""
    if len(tensor.shape) < leading or any(size != 1 for size in tensor.shape[:leading]):
        return tensor
    shape = tensor.shape[leading:]
    return tensor.then(lambda array: array.reshape(shape), shape)


def _layer(match: re.Match[str]) -> str:
    """NVIDIA's PyTorch name of a layer, e.g. "8x8/Conv0_up" -> "synthesis.b8.conv0"."""
    names = {"Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1", "ToRGB": "torgb"}
    return f"synthesis.b{match['side']}.{names[match['layer']]}"


def _kernel(match: re.Match[str], tensor: LazyArray) -> tuple[str, LazyArray]:
    # [kh, kw, in, out]; the up-sampling kernels are stored flipped in both directions
    flip = (lambda array: array[::-1, ::-1]) if match["layer"] == "Conv0_up" else None
    return f"{_layer(match)}.weight", _permuted(tensor, (3, 2, 0, 1), flip)


def _noise(match: re.Match[str], tensor: LazyArray) -> tuple[str, LazyArray]:
    index = int(match[1])
    side = 4 << ((index + 1) // 2)
    name = f"synthesis.b{side}.conv{0 if index % 2 else 1}"
    return f"{name}.noise_const", _first(tensor, 2)


_ANY_LAYER = r"synthesis/(?P<side>\d{1,4})x\d{1,4}/(?P<layer>Conv|Conv0_up|Conv1|ToRGB)"

_TENSORFLOW: tuple[tuple[str, Translation], ...] = (
    (r"dlatent_avg", lambda match, tensor: ("mapping.w_avg", tensor)),
    (r"mapping/Dense(\d{1,2})/weight", lambda m, tensor: (f"mapping.fc{m[1]}.weight", _permuted(tensor, (1, 0)))),
    (r"mapping/Dense(\d{1,2})/bias", lambda m, tensor: (f"mapping.fc{m[1]}.bias", tensor)),
    (r"synthesis/4x4/Const/const", lambda match, tensor: ("synthesis.b4.const", _first(tensor, 1))),
    (r"synthesis/noise(\d{1,2})", _noise),
    (_ANY_LAYER + r"/weight", _kernel),
    (_ANY_LAYER + r"/mod_weight", lambda m, tensor: (f"{_layer(m)}.affine.weight", _permuted(tensor, (1, 0)))),
    (_ANY_LAYER + r"/mod_bias", lambda m, tensor: (f"{_layer(m)}.affine.bias", tensor.then(lambda a: a + 1))),
    (_ANY_LAYER + r"/noise_strength", lambda m, tensor: (f"{_layer(m)}.noise_strength", tensor)),
    (_ANY_LAYER + r"/bias", lambda m, tensor: (f"{_layer(m)}.bias", tensor)),
)
