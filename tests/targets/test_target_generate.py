"""Pictures of a prompt by a text-to-image pipeline, then as with the artist's own."""

from __future__ import annotations

import argparse
import json
import resource
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("diffusers", reason="needs the extra [prompts]")
pytest.importorskip("transformers", reason="needs the extra [prompts]")

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from engines.faces import parameters
from engines.faces.renderer import PortraitRenderer
from engines.runtime import load_pack
from engines.targets.captions import Prompt, read_attributes
from engines.targets.cli import main
from engines.targets.curation import Curation
from engines.targets.generate import PictureOrder, PicturePipeline
from engines.targets.picture_route import generated_route
from engines.targets.studio import Studio
from installation.errors import EngineError


@pytest.fixture(scope="module")
def tiny_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Stable Diffusion of random weights that draws 16 px pictures."""
    folder = tmp_path_factory.mktemp("tiny-diffusion")
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [*letters, *(f"{c}</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: i for i, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": 16, "pad_token": "<|endoftext|>"})
    )
    torch.manual_seed(0)
    blocks = {"block_out_channels": (32, 64), "layers_per_block": 1}
    StableDiffusionPipeline(
        unet=UNet2DConditionModel(
            **blocks,
            sample_size=8,
            in_channels=4,
            out_channels=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=32,
            attention_head_dim=8,
        ),
        vae=AutoencoderKL(
            **blocks,
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=4,
        ),
        text_encoder=CLIPTextModel(
            CLIPTextConfig(
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=1,
                num_attention_heads=2,
                vocab_size=len(words),
                max_position_embeddings=16,
                bos_token_id=len(words) - 2,
                eos_token_id=len(words) - 1,
                pad_token_id=len(words) - 1,
            )
        ),
        tokenizer=CLIPTokenizer.from_pretrained(folder),
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def test_a_real_pipeline_draws_one_picture_per_seed(tiny_pipeline: Path, tmp_path: Path) -> None:
    pipeline = PicturePipeline.load(str(tiny_pipeline))
    order = PictureOrder("a nurse", count=3, steps=2, first_seed=5)
    files = pipeline.fill(tmp_path, order)
    assert [f.name for f in files] == ["seed_0005.png", "seed_0006.png", "seed_0007.png"]
    pictures = [f.read_bytes() for f in files]
    assert len(set(pictures)) == 3
    with Image.open(files[0]) as image:
        assert image.info["Description"] == "a nurse"
        assert image.info["Source"].startswith("synthetic picture by")
        assert pipeline.sha256[:16] in image.info["Source"]
    files[1].unlink()
    files[2].write_bytes(files[2].read_bytes()[:100])  # cut off half way
    stamp = files[0].stat().st_mtime_ns
    assert [f.read_bytes() for f in pipeline.fill(tmp_path, order)] == pictures
    assert files[0].stat().st_mtime_ns == stamp
    other = pipeline.fill(tmp_path, PictureOrder("a thug", count=1, steps=2, first_seed=5))
    assert other[0].read_bytes() != pictures[0]


def test_random_weights_draw_no_face_and_the_pictures_are_kept(
    tiny_pipeline: Path, standin: Path, tmp_path: Path
) -> None:
    arguments = ["--pipeline", str(tiny_pipeline), "--count", "2", "--diffusion-steps", "1", "--out", str(tmp_path)]
    with pytest.raises(EngineError, match="no face in any of the 2 pictures"):
        main(["make", "a nurse", "--via", "diffusers", *arguments, "--pack", str(standin)])
    assert len(list((tmp_path / "pictures" / "nurse").glob("seed_*.png"))) == 2


class Painter:
    """A pipeline that has learned to draw faces: the seed sets age and turn of a procedural portrait."""

    def __init__(self) -> None:
        self.renderer = PortraitRenderer(160)
        self.calls = 0

    def __call__(self, prompt: str, *, num_inference_steps: int, generator: torch.Generator) -> SimpleNamespace:
        self.calls += 1
        age, yaw = torch.rand(2, generator=generator).tolist()
        face = self.renderer.render(parameters.default(age=age, yaw=20.0 * yaw - 10.0))
        return SimpleNamespace(images=[Image.fromarray(face)])


@pytest.fixture
def painter() -> Iterator[Painter]:
    painter = Painter()
    yield painter
    painter.renderer.release()


def test_pictures_and_projection_are_one_flow(painter: Painter, standin: Path, tmp_path: Path) -> None:
    options = argparse.Namespace(count=3, diffusion_steps=4, seeds=(7,), apart=False, refine=5, perceptual=None)
    pipeline = PicturePipeline(painter, "painter", "ab" * 32)
    with load_pack(standin) as pack:
        studio = Studio(pack, read_attributes(), Curation(), tmp_path / "curation.toml", tmp_path)
        route = generated_route(options, studio, pipeline)
        ((prompt, draft),) = route(Prompt("nurse", "a nurse", "a nurse"))
        ((_, again),) = route(Prompt("nurse", "a nurse", "a nurse"))
    assert prompt.name == "nurse"
    assert draft.route == "diffusers"
    assert draft.seeds == (7, 8, 9)
    assert draft.steps == 5
    assert [m.role for m in draft.models] == ["text-to-image pipeline", "encoder"]
    assert len(draft.settings["faces"]) == 3
    assert painter.calls == 3  # the second run found the pictures, and the refined latents, where the first left them
    assert len(list((tmp_path / ".work").glob("nurse.*.npz"))) == 3
    np.testing.assert_array_equal(draft.edit, again.edit)


def test_a_full_disk_keeps_the_pictures_that_are_finished(painter: Painter, tmp_path: Path) -> None:
    pipeline = PicturePipeline(painter, "painter", "ab" * 32)
    first = pipeline.fill(tmp_path, PictureOrder("a nurse", 1, 4))[0].read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(EngineError, match="finished pictures are kept: make room"):
            pipeline.fill(tmp_path, PictureOrder("a nurse", 3, 4))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [p.name for p in tmp_path.iterdir()] == ["seed_0000.png"]
    assert (tmp_path / "seed_0000.png").read_bytes() == first


def test_a_folder_that_is_no_pipeline(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"holds no \.safetensors"):
        PicturePipeline.load(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(EngineError, match="cannot be used as a pipeline"):
        PicturePipeline.load(str(tmp_path))
