"""The thread that draws for the studio: networks, face finder and GL context belong to it alone.

Flow: a tab's `Session` holds what is wanted (newest of each kind), the easel finds and encodes faces, morphs,
generates, draws through the show's own renderer and looks, and leaves JPEGs in the session's mailbox. Tabs are
served in turn, one request each; a film is drawn frame by frame between the requests, so that sliders stay alive.
"""

from __future__ import annotations

import io
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from installation.config import Config
from installation.devices.cropping import sample_square
from installation.devices.landmarks import FaceFinder
from installation.display.looks import PLAIN
from installation.errors import EngineError, MirrorError, PhotographError
from installation.studio.canvas import Canvas
from installation.studio.menu import Menu, look_of, menu_of, with_style
from installation.studio.networks import Networks
from installation.studio.photograph import read_photograph
from installation.studio.session import Drawing, Keep, OtherFace, Photo, Request, Session, Stranger
from installation.studio.sitter import Sitter, sitters_in
from installation.studio.takeaway import Takeaway

SIDE_PX = 640
"""Side of the page's picture: its largest place on a laptop's screen, and small enough for every look in time."""

QUALITY = 90
_PATIENCE_S = 0.5

DRAFT_FROM_S = 0.08
"""A look that takes longer than this is drawn at half the side while a slider is under a finger: the whole way to the
eye is to stay below 150 ms."""


class Easel(threading.Thread):
    """Draws for every open tab. `start`, then `wait_ready`; `stop` ends it and wipes everything.

    A fault ends the thread; its cause is in `error` (for a person) or in `failure` (a traceback: a bug).

    Args:
        pack: Folder of the model pack.
        config: The whole file: engine, visit, display, captions.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        pack: str,
        config: Config,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name="easel", daemon=True)
        self._folder = pack
        self._config = with_style(config)
        self._clock = clock
        self._news = threading.Event()
        self._ready = threading.Event()
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._sessions: list[Session] = []
        self._films: dict[Session, Iterator[None]] = {}
        self._look_s: dict[str, float] = {}
        self.menu: Menu | None = None
        self.error: MirrorError | None = None
        self.failure = ""
        self.on_end: Callable[[], None] = lambda: None
        """Called on the thread when it ends, for whatever reason."""

    def wait_ready(self) -> Menu:
        """Wait until the first picture can be drawn.

        Raises:
            MirrorError: If pack, graphics or looks are not usable.
        """
        self._ready.wait()
        if self.menu is None:
            raise self.error or EngineError(f"the studio could not start:\n{self.failure}")
        return self.menu

    def open(self, on_message: Callable[[], None]) -> Session:
        """Begin a tab."""
        session = Session(self._news.set, on_message)
        with self._lock:
            self._sessions.append(session)
        return session

    def close(self, session: Session) -> None:
        """End a tab; what is known of its sitter is wiped by the thread, at once or after the picture in hand."""
        session.close()
        self._news.set()

    def stop(self) -> None:
        """Ask the thread to end; it does so after the picture in hand."""
        self._ending.set()
        self._news.set()

    def run(self) -> None:
        """Body of the thread."""
        try:
            with ExitStack() as stack:
                self._open(stack)
                self._ready.set()
                self._serve()
        except MirrorError as error:
            self.error = error
        except Exception:
            self.failure = traceback.format_exc()
        finally:
            for session in self._sessions:
                session.wipe()
            self._ready.set()
            self.on_end()

    def _open(self, stack: ExitStack) -> None:
        config = self._config
        self._networks = Networks(self._folder, config)
        stack.callback(self._networks.close)
        pack = self._networks.pack
        self._finder = FaceFinder()
        stack.callback(self._finder.close)
        self._canvas = Canvas(config, max(SIDE_PX, pack.resolution))
        stack.callback(self._canvas.close)
        stack.callback(self._films.clear)  # a film that is not drawn to its end gives its part of the graphics back
        self._takeaway = Takeaway(self._networks, config, self._canvas)
        self._networks.warm_up()
        self._canvas.still(self._networks.drawn(pack.w_avg[None], {}), PLAIN, {})
        self.menu = menu_of(pack, config)

    def _serve(self) -> None:
        while not self._ending.is_set():
            if not self._turn():
                self._news.wait(_PATIENCE_S)
                self._news.clear()

    def _turn(self) -> bool:
        """Do one thing for every tab; returns whether there was anything to do."""
        with self._lock:
            sessions = list(self._sessions)
        busy = False
        for session in sessions:
            if session.closed.is_set():
                self._dismiss(session)
                continue
            request = session.requests.take()
            if request is not None:
                self._answer(session, request)
                busy = True
        if not busy:
            busy = self._film_on()
        return busy

    def _dismiss(self, session: Session) -> None:
        self._films.pop(session, None)
        session.wipe()
        self._canvas.forget()
        self._networks.forget()
        with self._lock:
            self._sessions.remove(session)

    def _answer(self, session: Session, request: Request) -> None:
        """Do what a tab asked for, or tell it in a sentence why not."""
        try:
            if isinstance(request, Drawing):
                self._draw(session, request)
            elif isinstance(request, Keep):
                self._films[session] = self._takeaway.make(session, request)
            else:
                self._seat(session, request)
        except MirrorError as error:
            session.tell("trouble", about=type(request).__name__.lower(), sentence=str(error))

    def _film_on(self) -> bool:
        """Draw the next frame of whatever is made to be taken home."""
        for session, film in list(self._films.items()):
            try:
                if next(film, self) is self:
                    del self._films[session]
            except MirrorError as error:
                del self._films[session]
                session.tell("trouble", about="keep", sentence=str(error))
        return bool(self._films)

    def _seat(self, session: Session, request: Photo | OtherFace | Stranger) -> None:
        """Let somebody sit, and show the page whom it is about."""
        began = self._clock()
        self._films.pop(session, None)
        if isinstance(request, Stranger):
            session.sit(self._networks.stranger(request.seed), [])
            session.tell("sitter", faces=0, place=0, seconds=self._clock() - began, notes=[])
            return
        notes: tuple[str, ...] = ()
        faces, place = session.faces, request.place if isinstance(request, OtherFace) else 1
        if isinstance(request, Photo):
            photograph = read_photograph(request.data, name=request.name)
            notes = photograph.notes
            pixels = photograph.pixels.copy()  # ours to overwrite; what Pillow gives may not be written to
            faces = sitters_in(self._networks.pack, self._finder, pixels, every=True)
        if not 1 <= place <= len(faces):
            raise PhotographError("that face is not there any more; bring the photograph again")
        sitter = faces[place - 1]
        session.sit(self._networks.likeness(sitter), faces)
        seconds = self._clock() - began
        before = jpeg(large_crop(sitter, self._canvas.side))
        session.tell("sitter", before, faces=len(faces), place=place, seconds=seconds, notes=list(notes))

    def _draw(self, session: Session, wish: Drawing) -> None:
        if session.w_plus is None:
            raise PhotographError("nobody sits for this page yet; bring a photograph")
        began = self._clock()
        assert self.menu is not None, "the menu is there before anybody can ask"
        values = wish.values if wish.part == "picture" else self.menu.rest
        images = self._networks.drawn(self._networks.morphed(session.w_plus, values)[None], values)
        look = look_of(values)
        draft = wish.draft and self._look_s.get(look, 0.0) > DRAFT_FROM_S
        made = self._canvas.still(images, look, values, side=self._canvas.side // 2 if draft else None)
        picture, seconds = jpeg(made), self._clock() - began
        if not draft:
            self._look_s[look] = seconds
        session.tell(wish.part, picture, number=wish.number, seconds=seconds, draft=draft)


def large_crop(sitter: Sitter, side: int) -> NDArray[np.uint8]:
    """The photograph's own pixels where the portrait is cut out: (side, side, 3) uint8 RGB."""
    crop = np.empty((side, side, 3), np.uint8)
    sample_square(sitter.picture, sitter.quad, crop)
    return crop


def jpeg(rgb: NDArray[np.uint8]) -> bytes:
    """Encode (h, w, 3) uint8 RGB for the page; it is shown there and kept nowhere."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()
