"""`mirror studio`: a page on this machine that makes portraits from photographs. Nothing is uploaded or kept.

The page's files and one websocket; what a tab sends goes into its session's mailbox and the easel answers from its
own thread. When the websocket ends, for whatever reason, the session ends and its sitter is wiped. No cookie, no
storage, no file: a reload is a new beginning.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import secrets
import signal
import sys
import time
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engines.runtime.paths import find_pack
from installation.app import CONFIG_FILE
from installation.config import load_config
from installation.core.control import ValueRefused
from installation.display.type_setting import SERIF, bundled_font
from installation.errors import ConfigError, MirrorError, PhotographError
from installation.kiosk.body import forbid_core_dumps
from installation.runtime.pages import (
    PinGate,
    file_routes,
    is_loopback,
    listen,
    need_web,
    page_server,
    parsed,
    same_origin,
    strict_headers,
)
from installation.runtime.supervisor import tell_on_stderr
from installation.studio.easel import Easel
from installation.studio.menu import Menu
from installation.studio.session import (
    KEEPABLE,
    SEEDS,
    Drawing,
    Keep,
    OtherFace,
    Photo,
    Session,
    Stranger,
    open_frame,
    pack_frame,
)

PAGE = Path(__file__).with_name("page")
PORT = 9190
MAX_PHOTO_BYTES = 48 << 20
"""Larger than any phone's picture; a page that sends more is told so before it does."""

_HELLO_S = 10.0
_MAX_MESSAGE = MAX_PHOTO_BYTES + (64 << 10)
_HEADERS = strict_headers(img_src="'self' blob:", media_src="blob:", font_src="'self'")
_HEADERS["Permissions-Policy"] = "camera=(self), microphone=(), geolocation=()"
_PURPOSE = "the studio"


class Studio:
    """The application: files, one websocket, one session for each tab.

    Args:
        easel: Running and ready.
        menu: What it allows.
        gate: Asks for a PIN where other machines can reach the page; None where they cannot.
    """

    def __init__(self, easel: Easel, menu: Menu, gate: PinGate | None = None) -> None:
        self._easel = easel
        self._menu = menu
        self._gate = gate

    def app(self) -> Any:
        """The ASGI application."""
        from starlette.applications import Starlette
        from starlette.routing import WebSocketRoute

        files = {f"/{path.name}": path for path in PAGE.iterdir()}
        files |= {"/": PAGE / "studio.html", "/serif.ttf": bundled_font(SERIF)}
        return Starlette(routes=[*file_routes(files, _HEADERS), WebSocketRoute("/ws", self._talk)])

    async def _talk(self, client: Any) -> None:
        """One tab, from its first word to its end."""
        from starlette.websockets import WebSocketDisconnect

        if not self._is_ours(client.headers.get("origin"), client.headers.get("host")):
            await client.close(1008)
            return
        await client.accept()
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError, OSError):  # tabs close at any time
            first = parsed(await asyncio.wait_for(client.receive_text(), _HELLO_S))
            trouble = self._gate.admit(first) if self._gate is not None else ""
            if trouble:
                await client.send_json({"kind": "refused", "sentence": trouble})
                await client.close(1008)
                return
            token = self._gate.token if self._gate is not None else ""
            await client.send_json(
                {"kind": "hello", "token": token, "max_bytes": MAX_PHOTO_BYTES, "menu": self._menu.catalogue}
            )
            await self._attend(client)

    async def _attend(self, client: Any) -> None:
        """Carry messages both ways until one side ends."""
        news, loop = asyncio.Event(), asyncio.get_running_loop()

        def on_message() -> None:
            with contextlib.suppress(RuntimeError):  # the server has ended before the picture was done
                loop.call_soon_threadsafe(news.set)

        session = self._easel.open(on_message)
        teller = asyncio.create_task(_tell(client, session, news))
        try:
            while True:
                self._hear(session, await client.receive())
        finally:
            teller.cancel()
            self._easel.close(session)

    def _hear(self, session: Session, message: dict[str, Any]) -> None:
        """Check one message of the page and leave it for the easel; nonsense is answered with a sentence."""
        from starlette.websockets import WebSocketDisconnect

        if message["type"] != "websocket.receive":
            raise WebSocketDisconnect
        try:
            if message.get("bytes") is not None:
                header, data = open_frame(message["bytes"])
                session.requests.put("sit", Photo(data, str(header.get("name", ""))[:80] or "the picture"))
                return
            self._ask(session, parsed(message["text"]))
        except (PhotographError, ValueRefused) as error:
            session.tell("trouble", about="page", sentence=str(error))

    def _ask(self, session: Session, asked: object) -> None:
        given = asked if isinstance(asked, dict) else {}
        kind, number = given.get("ask"), given.get("number")
        if kind in ("picture", "reflection") and isinstance(number, int):
            values, draft = self._menu.accept(given.get("controls", {})), given.get("draft") is True
            session.requests.put(kind, Drawing(number, kind, values, draft))
        elif kind == "keep" and isinstance(number, int) and given.get("what") in KEEPABLE:
            session.requests.put(kind, Keep(number, given["what"], self._menu.accept(given.get("controls", {}))))
        elif kind == "stranger" and isinstance(given.get("seed"), int):
            session.requests.put("sit", Stranger(given["seed"] % SEEDS))
        elif kind == "face" and isinstance(given.get("place"), int):
            session.requests.put("sit", OtherFace(given["place"]))
        else:
            raise ValueRefused("the page asked for something that this studio does not know; load it again")

    def _is_ours(self, origin: str | None, host: str | None) -> bool:
        """Only our own page may talk; without a PIN, only under this machine's own name (DNS rebinding)."""
        name = (host or "").rpartition(":")[0] or (host or "")
        return same_origin(origin, host) and (self._gate is not None or is_loopback(name))


async def _tell(client: Any, session: Session, news: asyncio.Event) -> None:
    """Send what the easel leaves, newest of each kind."""
    with contextlib.suppress(RuntimeError, OSError):  # the tab went away
        while True:
            await news.wait()
            news.clear()
            while (message := session.messages.take()) is not None:
                await client.send_bytes(pack_frame(message))


def main(argv: Sequence[str]) -> int:
    """Entry point of `mirror studio`."""
    options = _parser().parse_args(argv)
    config = load_config(options.config or (CONFIG_FILE if CONFIG_FILE.is_file() else None))
    if not is_loopback(options.host) and not options.pin:
        raise ConfigError(f"--host {options.host} lets other machines in: give --pin with 4 to 12 digits")
    if options.pin and not (options.pin.isdecimal() and 4 <= len(options.pin) <= 12):
        raise ConfigError("--pin takes 4 to 12 digits")
    need_web(_PURPOSE)
    forbid_core_dumps()
    gate = PinGate(options.pin, secrets.token_bytes(16), time.monotonic) if options.pin else None
    with listen(options.host, options.port, "close the other program or give another --port") as listener:
        tell_on_stderr("the studio is warming up ...")
        easel = Easel(str(find_pack(options.pack or config.engine.pack)), config)
        easel.start()
        try:
            studio = Studio(easel, easel.wait_ready(), gate)
            server = page_server(studio.app(), max_message=_MAX_MESSAGE)
            easel.on_end = functools.partial(setattr, server, "should_exit", True)
            url = f"http://{_shown(options.host)}:{listener.getsockname()[1]}/"
            tell_on_stderr(f"studio: {url}   (Ctrl-C ends it; nothing is kept)")
            if not options.no_browser:
                webbrowser.open(url)
            signal.signal(
                signal.SIGTERM, lambda *_: None
            )  # the server raises it again after its own end; ours comes then
            server.run(sockets=[listener])
        finally:
            easel.stop()
            easel.join(10.0)
    return _farewell(easel)


def _farewell(easel: Easel) -> int:
    """Say why the easel ended, if it was not asked to."""
    if easel.error is not None:
        raise easel.error
    if easel.failure:
        raise MirrorError(f"the studio's drawing thread has failed:\n{easel.failure}")
    return 0


def _shown(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mirror studio", description="A page on this machine that makes portraits from photographs."
    )
    parser.add_argument("--config", type=Path, metavar="F", help="config file; config.toml here, if there is one")
    parser.add_argument("--pack", help="name or folder of a model pack")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 for phones, with --pin")
    parser.add_argument("--port", type=int, default=PORT, help=f"TCP port, {PORT} if not given; 0 takes any free one")
    parser.add_argument("--pin", default="", help="4 to 12 digits that the page asks for")
    parser.add_argument("--no-browser", action="store_true", help="do not open the page here")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
