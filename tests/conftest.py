"""What all tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))  # for chromium.py and ports.py

# A busy machine is no failure. On a CI the examples are always the same ones, so that a red run can be repeated.
settings.register_profile("mirror", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("mirror")
