"""What is compared with the reference outputs: each network alone, and each kind of pack as it is imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engines.alignment import align_face, prepare
from engines.importers.layouts import rosinality_names
from engines.networks.architecture import (
    E4E,
    PSP,
    EncoderArchitecture,
    GeneratorArchitecture,
    encoder_shapes,
    generator_shapes,
)
from engines.networks.fill_rule import filled, filled_lazily, image_input, image_u8, normals
from engines.networks.parity_table import CODES, END_TO_END, EXACT, IMAGE, QUAD, Table, W, centre
from engines.networks.psp import Encoder
from engines.networks.stylegan2 import Generator, image_to_u8, image_to_u8_psp
from engines.runtime.pack import Pack
from installation.core.alignment import quad_from_68
from installation.core.latents import style_mix, truncate

MIX_ROW = 7
_CHANNELS_256 = (512, 512, 512, 512, 512, 256, 128)
_ALIGNED = {"plain": (0, 600), "rotated_shrink": (1, 1600), "border_pad": (2, 480)}

Case = Callable[[Table], None]


def rosinality(table: Table) -> None:
    """The generator alone, in the rosinality family's convention."""
    generator = _generator(True)
    tiny = _generator(True, "synthesis.b16.conv1.weight", 1e-4)
    for name in ("z_a", "z_b"):
        table.compare(name, _z("0" if name == "z_a" else "0b"), EXACT)
    table.compare("wplus", normals("wplus:0", (1, 14, 512)).astype(np.float32), EXACT)
    average = filled("latent_avg", (512,))
    table.compare("latent_avg", average, EXACT)
    w_a, w_b = (generator.mapping(torch.from_numpy(table[name])) for name in ("z_a", "z_b"))
    table.compare("w_a", w_a[:, 0], W)
    table.compare("w_b", w_b[:, 0], W)
    table.compare("w_from_tiny_z", generator.mapping(torch.from_numpy(table["z_a"] * np.float32(1e-4)))[:, 0], W)
    mixed = style_mix(w_a.numpy(), w_b.numpy(), (MIX_ROW, 14))
    table.compare("latent_mix7", mixed, W)
    truncated = truncate(w_a.numpy(), np.asarray(average, np.float32), 0.7)
    table.compare("latent_trunc07", truncated, W)
    wplus = torch.from_numpy(table["wplus"])
    table.compare_image("image_wplus", generator.synthesis(wplus), IMAGE)
    table.compare_image("image_mix7", generator.synthesis(torch.from_numpy(table["latent_mix7"])), IMAGE)
    table.compare_image("image_trunc07", generator.synthesis(torch.from_numpy(table["latent_trunc07"])), IMAGE)
    table.compare_image("image_demod_eps", tiny.synthesis(wplus), IMAGE)


def nvidia(table: Table) -> None:
    """The generator alone, in NVIDIA's convention."""
    generator = _generator(False)
    z_a, z_b = torch.from_numpy(table["z_a"]), torch.from_numpy(table["z_b"])
    for name in ("z_a", "z_b"):
        table.compare(name, _z("0" if name == "z_a" else "0b"), EXACT)
    table.compare("wplus", normals("wplus:0", (1, 14, 512)).astype(np.float32), EXACT)
    ws, ws_b = generator.mapping(z_a), generator.mapping(z_b)
    table.compare("ws_psi1", ws, W)
    table.compare("ws_b_psi1", ws_b, W)
    table.compare("ws_psi07", generator.mapping(z_a, 0.7), W)
    table.compare("ws_psi07_cutoff8", generator.mapping(z_a, 0.7, 8), W)
    table.compare("ws_from_tiny_z", generator.mapping(z_a * 1e-4), W)
    table.compare("ws_mix7", style_mix(ws.numpy(), ws_b.numpy(), (MIX_ROW, 14)), W)
    table.compare_image("image_psi1", generator.synthesis(ws), IMAGE)
    image = generator.synthesis(generator.mapping(z_a, 0.7))
    table.compare_image("image_psi07", image, IMAGE)
    table.compare("image_psi07_generate_py_u8_crop64", _hwc(centre(image_to_u8(image))), EXACT)
    table.compare_image("image_mix7", generator.synthesis(torch.from_numpy(table["ws_mix7"])), IMAGE)
    wplus = torch.from_numpy(table["wplus"])
    table.compare_image("image_wplus", generator.synthesis(wplus), IMAGE)
    table.compare_image("image_psi1_noise_none", generator.synthesis(ws, noise_mode="none"), IMAGE)
    clamped = _generator(False, clamp=1.5)
    table.compare_image("image_psi1_conv_clamp1.5", clamped.synthesis(ws), IMAGE)
    tiny = _generator(False, "synthesis.b16.conv1.weight", 1e-6)
    table.compare_image("image_demod_eps", tiny.synthesis(wplus), IMAGE)


def psp(table: Table) -> None:
    """pSp: encoder, pyramid, generator, mixing, 8 bits."""
    encoder, generator = _encoder(PSP), _generator(True, prefix="decoder.")
    table.compare("input_u8", image_u8(0), EXACT)
    crop = torch.from_numpy(image_input(0))
    codes = encoder(crop)
    table.compare("codes", codes, CODES)
    table.compare("first_conv_0_4", encoder.input_layer[0](crop)[0, :4, ::4, ::4], CODES)
    c1, c2, c3, p2, p1 = encoder.levels(crop)
    for name, level in (("c1_0_2", c1), ("c2_0_4", c2), ("c3_0_8", c3), ("p2_0_4", p2), ("p1_0_2", p1)):
        table.compare(name, level[0, : table[name].shape[0]], CODES)
    average = filled("latent_avg", (14, 512))
    w_plus = codes.numpy() + average
    table.compare("codes_plus_avg", w_plus, CODES)
    table.compare("z", _z("0"), EXACT)
    inject = generator.mapping(torch.from_numpy(table["z"])).numpy()
    table.compare("inject_latent", inject, W)
    table.compare("codes_mix7", style_mix(w_plus, inject, (MIX_ROW, 14)), CODES)
    half = style_mix(w_plus, 0.5 * inject + 0.5 * w_plus, (MIX_ROW, 14))
    table.compare("codes_mix7_alpha05", half, CODES)
    table.compare("codes_mask7_zero", style_mix(w_plus, np.zeros_like(w_plus), (MIX_ROW, 14)), CODES)
    image = generator.synthesis(torch.from_numpy(w_plus))
    table.compare_image("image", image, END_TO_END)
    table.compare("image_tensor2im_u8", _hwc(image_to_u8_psp(image)), EXACT)
    table.compare_image("image_mix7_alpha05", generator.synthesis(torch.from_numpy(half)), END_TO_END)


def e4e(table: Table) -> None:
    """e4e: its stages, and the picture."""
    encoder, generator = _encoder(E4E), _generator(True, prefix="decoder.")
    crop = torch.from_numpy(image_input(0))
    codes = encoder(crop)
    table.compare("codes", codes, CODES)
    table.compare("codes_stage_w", encoder(crop, stage=0), CODES)
    table.compare("codes_stage_delta3", encoder(crop, stage=3), CODES)
    w_plus = codes.numpy() + filled("latent_avg", (14, 512))
    table.compare("codes_plus_avg", w_plus, CODES)
    table.compare_image("image", generator.synthesis(torch.from_numpy(w_plus)), END_TO_END)


def alignment(table: Table) -> None:
    """The FFHQ quad and its pixels."""
    for case, (seed, size) in _ALIGNED.items():
        picture = image_u8(seed, size)
        quad = quad_from_68(table[f"{case}_landmarks"])
        table.compare(f"{case}_quad", quad, QUAD)
        prepared = prepare(picture, quad)
        table.compare(f"{case}_quad_at_transform", prepared.quad, QUAD)
        table.compare(f"{case}_size_at_transform", np.asarray(prepared.picture.size), EXACT)
        table.compare(f"{case}_aligned_u8", align_face(picture, quad), EXACT)


def tiny_pack(table: Table, pack: Pack) -> None:
    """NVIDIA's tiny network through a pack."""
    z = table["z"]
    for psi, name in ((1.0, "psi1"), (0.7, "psi07")):
        w_plus = pack.map(z, psi)
        table.compare(f"ws_{name}", w_plus, W)
        table.compare_image(f"image_{name}", pack.synthesize(w_plus), IMAGE)


def rosinality_pack(table: Table, pack: Pack) -> None:
    """rosinality's generator through a pack."""
    w_a, w_b = pack.map(table["z_a"]), pack.map(table["z_b"])
    table.compare("w_a", w_a[:, 0], W)
    table.compare("w_b", w_b[:, 0], W)
    table.compare("w_from_tiny_z", pack.map(table["z_a"] * np.float32(1e-4))[:, 0], W)
    mixed, truncated = style_mix(w_a, w_b, (MIX_ROW, 14)), pack.map(table["z_a"], 0.7)
    table.compare("latent_mix7", mixed, W)
    table.compare("latent_trunc07", truncated, W)
    table.compare_image("image_wplus", pack.synthesize(table["wplus"]), IMAGE)
    table.compare_image("image_mix7", pack.synthesize(mixed), IMAGE)
    table.compare_image("image_trunc07", pack.synthesize(truncated), IMAGE)


def nvidia_pack(table: Table, pack: Pack) -> None:
    """NVIDIA's generator through a pack."""
    ws, ws_b = pack.map(table["z_a"]), pack.map(table["z_b"])
    table.compare("ws_psi1", ws, W)
    table.compare("ws_b_psi1", ws_b, W)
    table.compare("ws_psi07", pack.map(table["z_a"], 0.7), W)
    table.compare("ws_psi07_cutoff8", truncate(ws, pack.w_avg, 0.7, 8), W)
    table.compare("ws_from_tiny_z", pack.map(table["z_a"] * np.float32(1e-4)), W)
    table.compare_image("image_psi1", pack.synthesize(ws), IMAGE)
    table.compare_image("image_psi07", pack.synthesize(pack.map(table["z_a"], 0.7)), IMAGE)
    table.compare_image("image_mix7", pack.synthesize(style_mix(ws, ws_b, (MIX_ROW, 14))), IMAGE)
    table.compare_image("image_wplus", pack.synthesize(table["wplus"]), IMAGE)


def psp_pack(table: Table, pack: Pack) -> None:
    """pSp through a pack."""
    w_plus = pack.encode(image_input(0))
    table.compare("codes_plus_avg", w_plus, CODES)
    inject = pack.map(table["z"])
    table.compare("inject_latent", inject, W)
    half = style_mix(w_plus, 0.5 * inject + 0.5 * w_plus, (MIX_ROW, 14))
    table.compare("codes_mix7_alpha05", half, CODES)
    table.compare_image("image", pack.synthesize(w_plus), END_TO_END)
    table.compare_image("image_mix7_alpha05", pack.synthesize(half), END_TO_END)


def e4e_pack(table: Table, pack: Pack) -> None:
    """e4e through a pack."""
    w_plus = pack.encode(image_input(0))
    table.compare("codes_plus_avg", w_plus, CODES)
    table.compare_image("image", pack.synthesize(w_plus), END_TO_END)


NETWORKS: dict[str, tuple[str, Case]] = {
    "rosinality": ("rosinality256_seed0", rosinality),
    "nvidia": ("nvidia256_seed0", nvidia),
    "psp": ("psp256_seed0", psp),
    "e4e": ("e4e256_seed0", e4e),
    "alignment": ("ffhq_align", alignment),
}
"""Case -> (file of the reference, comparison)."""

PACKS: dict[str, tuple[str, str, Callable[[Table, Pack], None]]] = {
    "nvidia_tiny.pkl": ("nvidia_tiny", "nvidia_tiny.pkl", tiny_pack),
    "tf_tiny.pkl": ("nvidia_tiny", "tf_tiny.pkl", tiny_pack),
    "rosinality pack": ("rosinality256_seed0", "stylegan2_rosinality_256", rosinality_pack),
    "nvidia pack": ("nvidia256_seed0", "nvidia_G_ema_256", nvidia_pack),
    "psp pack": ("psp256_seed0", "psp_ffhq_encode_256", psp_pack),
    "e4e pack": ("e4e256_seed0", "e4e_ffhq_encode_256", e4e_pack),
}
"""Case -> (file of the reference, checkpoint there or manifest to fill, comparison)."""


def _generator(
    eps_after_gain: bool, weakened: str = "", factor: float = 1.0, clamp: float | None = None, prefix: str = ""
) -> Generator:
    """Build the 256 px generator, filled by the names of its family."""
    arch = GeneratorArchitecture(256, 512, 512, _CHANNELS_256, 8, eps_after_gain=eps_after_gain)
    arch = replace(arch, conv_clamp=clamp)
    module = Generator(arch).eval()
    state = {}
    for name, shape in generator_shapes(arch).items():
        array = _family_tensor(name, shape, arch, eps_after_gain, prefix)
        state[name] = torch.from_numpy(array) * (factor if name == weakened else 1.0)
    module.load_state_dict(state)
    return module


def _family_tensor(
    name: str, shape: tuple[int, ...], arch: GeneratorArchitecture, rosinality_family: bool, prefix: str
) -> NDArray[np.float32]:
    if name == "mapping.w_avg":
        average = filled("latent_avg" if rosinality_family else name, (arch.w_dim,))
        return np.array(np.broadcast_to(average, shape), np.float32)
    if not rosinality_family:
        return np.asarray(filled(name, shape), np.float32)

    # The leading axes of one do not change the draws, and the shape decides no scale of these kinds.
    theirs = prefix + rosinality_names(arch)[name]
    return np.asarray(filled(theirs, shape), np.float32)


def _encoder(kind: str) -> Encoder:
    arch = EncoderArchitecture(kind, 14)
    module = Encoder(arch).eval()
    tensors = filled_lazily(encoder_shapes(arch), "encoder.")
    module.load_state_dict({name: torch.from_numpy(tensor.load()) for name, tensor in tensors.items()}, strict=False)
    return module


def _z(seed: str) -> NDArray[np.float32]:
    return normals(f"z:{seed}", (1, 512)).astype(np.float32)


def _hwc(image: torch.Tensor) -> NDArray[Any]:
    return image[0].permute(1, 2, 0).numpy()
