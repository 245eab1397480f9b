"""The products of one sitter: series, midway, films, style mixes, features, and the hand of a target's origin.

Each method makes one product, saves its files, and returns the numbers behind it for `portrait.json`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from installation.core.latents import style_mix
from installation.core.midway import Midway, find_midway
from installation.display.pictures import save_png
from installation.studio.film import Mp4, way, write_gif
from installation.studio.origin import in_colours_of
from installation.studio.plates import Row, frame, grid, series, single
from installation.studio.sitter import Sitter
from installation.studio.workplace import Pixels, Workplace

MIDWAY_STEPS = 11
FEATURE_STEPS = 7
MIX_COLUMNS = 9
TILE = 0.375
"""Side of a picture on a sheet of many, as a part of a single one's."""

Files = dict[str, str]
"""Path inside the portrait's folder -> sha256."""


class Painter:
    """Makes each product of one sitter in a folder, and remembers the files."""

    def __init__(self, place: Workplace, sitter: Sitter, folder: Path) -> None:
        self._place = place
        self._who = sitter
        self._type = place.config.captions
        self._folder = folder
        self._tile = max(round(place.order.side * TILE), 64)
        self._ways: dict[str, Midway] = {}
        self.files: Files = {}

    def reflection(self) -> None:
        """The sitter as the model draws them, unchanged."""
        self._save("reflection.png", self._place.draw(self._who.w_plus[None])[0])

    def series(self) -> dict[str, Any]:
        """The five as one captioned picture and singly, each morphed the whole way."""
        latents = np.concatenate([self._place.toward(self._who.w_plus, name, [1.0]) for name in self._place.names])
        self._hang("series", self._place.draw(latents))
        return {"amounts": dict.fromkeys(self._place.names, 1.0)}

    def midway(self) -> dict[str, Any]:
        """The same at the blend where visitor and target balance, or where the artist wants it."""
        chosen = {name: self._place.order.choice(name) for name in self._place.names}
        amounts = {name: self._way(name).amount if own is None else own for name, own in chosen.items()}
        latents = [self._place.toward(self._who.w_plus, name, [amount])[0] for name, amount in amounts.items()]
        notes = [f"{amount:.2f}{' midway' if chosen[name] is None else ''}" for name, amount in amounts.items()]
        self._hang("midway", self._place.draw(np.asarray(latents, np.float32)), notes)
        return {name: self._midway_record(name, amounts[name], chosen[name] is not None) for name in chosen}

    def films(self) -> dict[str, Any]:
        """From the reflection to each target."""
        place, parts = self._place, way()
        moving = np.flatnonzero(np.diff(parts, prepend=-1.0) > 0.0)
        for number, name in enumerate(place.names, 1):
            images = place.pack.synthesize(place.toward(self._who.w_plus, name, parts[moving].tolist()))
            which = np.maximum(np.searchsorted(moving, np.arange(len(parts)), side="right") - 1, 0)
            blank = single(np.zeros((place.order.side,) * 2 + (3,), np.uint8), place.captions[name], self._type)
            frames = [
                frame(blank, place.canvas.frame(images[k][None], place.order.look, {}, index))
                for index, k in enumerate(which)
            ]
            with Mp4(self._path(f"films/{number}-{name}.mp4")) as film:
                for pixels in frames:
                    film.add(pixels)
            write_gif([frames[index] for index in moving], self._path(f"films/{number}-{name}.gif"))
            self._note(f"films/{number}-{name}.mp4", f"films/{number}-{name}.gif")
        return {"frames": len(parts), "amounts": np.round(parts, 6).tolist()}

    def mix(self) -> dict[str, Any]:
        """A ladder of cuts: from which row of W+ on the layers are the target's."""
        place, num_ws = self._place, self._place.pack.num_ws
        cuts = ladder(num_ws, [start for start, _ in place.pack.bands.values()])
        rows = []
        for name in place.names:
            donor = place.pack.targets[name].w_plus
            latents = [style_mix(self._who.w_plus, donor, (cut, num_ws)) for cut in cuts]
            rows.append(Row(place.draw(np.asarray(latents, np.float32), self._tile), left=place.captions[name]))
        heads = ["visitor", *(_layers(cut, num_ws) for cut in cuts[1:-1]), "target"]
        self._save("style-mix.png", grid(rows, heads, self._type, title="layers from the target"))
        return {"cuts": cuts}

    def features(self) -> dict[str, Any]:
        """Each of the fifteen features from its low to its high end."""
        rows, ranges = [], {}
        for axis in self._place.features:
            values = np.linspace(axis["low"], axis["high"], FEATURE_STEPS).tolist()
            latents = self._place.along(self._who.w_plus, axis["address"], values)
            rows.append(Row(self._place.draw(latents, self._tile), axis["low_word"], axis["high_word"], axis["label"]))
            ranges[axis["label"]] = values
        if rows:
            self._save("features.png", grid(rows, (), self._type, title="fifteen features"))
        return ranges

    def origin(self) -> dict[str, Any]:
        """The series in the colours, and the texture, of the pictures that its targets came from."""
        place, strength = self._place, self._place.order.texture
        pictures: list[Pixels] = []
        said: dict[str, Any] = {}
        for name in place.names:
            found = place.origin_of(name)
            if found is None:
                continue
            path, picture = found
            image = place.pack.synthesize(place.toward(self._who.w_plus, name, [1.0]))[0]
            if strength > 0.0:
                image = place.texture.apply(image, picture, strength)
            pictures.append(in_colours_of(place.still(image), picture))
            said[name] = {"picture": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        if pictures:
            self._hang("origin", pictures, names=list(said))
        return said

    def _way(self, name: str) -> Midway:
        if name not in self._ways:
            amounts = np.linspace(0.0, 1.0, MIDWAY_STEPS).tolist()
            latents = self._place.toward(self._who.w_plus, name, amounts)
            images = self._place.pack.synthesize(latents)
            faces = self._place.landmarks_of(images, self._who.crop_landmarks)
            self._ways[name] = find_midway(amounts, latents, faces)
        return self._ways[name]

    def _midway_record(self, name: str, amount: float, chosen: bool) -> dict[str, Any]:
        found = self._way(name)
        seen = [None if np.isnan(share) else float(share) for share in found.landmark_shares]
        return {
            "amount": amount,
            "chosen_by": "artist" if chosen else "balance",
            "proposed": found.amount,
            "share_in_w_plus": found.latent_share,
            "share_in_landmarks": found.landmark_share,
            "landmarks_seen": found.seen,
            "amounts": found.amounts.tolist(),
            "shares_in_w_plus": found.latent_shares.tolist(),
            "shares_in_landmarks": seen,
        }

    def _hang(
        self, kind: str, pictures: Sequence[Pixels], notes: Sequence[str] = (), names: Sequence[str] = ()
    ) -> None:
        """Save pictures of targets as one and singly."""
        names = names or self._place.names
        words = [self._place.captions[name] for name in names]
        self._save(f"{kind}.png", series(pictures, words, self._type, notes))
        for number, (name, picture) in enumerate(zip(names, pictures, strict=True), 1):
            self._save(f"{kind}/{number}-{name}.png", single(picture, self._place.captions[name], self._type))

    def _save(self, name: str, rgb: Pixels) -> None:
        save_png(rgb, self._path(name))
        self._note(name)

    def _path(self, name: str) -> Path:
        path = self._folder / name
        path.parent.mkdir(exist_ok=True)
        return path

    def _note(self, *names: str) -> None:
        for name in names:
            self.files[name] = hashlib.sha256((self._folder / name).read_bytes()).hexdigest()


def ladder(num_ws: int, starts: Sequence[int]) -> list[int]:
    """Rows at which to cut, from the last to row 0: evenly, and wherever a band begins."""
    even = np.rint(np.linspace(0, num_ws, MIX_COLUMNS)).astype(int).tolist()
    extra = [start for start in starts if start not in even]
    for start in extra:  # a band's own cut takes the place of its nearest neighbour, ends excepted
        inner = even[1:-1]
        even[1 + int(np.argmin([abs(cut - start) for cut in inner]))] = start
    return sorted({*even, 0, num_ws}, reverse=True)


def _layers(cut: int, num_ws: int) -> str:
    return f"{cut}" if cut == num_ws - 1 else f"{cut}–{num_ws - 1}"
