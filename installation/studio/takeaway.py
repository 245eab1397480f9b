"""What a page may take home: a picture, the series, a film. Made in memory; the browser saves it, the studio does not.

Each is made by a generator that rests after every picture, so that the easel can answer sliders in between, and
says what part of it is done. Everything is marked as synthetic in its metadata.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import av
import numpy as np

from installation.config import Config
from installation.core.controls import ROOT, Value
from installation.display.pictures import SYNTHETIC_NOTE, png_bytes
from installation.errors import PhotographError
from installation.studio.canvas import FILM_FPS, Canvas
from installation.studio.menu import look_of
from installation.studio.networks import Networks
from installation.studio.session import Keep, Session

PICTURE_PX = 1024
REST_S, MORPH_S = 0.6, 2.4
"""A film shows the reflection, goes to the morph and rests there, and comes back the way it went."""

_TELL_EVERY = 5  # frames
_QUALITY = "18"


class Takeaway:
    """Makes things to take home. Used by the easel's thread."""

    def __init__(self, networks: Networks, config: Config, canvas: Canvas) -> None:
        self._networks = networks
        self._canvas = canvas
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
        made = self._canvas.series(images, captions, look_of(wish.values), wish.values)
        session.tell("kept", png_bytes(made), number=wish.number, name="series.png", type="image/png")

    def _film(self, session: Session, wish: Keep) -> Iterator[None]:
        """From the reflection to the morph and back, with whatever moves in the look moving."""
        assert session.w_plus is not None
        start = session.w_plus.copy()
        end = self._networks.morphed(start, wish.values)
        caption = self._caption(wish.values)
        way = _way(REST_S, MORPH_S)
        buffer = io.BytesIO()
        with av.open(buffer, "w", format="mp4") as container:
            container.metadata["comment"] = SYNTHETIC_NOTE
            stream: Any = None
            for index, part in enumerate(way):
                w_plus = start + np.float32(part) * (end - start)
                images = self._networks.drawn(w_plus[None], wish.values)
                rgb = self._canvas.frame(images, caption, look_of(wish.values), wish.values, index)
                if stream is None:
                    stream = _stream(container, rgb.shape[1], rgb.shape[0])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
                if index % _TELL_EVERY == 0:
                    session.tell("progress", number=wish.number, part=index / len(way))
                yield
            container.mux(stream.encode(None))
        self._canvas.forget()
        session.tell("kept", buffer.getvalue(), number=wish.number, name="film.mp4", type="video/mp4")

    def _caption(self, values: Mapping[str, Value]) -> str:
        """The word of the target that weighs most, or nothing."""
        weights = {name: float(values.get(f"{ROOT}/morph/{name}", 0.0)) for name in self._captions}
        strongest = max(weights, key=lambda name: weights[name], default="")
        return self._captions[strongest] if weights.get(strongest, 0.0) > 0.0 else ""


def _way(rest_s: float, morph_s: float) -> np.ndarray[Any, Any]:
    """Parts 0..1 of the way, one a frame: rest, there, rest, back; eased like everything that moves here."""
    rest, moving = round(rest_s * FILM_FPS), round(morph_s * FILM_FPS)
    x = np.linspace(0.0, 1.0, moving)
    there = x * x * (3.0 - 2.0 * x)
    return np.concatenate([np.zeros(rest), there, np.ones(rest * 2), there[::-1], np.zeros(rest)])


def _stream(container: Any, width: int, height: int) -> Any:
    stream = container.add_stream("libx264", rate=Fraction(FILM_FPS))
    stream.width, stream.height = width, height
    stream.pix_fmt = "yuv420p"
    stream.codec_context.thread_count = 1
    stream.codec_context.options = {"crf": _QUALITY, "preset": "veryfast"}
    return stream
