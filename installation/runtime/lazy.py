"""Run a function that is named by a string: so that naming it imports nothing, here or in the supervisor."""

from __future__ import annotations

import importlib
from typing import Any


def call(where: str, *args: Any, **keywords: Any) -> Any:
    """Call `"package.module:function"`. Only for names written in our own code."""
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(module), name)(*args, **keywords)
