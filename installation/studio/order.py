"""What is asked of the studio for a photograph: plain values that travel to any worker and name the result."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields

from engines.runtime import Pack
from engines.runtime.targets import Target
from installation.config import Config
from installation.core.controls import MORPH_MODES
from installation.display.looks import PLAIN
from installation.errors import ConfigError
from installation.studio.menu import series_names

PRODUCTS = ("series", "midway", "films", "mix", "features", "origin")
"""What may be made, in the order in which it is."""

FORMAT = 1
"""Of what is written; a new one makes finished portraits be made again."""

SIDES = (128, 2048)


@dataclass(frozen=True, slots=True)
class Order:
    """One order, the same for all photographs of a batch.

    Attributes:
        pack: Folder of the model pack.
        config: The show's configuration as JSON.
        targets: Names, in the order of the series; empty for the configured five.
        products: Of `PRODUCTS`.
        mode: "edit" or "replace", how a morph goes; empty for the configured one.
        amounts: (target, 0..1): the artist's own choice in place of the proposed midway; "" is every other target.
        policy: Whom to choose among several faces.
        every: All faces.
        look: Name of a look.
        side: Of a single picture, pixels.
        origins: Folder of the pictures that targets came from; empty for the pack's own.
        texture: 0..1, how much of an origin's texture is brought back; 0 brings back its colours alone.
        refine: Whether the encoder's answer is refined.
    """

    pack: str
    config: str = "{}"
    targets: tuple[str, ...] = ()
    products: tuple[str, ...] = PRODUCTS
    mode: str = ""
    amounts: tuple[tuple[str, float], ...] = ()
    policy: str = "largest"
    every: bool = False
    look: str = PLAIN
    side: int = 512
    origins: str = ""
    texture: float = 0.5
    refine: bool = True

    def settings(self) -> Config:
        """The configuration."""
        return Config.model_validate_json(self.config)

    def fingerprint(self, pack: Pack) -> str:
        """Name everything that a result depends on beside the photograph."""
        said = {field.name: value for field, value in zip(fields(self), asdict(self).values(), strict=True)}
        said.pop("pack")  # where it lies does not matter, what it holds does
        targets = {name: target_record(pack.targets[name]) for name in self.targets_on(pack)}
        whole = [FORMAT, said, dict(pack.manifest.files), targets]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()

    def targets_on(self, pack: Pack) -> tuple[str, ...]:
        """Names of the targets on a pack.

        Raises:
            ConfigError: If the pack has not all of them, or none.
        """
        names = self.targets or series_names(pack, self.settings())
        asked = (*names, *(name for name, _ in self.amounts if name))
        if missing := [name for name in asked if name not in pack.targets]:
            raise ConfigError(
                f"the pack {pack.name!r} has no target {', '.join(missing)}; `mirror targets list` shows those it has"
            )
        if not names:
            raise ConfigError(f"the pack {pack.name!r} has no targets; make some: mirror targets make")
        return names

    def choice(self, target: str) -> float | None:
        """The artist's own blend for a target; None where the proposal counts."""
        amounts = dict(self.amounts)
        return amounts.get(target, amounts.get(""))

    def check(self) -> None:
        """Find what is wrong with an order before any work begins.

        Raises:
            ConfigError: With a sentence.
        """
        if unknown := [name for name in self.products if name not in PRODUCTS]:
            raise ConfigError(f"there is no product {', '.join(unknown)}; choose of {', '.join(PRODUCTS)}")
        if self.mode and self.mode not in MORPH_MODES:
            raise ConfigError(f"there is no morph mode {self.mode!r}; choose of {', '.join(MORPH_MODES)}")
        if not SIDES[0] <= self.side <= SIDES[1]:
            raise ConfigError(f"pictures of {self.side} pixels are not made; choose {SIDES[0]} to {SIDES[1]}")
        for name, value in (*self.amounts, ("--texture", self.texture)):
            if not 0.0 <= value <= 1.0:
                raise ConfigError(f"{name or '--amount'} = {value:g}: must be between 0 and 1")


def target_record(target: Target) -> dict[str, object]:
    """What a portrait says about a target: words, models, and a hash of the latent."""
    return {
        "caption": target.caption,
        "prompt": target.provenance.prompt,
        "route": target.provenance.route,
        "models": [{"name": used.name, "role": used.role, "sha256": used.sha256} for used in target.provenance.models],
        "w_plus_sha256": hashlib.sha256(target.w_plus.astype("<f4").tobytes()).hexdigest(),
    }
