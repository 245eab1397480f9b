"""config.toml: empty is valid, every problem is told at once, every key explains itself."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from installation.config import Config, check_config, load_config
from installation.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


def test_an_empty_file_is_a_valid_one(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("")
    assert load_config(path) == Config() == load_config(None)


def test_the_file_that_ships_is_valid():
    load_config(ROOT / "config.toml")


def test_three_mistakes_are_told_in_three_lines_by_key(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("[camera]\nfps = 0\nwidht = 640\n[display]\nrotation = 45\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert any("[camera] fps = 0.0: " in line and "greater than or equal to 1" in line for line in lines) or any(
        "[camera] fps = 0: " in line for line in lines
    )
    assert any("[camera] widht: is not a known key" in line for line in lines)
    assert any("[display] rotation = 45" in line for line in lines)
    assert all(str(path) in line for line in lines)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[camera\n", "not valid TOML"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"#" * (1 << 20) + b"#", "larger than"),
    ],
)
def test_a_file_that_is_no_config_gets_one_sentence(tmp_path, content, expected):
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=expected):
        load_config(path)


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match="start without --config"):
        load_config(tmp_path / "none.toml")


def fields_of(model):
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from ((f"{name}.{key}", inner) for key, inner in fields_of(field.annotation))
        else:
            yield name, field


@pytest.mark.parametrize(("key", "field"), [pytest.param(k, f, id=k) for k, f in fields_of(Config)])
def test_every_key_explains_itself(key, field):
    assert field.description, f"{key} has no description"
    assert field.description.endswith("."), f"{key}: the description is no sentence"


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.integers(), min_size=1, max_size=5))
def test_every_unknown_key_gets_a_line_of_its_own(section):
    with pytest.raises(ConfigError) as caught:
        check_config({"faces": {f"no_{key}": value for key, value in section.items()}}, "x")
    assert str(caught.value).count("is not a known key") == len(section)
