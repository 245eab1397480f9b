"""CLIP guidance with a small CLIP of random weights: everything but the taste."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("transformers", reason="needs the extra [prompts]")
pytest.importorskip("torch", reason="needs the extra [prompts]")

import torch
from PIL import Image
from transformers import CLIPConfig, CLIPModel

from engines.runtime import load_pack
from engines.runtime.targets import list_targets, read_target
from engines.targets.cli import main
from engines.targets.clip import ClipSettings, Guide, cutouts, latent_spread
from engines.targets.clip_model import ClipModel
from engines.targets.descent import Point
from engines.targets.studio import sample_faces
from engines.targets.torch_draw import torch_generator
from installation.errors import ConfigError, EngineError


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of random weights that reads letters and 16 px pictures."""
    folder = tmp_path_factory.mktemp("tiny-clip")
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [*letters, *(f"{c}</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: i for i, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer"}))
    begin, end = vocabulary["<|startoftext|>"], vocabulary["<|endoftext|>"]
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config={
            **small,
            "vocab_size": len(words),
            "max_position_embeddings": 24,
            "bos_token_id": begin,
            "eos_token_id": end,
            "pad_token_id": end,
        },
        vision_config={**small, "image_size": 16, "patch_size": 4},
        projection_dim=8,
    )
    CLIPModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def clip(tiny_clip: Path) -> ClipModel:
    return ClipModel(str(tiny_clip))


def guide_for(
    clip: ClipModel, pack_path: Path, prompt: str = "a nurse", **settings: object
) -> tuple[Guide, np.ndarray]:
    with load_pack(pack_path) as pack:
        samples = sample_faces(pack, 64, psi=1.0)
        spread = latent_spread(samples, pack.w_avg)
        return Guide(clip, torch_generator(pack), spread, prompt, ClipSettings(**settings)), pack.w_avg


def test_pictures_are_prepared_as_the_library_does_it(clip: ClipModel) -> None:
    """The library's processor is the reference; it rounds to 8 bit after resizing, which ours must not."""
    from transformers import CLIPImageProcessorPil

    size = {"height": 16, "width": 16}
    processor = CLIPImageProcessorPil(size=size, crop_size=size, do_center_crop=False)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    smooth = np.asarray(Image.fromarray(pixels).resize((80, 80), Image.Resampling.BICUBIC))
    wanted = np.asarray(processor(Image.fromarray(smooth), return_tensors="np")["pixel_values"][0])
    image = torch.from_numpy(smooth.transpose(2, 0, 1).astype(np.float32) / 127.5 - 1.0)[None]
    np.testing.assert_allclose(clip.prepare(image)[0].numpy(), wanted, atol=0.02)


def test_embeddings_have_length_one_and_gradients_flow(clip: ClipModel) -> None:
    words = clip.words(["a nurse", "strength"])
    np.testing.assert_allclose(words.norm(dim=1).numpy(), 1.0, atol=1e-5)
    image = torch.zeros(1, 3, 32, 32, requires_grad=True)
    (gradient,) = torch.autograd.grad((clip.pictures(image) @ words.T).sum(), image)
    assert float(gradient.abs().sum()) > 0.0
    assert clip.patches(image).shape == (1, 16, 16)


def test_a_prompt_longer_than_the_model_reads(clip: ClipModel) -> None:
    with pytest.raises(ConfigError, match=r"\d+ word pieces; .* reads 24: shorten it"):
        clip.words(["a prompt that goes on and on and on and on"])


def test_cutouts_are_the_same_for_the_same_seed_and_cover_the_picture() -> None:
    image = torch.zeros(1, 3, 32, 32, requires_grad=True)
    one, two, other = (cutouts(image + 1.0, 16, seed) for seed in (5, 5, 6))
    assert one.shape == (16, 3, 32, 32)
    assert torch.equal(one, two)
    ramp = torch.linspace(-1, 1, 32).expand(1, 3, 32, 32)
    views = cutouts(ramp, 64, 0)
    assert not torch.equal(views, cutouts(ramp, 64, 1))
    assert float(views.abs().max()) <= 1.0
    mirrored = (views[:, 0, 16, -1] < views[:, 0, 16, 0]).float().mean()
    assert 0.3 < float(mirrored) < 0.7
    (gradient,) = torch.autograd.grad(other.sum(), image)
    assert float((gradient[0, 0] > 0).float().mean()) > 0.95


def test_the_loss_falls_and_the_result_is_reproducible(clip: ClipModel, standin: Path) -> None:
    guide, w_avg = guide_for(clip, standin, steps=60, cutouts=4, latent_weight=0.001)
    losses: list[float] = []
    point = guide.optimise(w_avg, 0, every_step=lambda p: losses.append(p.loss))
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.005
    found = guide.latent(w_avg, point)
    assert guide.similarity(found) > guide.similarity(w_avg) + 0.005
    again = guide.optimise(w_avg, 0, every_step=lambda p: None)
    np.testing.assert_array_equal(again.latent, point.latent)
    other = guide.optimise(w_avg, 1, every_step=lambda p: None)
    assert not np.array_equal(other.latent, point.latent)


def test_staying_is_dearer_with_more_weight(clip: ClipModel, standin: Path) -> None:
    ways = []
    for latent_weight, identity_weight in ((0.001, 0.0), (1.0, 0.0), (0.001, 10.0)):
        guide, w_avg = guide_for(
            clip, standin, steps=30, cutouts=4, latent_weight=latent_weight, identity_weight=identity_weight
        )
        point = guide.optimise(w_avg, 0, every_step=lambda p: None)
        with torch.no_grad():
            pair = guide.draw(torch.from_numpy(np.stack([w_avg, guide.latent(w_avg, point)])))
            patches = clip.patches(pair)
        ways.append((np.sqrt(np.square(point.latent).mean()), float((patches[0] * patches[1]).sum(dim=1).mean())))
    (free, free_likeness), (bound, _), (_, kept_likeness) = ways
    assert bound < 0.7 * free
    assert kept_likeness > free_likeness


def test_a_global_direction_raises_the_text_difference_for_other_faces(clip: ClipModel, standin: Path) -> None:
    guide, w_avg = guide_for(clip, standin, prompt="thug", cutouts=2, latent_weight=0.01)
    with load_pack(standin) as pack:
        learn, test = sample_faces(pack, 8, psi=0.7), sample_faces(pack, 16, psi=0.7, seed=9)
    edit, reach = guide.global_edit("a person", learn, lambda: None)
    assert edit.shape == w_avg.shape
    assert reach > 0.0
    difference = (clip.words(["thug"]) - clip.words(["a person"]))[0]
    with torch.no_grad():
        before = clip.pictures(guide.draw(torch.from_numpy(test))) @ difference
        after = clip.pictures(guide.draw(torch.from_numpy(test + edit))) @ difference
    assert float((after - before).mean()) > 0.0


ARGUMENTS = ["--via", "clip", "--steps", "20", "--seeds", "3,4", "--cutouts", "2", "--latent-weight", "0.01"]


def test_the_route_ends_in_a_target_with_its_reasons(standin: Path, tiny_clip: Path, tmp_path: Path) -> None:
    preview = tmp_path / "preview.png"
    more = ["--clip-model", str(tiny_clip), "--pack", str(standin), "--out", str(tmp_path), "--preview", str(preview)]
    assert main(["make", "a nurse", *ARGUMENTS, *more]) == 0
    target = read_target(tmp_path, "nurse")
    known = target.provenance
    assert known.route == "clip"
    assert known.steps == 20
    assert sorted(known.seeds) == [3, 4]
    assert known.models[0].role == "CLIP"
    assert len(known.models[0].sha256) == 64
    assert known.settings["similarity"] > known.settings["similarity_before"]
    assert known.curation["direction.skin_tone"] == 0.0
    assert np.abs(target.edit).max() > 0.0
    with Image.open(preview) as sheet:
        assert sheet.width > 3 * 128


def test_samples_may_be_the_start(standin: Path, tiny_clip: Path, tmp_path: Path) -> None:
    more = ["--clip-model", str(tiny_clip), "--pack", str(standin), "--out", str(tmp_path), "--start", "samples"]
    assert main(["make", "a nurse", *ARGUMENTS, *more]) == 0
    assert np.abs(read_target(tmp_path, "nurse").uncurated).mean() > 0.1


def test_a_run_that_was_cut_off_goes_on_where_it_was(
    standin: Path, tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import engines.targets.guided as guided

    arguments = ["make", "a nurse", *ARGUMENTS, "--clip-model", str(tiny_clip), "--pack", str(standin)]
    assert main([*arguments, "--out", str(tmp_path / "whole")]) == 0
    stored = guided.save_work
    stores = 0

    def pull_the_plug(*args: object) -> None:
        nonlocal stores
        stored(*args)
        stores += 1
        if stores == 4:  # seed 3 is done, seed 4 is half way
            raise KeyboardInterrupt

    monkeypatch.setattr(guided, "save_work", pull_the_plug)
    with pytest.raises(KeyboardInterrupt):
        main([*arguments, "--out", str(tmp_path / "cut")])
    assert list_targets(tmp_path / "cut") == ()
    monkeypatch.undo()

    taken: list[tuple[int, int]] = []
    optimise = Guide.optimise

    def watch(self: Guide, start: np.ndarray, seed: int, *, resume: Point | None = None, every_step):
        taken.append((seed, resume.step if resume else 0))
        return optimise(self, start, seed, resume=resume, every_step=every_step)

    monkeypatch.setattr(Guide, "optimise", watch)
    assert main([*arguments, "--out", str(tmp_path / "cut")]) == 0
    assert taken == [(4, 10)]
    whole, cut = read_target(tmp_path / "whole", "nurse"), read_target(tmp_path / "cut", "nurse")
    np.testing.assert_array_equal(whole.w_plus, cut.w_plus)
    assert dataclasses.replace(whole.provenance, date="") == dataclasses.replace(cut.provenance, date="")


def test_a_folder_that_is_no_clip(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"holds no \.safetensors"):
        ClipModel(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(EngineError, match="is not a CLIP model"):
        ClipModel(str(tmp_path))
