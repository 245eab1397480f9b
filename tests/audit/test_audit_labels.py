"""Labels on disk: added, taken back, never overwritten; and how far two labellers agree."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.audit.labels import add_label, label_file, read_labelling, read_labels
from engines.runtime.targets import LABELS
from installation.errors import ConfigError, EngineError


def test_labels_are_added_and_the_last_one_counts(tmp_path):
    path = label_file(tmp_path, "Ada L.")
    add_label(path, "nurse.as_is.png", LABELS[4])
    before = path.read_bytes()
    add_label(path, "boss.as_is.png", LABELS[0])
    add_label(path, "nurse.as_is.png", LABELS[3])
    assert path.read_bytes().startswith(before)
    assert read_labels(path) == {"nurse.as_is.png": LABELS[3], "boss.as_is.png": LABELS[0]}
    add_label(path, "boss.as_is.png", "")
    assert read_labels(path) == {"nurse.as_is.png": LABELS[3]}
    assert len(tomllib.loads(path.read_text())["label"]) == 4


@given(st.lists(st.tuples(st.text(min_size=1, max_size=12), st.sampled_from([*LABELS, ""])), max_size=12))
def test_whatever_a_picture_is_called(tmp_path_factory, entries):
    path = label_file(tmp_path_factory.mktemp("labels"), "a")
    wanted = {}
    for picture, label in entries:
        add_label(path, picture, label)
        wanted[picture] = label
    assert read_labels(path) == {picture: label for picture, label in wanted.items() if label}


def test_two_labellers_agree_as_far_as_they_do(tmp_path):
    assert read_labelling(tmp_path) is None
    for i in range(20):
        add_label(label_file(tmp_path, "one"), f"{i}.png", LABELS[i % 2])
        add_label(label_file(tmp_path, "two"), f"{i}.png", LABELS[i % 2 if i < 15 else 2])
    add_label(label_file(tmp_path, "two"), "only two saw this.png", LABELS[0])
    labelling = read_labelling(tmp_path)
    (agreement,) = labelling.agreements
    assert (agreement.a, agreement.b, agreement.n) == ("one", "two", 20)
    # 15 of 20 alike; by chance (10 * 8 + 10 * 7) / 400 = 0.375: (0.75 - 0.375) / 0.625
    assert agreement.kappa == pytest.approx(0.6)
    assert agreement.low < 0.6 < agreement.high
    assert agreement.table[0] == (8, 0, 2, 0, 0)
    assert labelling.to_json()["agreement"][0]["kappa"] == 0.6


def test_one_label_throughout_gives_no_kappa_and_no_nan_in_json(tmp_path):
    for who in ("one", "two"):
        add_label(label_file(tmp_path, who), "a.png", LABELS[2])
    (agreement,) = read_labelling(tmp_path).agreements
    assert agreement.kappa != agreement.kappa
    assert read_labelling(tmp_path).to_json()["agreement"][0]["kappa"] is None


def test_what_is_no_label_is_refused(tmp_path):
    path = label_file(tmp_path, "one")
    with pytest.raises(ConfigError, match="'strong' is not a label; choose one of: dominantly masculine"):
        add_label(path, "a.png", "strong")
    assert not path.exists()
    path.parent.mkdir()
    path.write_text('[[label]]\npicture = "a.png"\nlabel = "strong"\n')
    with pytest.raises(ConfigError, match="'strong' is not one of"):
        read_labels(path)
    path.write_text("half a fi")
    with pytest.raises(ConfigError, match="is not a file of labels"):
        read_labelling(tmp_path)
    for name in ("", "../x", "a/b", "x" * 41):
        with pytest.raises(ConfigError, match="needs 1 to 40"):
            label_file(tmp_path, name)


def test_a_disk_that_refuses(tmp_path):
    (tmp_path / "labels").write_text("a file where the folder should be")
    with pytest.raises(EngineError, match="could not be added to"):
        add_label(label_file(tmp_path, "one"), "a.png", LABELS[0])
