"""The performer's page says what the code does."""

from __future__ import annotations

import re
import tomllib

import pytest

from installation.core.controls import control_table
from installation.devices import performer_page
from installation.devices.instrument_config import AudioConfig, MappingsConfig, MidiConfig, OscConfig
from installation.devices.mapping_player import build_engine


def test_the_tables_are_up_to_date() -> None:
    assert performer_page.main(["--check"]) == 0, "run: python -m installation.devices.performer_page"


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="needs the lines"):
        performer_page.write_tables("# A page")


def test_every_address_in_the_text_exists() -> None:
    table = control_table(("strength", "TARGET"), ("smile", "DIRECTION"), looks=("LOOK",), styles=("oil", "STYLE"))
    text = performer_page.PAGE.read_text()
    for address in set(re.findall(r"/mirror/[a-z_/<>A-Z]+", text)):
        assert address in table or table.find(address) is not None, address


def test_every_example_of_configuration_is_valid() -> None:
    table = control_table(("strength",), ("smile",))
    blocks = re.findall(r"```toml\n(.*?)```", performer_page.PAGE.read_text(), re.DOTALL)
    sections = {"osc": OscConfig, "audio": AudioConfig, "midi": MidiConfig, "mappings": MappingsConfig}
    seen = set()
    for block in blocks:
        for name, section in tomllib.loads(block).items():
            if name in sections:
                config = sections[name].model_validate(section)
                seen.add(name)
                if isinstance(config, MappingsConfig):
                    build_engine(config, table)
    assert seen == set(sections)
