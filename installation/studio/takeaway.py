"""What a page may take home: a picture, the series, a film. Made in memory; the browser saves it, the studio does not.

Each is made by a generator that rests after every picture, so that the easel can answer sliders in between, and
says what part of it is done. Everything is marked as synthetic in its metadata.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping

import numpy as np

from installation.config import Config
from installation.core.control import ROOT, Value
from installation.display.pictures import png_bytes
from installation.errors import PhotographError
from installation.studio import plates
from installation.studio.canvas import Canvas
from installation.studio.film import Mp4, way
from installation.studio.menu import look_of
from installation.studio.networks import Networks
from installation.studio.session import Keep, Session

PICTURE_PX = 1024
_TELL_EVERY = 5  # frames


class Takeaway:
    """Makes things to take home. Used by the easel's thread."""

    def __init__(self, networks: Networks, config: Config, canvas: Canvas) -> None:
        self._networks = networks
        self._canvas = canvas
        self._type = config.captions
        self._captions = {name: target.caption for name, target in networks.pack.targets.items()}

    def make(self, session: Session, wish: Keep) -> Iterator[None]:
        """Make what was asked for, resting after each picture; it is told to the session at the end.

        Raises:
            PhotographError: If nobody sits for the session.
        """
        if session.w_plus is None:
            raise PhotographError("nobody sits for this page yet; bring a photograph")
        makers = {"picture": self._picture, "series": self._series, "film": self._film}
        return makers[wish.kind](session, wish)

    def _picture(self, session: Session, wish: Keep) -> Iterator[None]:
        assert session.w_plus is not None
        image = self._networks.drawn(self._networks.morphed(session.w_plus, wish.values)[None], wish.values)
        made = self._canvas.still(image, look_of(wish.values), wish.values, side=max(PICTURE_PX, self._canvas.side))
        session.tell("kept", png_bytes(made), number=wish.number, name="portrait.png", type="image/png")
        yield

    def _series(self, session: Session, wish: Keep) -> Iterator[None]:
        """One picture for each target of the series; the weights of the targets do not count, all else does."""
        assert session.w_plus is not None
        images = self._networks.drawn(self._networks.morphed_each(session.w_plus, wish.values), wish.values).copy()
        yield
        captions = [self._captions[name] for name in self._networks.series_names]
        pictures = [self._canvas.still(image[None], look_of(wish.values), wish.values) for image in images]
        made = plates.series(pictures, captions, self._type)
        session.tell("kept", png_bytes(made), number=wish.number, name="series.png", type="image/png")

    def _film(self, session: Session, wish: Keep) -> Iterator[None]:
        """From the reflection to the morph and back, with whatever moves in the look moving."""
        assert session.w_plus is not None
        start = session.w_plus.copy()
        end = self._networks.morphed(start, wish.values)
        caption = self._caption(wish.values)
        blank = plates.single(np.zeros((self._canvas.side,) * 2 + (3,), np.uint8), caption, self._type)
        parts = way(back=True)
        buffer = io.BytesIO()
        with self._canvas.apart() as canvas, Mp4(buffer) as film:
            for index, part in enumerate(parts):
                w_plus = start + np.float32(part) * (end - start)
                images = self._networks.drawn(w_plus[None], wish.values)
                film.add(plates.frame(blank, canvas.frame(images, look_of(wish.values), wish.values, index)))
                if index % _TELL_EVERY == 0:
                    session.tell("progress", number=wish.number, part=index / len(parts))
                yield
        session.tell("kept", buffer.getvalue(), number=wish.number, name="film.mp4", type="video/mp4")

    def _caption(self, values: Mapping[str, Value]) -> str:
        """The word of the target that weighs most, or nothing."""
        weights = {name: float(values.get(f"{ROOT}/morph/{name}", 0.0)) for name in self._captions}
        strongest = max(weights, key=lambda name: weights[name], default="")
        return self._captions[strongest] if weights.get(strongest, 0.0) > 0.0 else ""
