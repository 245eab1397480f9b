"""Pages that this machine serves to people near it: the docent's, the studio's, the labelling page.

One way of serving for all of them: a few files from a folder, nothing from elsewhere, no build step, one websocket.
Whoever opens a page is told by the browser's own rules (content security policy) that it loads and calls nothing
else; a websocket is only taken from the page itself. Needs the extra 'docent' (starlette, uvicorn, websockets),
which is imported when a page is served and not before.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from installation.errors import DeviceError, MissingExtra

MAX_CLIENTS = 32
_WRONG_PINS, _WRONG_WINDOW_S = 5, 60.0
_KINDS = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
}


def strict_headers(**also: str) -> dict[str, str]:
    """Headers of every answer: nothing from elsewhere, nothing kept.

    Args:
        also: Further sources of the content security policy, underscores for dashes: `img_src="blob:"`.
    """
    policy = {"script-src": "'self'", "style-src": "'self'", "connect-src": "'self'"}
    policy |= {name.replace("_", "-"): sources for name, sources in also.items()}
    rules = "; ".join(f"{name} {sources}" for name, sources in policy.items())
    return {
        "Content-Security-Policy": f"default-src 'none'; {rules}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


def file_routes(files: Mapping[str, Path], headers: Mapping[str, str]) -> list[Any]:
    """Routes that serve files as they are: path on the page -> file."""
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    def file(request: Request) -> Response:
        found = files[request.url.path]
        return Response(found.read_bytes(), media_type=_KINDS[found.suffix], headers=dict(headers))

    return [Route(path, file, methods=["GET"]) for path in files]


def listen(host: str, port: int, advice: str) -> socket.socket:
    """Take a TCP port.

    Args:
        host: Address to listen on.
        port: 0 for any free one.
        advice: What to do if it is taken, the end of a sentence.

    Raises:
        DeviceError: If it cannot be had.
    """
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise DeviceError(f"TCP {host}:{port} cannot be used ({error.strerror}); {advice}") from error


def page_server(app: Any, *, max_message: int) -> Any:
    """Make the server of a page; its `run(sockets=[...])` serves until SIGINT or SIGTERM. After `need_web`.

    Args:
        app: ASGI application.
        max_message: Bytes; a websocket that sends more is closed.
    """
    import uvicorn

    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="websockets-sansio",
            ws_max_size=max_message,
            ws_ping_interval=5.0,
            ws_ping_timeout=10.0,
            limit_concurrency=MAX_CLIENTS,
            timeout_graceful_shutdown=1,
            server_header=False,
        )
    )


def need_web(purpose: str) -> None:
    """Make sure that pages can be served.

    Args:
        purpose: What for, if a package is missing: "the docent page".

    Raises:
        MissingExtra: Naming the package that is not there.
    """
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
        import websockets  # noqa: F401  uvicorn loads it by name
    except ImportError as error:
        raise MissingExtra(error.name or "uvicorn", "docent", purpose) from error


def same_origin(origin: str | None, host: str | None) -> bool:
    """Whether a websocket was opened by our own page; programs send no origin."""
    return origin is None or (host is not None and origin.partition("://")[2] == host)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def parsed(text: str) -> object:
    """Read JSON from outside; None if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


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
