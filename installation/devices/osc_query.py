"""OSCQuery: the control table over HTTP, and the announcement on the local network.

Read-only, GET only, small answers, one thread; a client that dawdles is cut off after `TIMEOUT_S`. The same
allow-list as OSC. zeroconf is optional: without it nothing is announced, and a sentence says so.
"""

from __future__ import annotations

import http.server
import ipaddress
import json
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from installation.core.instrument import Instrument
from installation.core.namespace import ATTRIBUTES, build_namespace, find_node
from installation.errors import DeviceError, MissingExtra

NAME = "Machine Reflections"
TIMEOUT_S = 2.0
_MAX_PATH = 512

log = logging.getLogger(__name__)

_EXTENSIONS = {
    "ACCESS": True,
    "VALUE": True,
    "RANGE": True,
    "DESCRIPTION": True,
    "CLIPMODE": True,
    "UNIT": True,
    "LISTEN": False,
    "PATH_CHANGED": False,
    "TAGS": False,
    "CRITICAL": False,
    "OVERLOADS": False,
    "HTML": False,
}


class OscQueryServer:
    """Answers OSCQuery clients. Owns its port and its thread.

    Args:
        instrument: Whose table and values are told.
        host, port: To listen on; port 0 takes any free one.
        osc_port: Where OSC is heard, told to clients.
        allowed: Whether an IP address may ask.
    """

    def __init__(
        self, instrument: Instrument, host: str, port: int, osc_port: int, allowed: Callable[[str], bool]
    ) -> None:
        self._instrument = instrument
        self._host, self._wanted_port = host, port
        self._osc_port = osc_port
        self._allowed = allowed
        self._server: http.server.HTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The TCP port that is listened on."""
        assert self._server is not None, "the server has not been started"
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Open the port and begin to answer.

        Raises:
            DeviceError: If the port is taken.
        """
        outer = self

        class Handler(_Handler):
            query = outer

        class Server(http.server.HTTPServer):
            address_family = socket.AF_INET6 if ":" in outer._host else socket.AF_INET

            def verify_request(self, request: Any, client_address: Any) -> bool:
                return outer._allowed(str(client_address[0]))

            def handle_error(self, request: Any, client_address: Any) -> None:
                log.debug("OSCQuery: %s went away", client_address, exc_info=True)

        try:
            self._server = Server((self._host, self._wanted_port), Handler)
        except OSError as error:
            raise DeviceError(
                f"cannot answer OSCQuery on {self._host}:{self._wanted_port}: {error.strerror or error}; "
                "change [osc] query_port or end the program that has it"
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="oscquery", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port; waits at most as long as one slow client may take."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        if self._thread is not None:
            self._thread.join(TIMEOUT_S + 1.0)

    def answer(self, target: str) -> tuple[int, Any]:
        """Status and JSON for a request target such as `/mirror/amount?VALUE`."""
        parts = urlsplit(target)
        attribute = parts.query
        if attribute == "HOST_INFO":
            return 200, self._host_info()
        root = build_namespace(self._instrument.snapshot, (cue.id for cue in self._instrument.cues))
        node = find_node(root, unquote(parts.path))
        if node is None:
            return 404, {"error": "there is no such address"}
        if not attribute:
            return 200, node
        if attribute not in ATTRIBUTES:
            return 400, {"error": "there is no such attribute"}
        return (200, {attribute: node[attribute]}) if attribute in node else (204, None)

    def _host_info(self) -> dict[str, Any]:
        ip = "" if ipaddress.ip_address(self._address()).is_unspecified else self._address()
        info = {"NAME": NAME, "OSC_PORT": self._osc_port, "OSC_TRANSPORT": "UDP", "EXTENSIONS": _EXTENSIONS}
        return info | ({"OSC_IP": ip} if ip else {})

    def _address(self) -> str:
        return str(self._server.server_address[0]) if self._server is not None else "127.0.0.1"


class _Handler(http.server.BaseHTTPRequestHandler):
    """One request. HTTP/1.0 on purpose: the connection ends with the answer, so one client cannot hold the thread."""

    query: OscQueryServer
    timeout = TIMEOUT_S
    server_version = "MachineReflections"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer a GET."""
        status, body = (414, None) if len(self.path) > _MAX_PATH else self.query.answer(self.path)
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a client that polls would fill the log."""


class Announcement:
    """The mirror's name on the local network: `_oscjson._tcp` for OSCQuery and `_osc._udp` for OSC.

    Raises:
        MissingExtra: If zeroconf is not installed.
        DeviceError: If there is no network to announce on.
    """

    def __init__(self, osc_port: int, query_port: int | None, addresses: Sequence[str] = ()) -> None:
        try:
            from zeroconf import Error, ServiceInfo, Zeroconf
        except ImportError as error:
            raise MissingExtra("zeroconf", "network", "announcing the mirror on the network") from error
        addresses = addresses or _own_addresses()
        packed = [ipaddress.ip_address(address).packed for address in addresses]
        services = [("_osc._udp.local.", osc_port)]
        if query_port is not None:
            services.append(("_oscjson._tcp.local.", query_port))
        try:
            # only where OSC is heard: a mirror that listens to this machine alone is not told to others
            self._zeroconf = Zeroconf(interfaces=list(addresses))
            for kind, port in services:
                info = ServiceInfo(kind, f"{NAME}.{kind}", port, addresses=packed, properties={"txtvers": "1"})
                self._zeroconf.register_service(info, allow_name_change=True)
        except (Error, OSError) as error:
            raise DeviceError(f"the mirror cannot be announced on the network: {error}") from error

    def stop(self) -> None:
        """Take the name back."""
        self._zeroconf.unregister_all_services()
        self._zeroconf.close()


def _own_addresses() -> list[str]:
    """The address other machines reach us at; loopback when there is no network. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1: only the choice of the interface is wanted
        except OSError:
            return ["127.0.0.1"]
        return [str(probe.getsockname()[0])]
