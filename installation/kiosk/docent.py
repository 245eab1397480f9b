"""The docent's page: what the show does, and the few things that a person in the room may ask of it.

A process of its own, so that it is there when the show is not. It is told by the board (shared memory,
newest value) and asks through a pipe; the supervisor decides. A command carries the tick of the state it
was given in answer to: one that was typed before the connection broke is refused, never replayed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from installation.kiosk.commands import Command, parse_command
from installation.kiosk.config import DocentConfig
from installation.kiosk.links import JsonSlot
from installation.runtime.pages import (
    PinGate,
    file_routes,
    listen,
    need_web,
    page_server,
    parsed,
    same_origin,
    strict_headers,
)
from installation.runtime.slots import SharedLayout
from installation.runtime.supervisor import tell_on_stderr

PAGE = Path(__file__).with_name("page")
STALE_S = 3.0
"""A command in answer to a state older than this is refused: the finger meant another moment."""

STATE_EVERY_S = 0.5
_HELLO_S = 10.0
_MAX_MESSAGE = 2048
_FILES = {"/": PAGE / "docent.html", "/docent.js": PAGE / "docent.js", "/docent.css": PAGE / "docent.css"}


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
    need_web("the docent page")
    listener = listen(config.host, config.port, "close the other program or change [docent] port")
    tell_on_stderr(f"docent page: http://{config.host}:{listener.getsockname()[1]}/")
    desk = Desk(config, JsonSlot(board), commands, languages, secret)
    server = page_server(desk.app(), max_message=_MAX_MESSAGE)
    with listener:
        server.run(sockets=[listener])


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
        from starlette.routing import WebSocketRoute

        return Starlette(routes=[*file_routes(_FILES, strict_headers()), WebSocketRoute("/ws", self._talk)])

    async def _talk(self, client: Any) -> None:
        """One phone, from PIN to goodbye."""
        from starlette.websockets import WebSocketDisconnect

        if not same_origin(client.headers.get("origin"), client.headers.get("host")):
            await client.close(1008)
            return
        await client.accept()
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError, OSError):  # phones fall asleep
            first = parsed(await asyncio.wait_for(client.receive_text(), _HELLO_S))
            trouble = self._gate.admit(first)
            if trouble:
                await client.send_json({"refused": trouble})
                await client.close(1008)
                return
            await client.send_json({"token": self._gate.token, "languages": self._languages})
            teller = asyncio.create_task(self._tell(client))
            try:
                while True:
                    await client.send_json(self._answer(parsed(await client.receive_text())))
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
