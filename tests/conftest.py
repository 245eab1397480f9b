"""What all tests share."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))  # for chromium.py and ports.py

# A busy machine is no failure. The examples are always the same ones, so that a red run can be repeated and a green one
# stays green; whoever hunts for a rare one sets MIRROR_TEST_RANDOM=1.
settings.register_profile("mirror", deadline=None, derandomize=not os.environ.get("MIRROR_TEST_RANDOM"))
settings.load_profile("mirror")

# Programs that tests start are to hear Ctrl-C also where a shell runs the tests in the background, and so ignores it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Let every test draw the same random numbers, whichever tests ran before it."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  for those who draw from the global one
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
