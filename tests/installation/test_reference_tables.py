"""The page of the config says what the code says."""

from installation.config import Config
from installation.reference_tables import CONFIG_PAGE, config_page


def test_the_page_in_docs_is_the_one_the_code_makes():
    assert CONFIG_PAGE.read_text("utf-8") == config_page(), "run: make docs"


def test_every_key_has_a_row():
    page = config_page()
    for name, field in Config.model_fields.items():
        assert f"## [{name}]" in page
        for key in field.annotation.model_fields:
            assert f"| `{key}` |" in page
