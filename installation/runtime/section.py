"""The base of every section of `config.toml`: typed, frozen, unknown keys refused.

Each part keeps its own section beside its code and receives nothing else; `installation/config.py`
puts them together. Every field carries bounds, and a description with its unit: both the error
messages and `docs/CONFIG.md` are made from them.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One table of `config.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)
