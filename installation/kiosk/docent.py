"""The docent's page: what the show does, and the few things that a person in the room may ask of it.

A process of its own, so that it is there when the show is not. It is told by the board (shared memory,
newest value) and asks through a pipe; the supervisor decides. A command carries the tick of the state it
was given in answer to: one that was typed before the connection broke is refused, never replayed.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from installation.errors import DeviceError, MissingExtra
from installation.kiosk.commands import Command, parse_command
from installation.kiosk.config import DocentConfig
from installation.kiosk.links import JsonSlot
from installation.runtime.slots import SharedLayout
from installation.runtime.supervisor import tell_on_stderr

PAGE = Path(__file__).with_name("page")
STALE_S = 3.0
"""A command in answer to a state older than this is refused: the finger meant another moment."""

STATE_EVERY_S = 0.5
_HELLO_S = 10.0
_MAX_MESSAGE = 2048
_MAX_CLIENTS = 32
_WRONG_PINS, _WRONG_WINDOW_S = 5, 60.0
_FILES = {"/": ("docent.html", "text/html"), "/docent.js": ("docent.js", "text/javascript")}
_FILES["/docent.css"] = ("docent.css", "text/css")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def run_docent(
    config: DocentConfig, board: SharedLayout, commands: Connection, languages: tuple[str, ...], secret: bytes
) -> None:
    """Body of the process: serve until it is told to end (SIGTERM).

    Args:
        config: `[docent]`.
        board: What the supervisor tells.
        commands: Where checked commands go: `{"do", "value", "at"}`.
        languages: Of the notice.
        secret: Of this kiosk's life; a phone that once gave the PIN comes back without it.

    Raises:
        MissingExtra: Without starlette, uvicorn and websockets.
        DeviceError: If the port is taken.
    """
    try:
        import uvicorn
        import websockets  # noqa: F401  uvicorn loads it by name
    except ImportError as error:
        raise MissingExtra(error.name or "uvicorn", "docent", "the docent page") from error
    try:
        listener = socket.create_server((config.host, config.port))
    except OSError as error:
        raise DeviceError(
            f"TCP {config.host}:{config.port} cannot be used ({error.strerror}); "
            "close the other program or change [docent] port"
        ) from error
    tell_on_stderr(f"docent page: http://{config.host}:{listener.getsockname()[1]}/")
    desk = Desk(config, JsonSlot(board), commands, languages, secret)
    server = uvicorn.Server(
        uvicorn.Config(
            desk.app(),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="websockets-sansio",
            ws_max_size=_MAX_MESSAGE,
            ws_ping_interval=5.0,
            ws_ping_timeout=10.0,
            limit_concurrency=_MAX_CLIENTS,
            timeout_graceful_shutdown=1,
            server_header=False,
        )
    )
    with listener:
        server.run(sockets=[listener])


class PinGate:
    """Asks for the PIN, and holds everybody back for a while after too many wrong ones.

    Args:
        pin: The right one.
        secret: Makes the token that stands for it.
        now: Monotonic seconds.
    """

    def __init__(self, pin: str, secret: bytes, now: Callable[[], float] = time.monotonic) -> None:
        self._pin = pin.encode()
        self._now = now
        self._wrong: list[float] = []
        self.token = hmac.new(secret, self._pin, hashlib.sha256).hexdigest()

    def admit(self, message: object) -> str:
        """Look at the first message of a client; returns what is wrong, or nothing."""
        given = message if isinstance(message, dict) else {}
        token, pin = given.get("token"), given.get("pin")
        if isinstance(token, str) and hmac.compare_digest(token.encode(), self.token.encode()):
            return ""
        now = self._now()
        self._wrong = [at for at in self._wrong if now - at < _WRONG_WINDOW_S]
        if len(self._wrong) >= _WRONG_PINS:
            return "too many wrong PINs; wait a minute"
        if isinstance(pin, str) and hmac.compare_digest(pin.encode(), self._pin):
            return ""
        if pin is None:
            return "PIN"
        self._wrong.append(now)
        return "wrong PIN"


class Desk:
    """The application: three files and one websocket."""

    def __init__(
        self,
        config: DocentConfig,
        board: JsonSlot,
        commands: Connection,
        languages: tuple[str, ...],
        secret: bytes,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board = board
        self._commands = commands
        self._languages = languages
        self._gate = PinGate(config.pin, secret, now)
        self._now = now

    def app(self) -> Any:
        """The ASGI application."""
        from starlette.applications import Starlette
        from starlette.requests import Request
        from starlette.responses import Response
        from starlette.routing import Route, WebSocketRoute

        def file(request: Request) -> Response:
            name, kind = _FILES[request.url.path]
            return Response((PAGE / name).read_bytes(), media_type=kind, headers=_HEADERS)

        routes = [Route(path, file, methods=["GET"]) for path in _FILES]
        return Starlette(routes=[*routes, WebSocketRoute("/ws", self._talk)])

    async def _talk(self, client: Any) -> None:
        """One phone, from PIN to goodbye."""
        from starlette.websockets import WebSocketDisconnect

        if not _same_origin(client.headers.get("origin"), client.headers.get("host")):
            await client.close(1008)
            return
        await client.accept()
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError, OSError):  # phones fall asleep
            first = _parsed(await asyncio.wait_for(client.receive_text(), _HELLO_S))
            trouble = self._gate.admit(first)
            if trouble:
                await client.send_json({"refused": trouble})
                await client.close(1008)
                return
            await client.send_json({"token": self._gate.token, "languages": self._languages})
            teller = asyncio.create_task(self._tell(client))
            try:
                while True:
                    await client.send_json(self._answer(_parsed(await client.receive_text())))
            finally:
                teller.cancel()

    async def _tell(self, client: Any) -> None:
        """Send the state for as long as somebody listens."""
        with contextlib.suppress(RuntimeError, OSError):  # the phone went away
            while True:
                state = self._board.read()
                if state:
                    await client.send_json({"tick": self._now(), "state": state})
                await asyncio.sleep(STATE_EVERY_S)

    def _answer(self, message: object) -> dict[str, Any]:
        """Check a command and hand it on."""
        given = message if isinstance(message, dict) else {}
        number, tick = given.get("id"), given.get("tick")
        answer = {"answer": number if isinstance(number, int) else None}
        if not isinstance(tick, (int, float)) or not 0.0 <= self._now() - tick <= STALE_S:
            return {**answer, "refused": "too late; look at the page and press again"}
        command = parse_command(given)
        if not isinstance(command, Command):
            return {**answer, "refused": command}
        self._commands.send({"do": command.do, "value": command.value, "at": time.monotonic()})
        return {**answer, "done": command.do}


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _same_origin(origin: str | None, host: str | None) -> bool:
    """Whether a browser's page is ours; programs send no origin, and must know the PIN as well."""
    return origin is None or (host is not None and origin.partition("://")[2] == host)
