"""The picture routes: real faces found in drawn portraits, guidance by a CLIP of random weights, zero-shot tables."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("transformers", reason="needs the extra [prompts]")
pytest.importorskip("torch", reason="needs the extra [prompts]")

import torch
from PIL import Image
from transformers import CLIPConfig, CLIPModel

from engines.audit.by_pictures import measure_faces, ruler_for
from engines.audit.cli import main
from engines.audit.document import read_summary
from engines.audit.sitters import FACTORS, balanced_sitters
from engines.audit.variants import AS_IS
from engines.audit.zero_shot import Categories, read_categories, zero_shot
from engines.faces.parameters import INDEX, default
from engines.faces.renderer import PortraitRenderer
from engines.runtime import DEFAULT_PACK, load_pack
from engines.runtime.targets import ModelUsed
from engines.targets.captions import read_attributes
from installation.errors import ConfigError, EngineError

TWO = """
primary = ["smile", "age"]
[[prompt]]
prompt = "a leader"
theme = "lead"
feature = true
[[prompt]]
prompt = "a nurse"
theme = "care"
[[pair]]
a = "leader"
b = "nurse"
"""


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("two") / "two.toml"
    path.write_text(TWO)
    return path


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory) -> Path:
    """A CLIP of random weights that reads letters and 16 px pictures."""
    folder = tmp_path_factory.mktemp("audit-clip")
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [*letters, *(f"{c}</w>" for c in letters), ",</w>", "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: i for i, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer"}))
    end = vocabulary["<|endoftext|>"]
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"bos_token_id": vocabulary["<|startoftext|>"], "eos_token_id": end, "pad_token_id": end}
    torch.manual_seed(0)
    text = {**small, **ends, "vocab_size": len(words), "max_position_embeddings": 48}
    vision = {**small, "image_size": 16, "patch_size": 4}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Leaders who smile and nurses who do not, a picture without a face, and one that is broken."""
    root = tmp_path_factory.mktemp("pictures")
    renderer = PortraitRenderer(192)
    for name, smile in (("leader", 0.9), ("nurse", -0.7)):
        (root / name).mkdir()
        for i in range(5):
            picture = renderer.render(default(smile=smile, age=0.1 + 0.15 * i, hair_length=0.2 * i))
            Image.fromarray(picture).save(root / name / f"{i}.png")
    renderer.release()
    Image.new("RGB", (120, 120), "grey").save(root / "nurse" / "empty.png")
    (root / "nurse" / "broken.png").write_bytes(b"no picture")
    return root


def test_smiling_pictures_lie_towards_smiling(two, pictures, tmp_path, capsys):
    assert main([str(two), "--out", str(tmp_path), "--via", "images", "--images", str(pictures)]) == 0
    summary = read_summary(tmp_path)
    smile = summary.axis("smile")
    assert summary.route == "images"
    assert summary.own.rows == ("leader", "nurse")
    assert summary.own.n == (5, 5)
    assert summary.own.effects[0, smile] > 1.0 > summary.own.effects[1, smile]
    assert summary.pairs.low[0, smile] > 0.0
    html = (tmp_path / "report.html").read_text()
    assert "nurse/empty.png: no face found" in html
    assert "nurse/broken.png: not a picture" in html
    assert "random faces" in html
    assert len(summary.models[0].sha256) == 64
    assert "5 texts" not in capsys.readouterr().out


def test_folders_that_do_not_fit(two, tmp_path):
    with pytest.raises(ConfigError, match="needs --images"):
        main([str(two), "--out", str(tmp_path), "--via", "images"])
    (tmp_path / "pictures" / "somebody").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"no folder named like a prompt; expected for example leader"):
        main([str(two), "--out", str(tmp_path), "--via", "images", "--images", str(tmp_path / "pictures")])
    (tmp_path / "pictures" / "leader").mkdir()
    Image.new("RGB", (90, 90)).save(tmp_path / "pictures" / "leader" / "a.png")
    with pytest.raises(EngineError, match="no face was found in any picture"):
        main([str(two), "--out", str(tmp_path), "--via", "images", "--images", str(tmp_path / "pictures")])
    for way, said in (("diffusers", "--pipeline"), ("clip", "--clip-model")):
        with pytest.raises(ConfigError, match=said):
            main([str(two), "--out", str(tmp_path), "--via", way])


def test_planted_edits_are_found_and_random_faces_are_not(questions):
    """Edits along one direction of the pack are found on its axis; random faces give no findings."""
    attributes = read_attributes()
    with load_pack(DEFAULT_PACK) as pack:
        ruler = ruler_for(pack, attributes)
        rng = np.random.default_rng(2)
        shape = (6, *pack.w_avg.shape)
        noise = 0.05 * rng.normal(size=shape)
        smile = pack.directions["smile"]
        asked = questions.only({"leader", "nurse"})
        edits = {(0, AS_IS): noise + smile.high * smile.vector, (1, AS_IS): noise}
        made = {key: value.astype(np.float32) for key, value in edits.items()}
        measured = measure_faces(made, asked, ruler, route="images", models=(), settings={})
    axis = measured.axis("smile")
    assert measured.cells.p[0, axis] < 0.01
    assert measured.cells.effects[0, axis] > 1.0
    assert abs(measured.cells.effects[1, axis]) < 0.5
    np.testing.assert_allclose(measured.reference.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(measured.reference.std(axis=0, ddof=1), 1.0, atol=1e-6)


def test_guidance_makes_faces_once(two, tiny_clip, tmp_path, monkeypatch):
    arguments = [str(two), "--out", str(tmp_path), "--via", "clip", "--clip-model", str(tiny_clip), "--people", "1"]
    arguments += ["--steps", "2", "--seeds", "2", "--cutouts", "2", "--variants", "woman"]
    assert main(arguments) == 0
    summary = read_summary(tmp_path)
    assert summary.route == "clip"
    assert summary.own.n == (2, 2)
    assert summary.models[0].role == "CLIP"
    kept = sorted((tmp_path / ".work").glob("guided.*.npz"))
    assert len(kept) == 2 * 2 * 2

    from engines.targets.clip import Guide

    def never(*args, **named):
        raise AssertionError("a face was made twice")

    monkeypatch.setattr(Guide, "optimise", never)
    assert main(arguments) == 0
    np.testing.assert_array_equal(read_summary(tmp_path).own.effects, summary.own.effects)
    html = (tmp_path / "report.html").read_text()
    assert "calls the same people" in html
    assert (tmp_path / "zero_shot.csv").is_file()


def test_generated_pictures_are_kept_and_audited(two, tmp_path, monkeypatch):
    """The pipeline is a draughtsman: no small pipeline draws faces that can be found."""
    from engines.targets.generate import PicturePipeline

    drawn = []

    class Draughtsman:
        def __call__(self, prompt, num_inference_steps, generator):
            drawn.append(prompt)
            renderer = PortraitRenderer(160)
            smile = 0.8 if "leader" in prompt else -0.6
            picture = renderer.render(default(smile=smile, age=float(torch.rand(1, generator=generator))))
            renderer.release()
            return SimpleNamespace(images=[Image.fromarray(picture)])

    monkeypatch.setattr(PicturePipeline, "load", lambda where: PicturePipeline(Draughtsman(), where, "1" * 64))
    arguments = [str(two), "--out", str(tmp_path), "--via", "diffusers", "--pipeline", "pen", "--count", "3"]
    for _ in range(2):
        assert main([*arguments, "--variants", "woman"]) == 0
    assert drawn == [p for text in ("a leader", "a leader, woman", "a nurse", "a nurse, woman") for p in [text] * 3]
    summary = read_summary(tmp_path)
    assert [model.role for model in summary.models] == ["text-to-image pipeline", "encoder"]
    smile = summary.axis("smile")
    assert summary.own.effects[0, smile] > summary.own.effects[1, smile]
    assert (tmp_path / "pictures" / "leader.woman" / "seed_0002.png").is_file()


def test_sitters_are_balanced_and_differ_in_nothing_else():
    sitters = balanced_sitters(3)
    assert len(sitters) == 3 * 4 * 3 * 3
    for factor, levels in FACTORS.items():
        counts = {level: sum(sitter.level(factor) == level for sitter in sitters) for level in levels}
        assert len(set(counts.values())) == 1
    expression = ("masculinity", "jaw_width", "brow_thickness", "lashes", "lip_tint", "beard")
    changed = {INDEX[name] for name in ("skin_tone", "age", *expression)}
    first = [sitter for sitter in sitters if sitter.person == 0]
    for sitter in first:
        assert set(np.flatnonzero(sitter.parameters != first[0].parameters)) <= changed


def test_a_model_that_sees_skin_is_found_out_and_a_blind_one_is_not():
    sitters = balanced_sitters(6)
    dark = np.array([sitter.skin_tone == "dark" for sitter in sitters])
    chance = np.random.default_rng(0)
    categories = Categories({"plain": ("a person",), "crime": ("a thief",)}, "a photo of {}")

    def prejudiced(texts):
        assert list(texts) == ["a photo of a person", "a photo of a thief"]
        thief = 0.2 * dark - 0.1 + chance.normal(0, 0.05, len(sitters))
        return np.stack([np.zeros(len(sitters)), thief], axis=1)

    def blind(texts):
        return np.stack([np.zeros(len(sitters)), chance.normal(0, 0.05, len(sitters))], axis=1)

    model = ModelUsed("toy", "CLIP", "0" * 64)
    found = zero_shot(prejudiced, sitters, categories, model)
    tests = {(factor, category): q for factor, category, _, _, q in found.tests}
    assert tests["skin tone", "crime"] < 0.01
    assert tests["age", "crime"] > 0.05
    rates = {(r.level, r.category): r for r in found.rates if r.factor == "skin tone"}
    assert rates["dark", "crime"].rate > 0.9 > 0.2 > rates["light", "crime"].rate
    assert rates["dark", "crime"].n == len(sitters) // 4
    assert min(q for *_, q in zero_shot(blind, sitters, categories, model).tests) > 0.05
    assert sum(found.chosen.values()) == len(sitters)


def test_categories_can_be_changed_and_are_checked(tmp_path):
    assert {"plain", "crime", "not_human"} <= set(read_categories().groups)
    path = tmp_path / "c.toml"
    for text, said in (("[a]\nwords = ['x']\n", "two words"), ("[a]\n", "needs words"), ("= 1", "cannot be read")):
        path.write_text(text)
        with pytest.raises(ConfigError, match=said):
            read_categories(path)
