"""Photographs that the procedural portrait made, and a studio that is served for real."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))  # for studio_client.py and the like

from studio_served import Served


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    """Three photographs: one person, another, and both side by side."""
    from engines.faces.renderer import PortraitRenderer
    from engines.faces.sampler import sample
    from engines.faces.visitor import PERSON

    folder = tmp_path_factory.mktemp("people")
    renderer = PortraitRenderer(512)
    one, other = (renderer.render(who) for who in (PERSON, sample(np.random.default_rng(5))))
    renderer.release()
    pictures = {"one.jpg": one, "other.png": other, "two.png": np.concatenate([one, other], axis=1)}
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(folder / name, quality=95)
    return folder


@pytest.fixture(scope="module")
def studio():
    for package in ("uvicorn", "starlette", "websockets"):
        pytest.importorskip(package, reason="the extra 'docent' is not installed")
    served = Served("--port", "0")
    yield served
    served.close()


@pytest.fixture(scope="module")
def desk():
    """A page on a laptop's screen."""
    from chromium import Browser, find_browser

    browser = Browser(find_browser(), size=(1440, 900), mobile=False)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def phone():
    """A page on a phone's screen, with a finger."""
    from chromium import Browser, find_browser

    browser = Browser(find_browser())
    browser.call("Emulation.setTouchEmulationEnabled", enabled=True)
    yield browser
    browser.close()
