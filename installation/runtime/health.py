"""A small read-only HTTP server for machines: `/healthz` as JSON, `/metrics` as Prometheus text.

It answers one request at a time on a thread of its own, with a time-out, so that nobody can keep it busy;
what it tells comes from a function, never from a request.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from installation.errors import DeviceError

REQUEST_TIMEOUT_S = 2.0

Facts = Mapping[str, Any]
"""What is told: `ok` (bool), and anything that is JSON. The key `metrics` maps names to numbers."""


class HealthServer:
    """Serves until `close`.

    Args:
        host, port: Where to listen; port 0 takes a free one.
        facts: Called for each request, on the server's thread.

    Raises:
        DeviceError: If the port is taken.
    """

    def __init__(self, host: str, port: int, facts: Callable[[], Facts]) -> None:
        registry = CollectorRegistry()
        registry.register(_Metrics(facts))

        class Handler(BaseHTTPRequestHandler):
            timeout = REQUEST_TIMEOUT_S
            server_version = "mirror"
            sys_version = ""

            def do_GET(self) -> None:
                if self.path == "/healthz":
                    told = {key: value for key, value in facts().items() if key != "metrics"}
                    self._answer(200 if told.get("ok") else 503, "application/json", json.dumps(told).encode())
                elif self.path == "/metrics":
                    self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
                else:
                    self._answer(404, "text/plain", b"there are /healthz and /metrics\n")

            def _answer(self, code: int, kind: str, body: bytes) -> None:
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing: who asks is nobody's business."""

        try:
            self._server = _Server((host, port), Handler)
        except OSError as error:
            raise DeviceError(
                f"TCP {host}:{port} cannot be used ({error.strerror}); close the other program or change [health] port"
            ) from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(REQUEST_TIMEOUT_S + 1.0)


class _Server(TCPServer):  # not HTTPServer, which asks the name service for its own name
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; anything else is a bug of ours."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Metrics(Collector):
    def __init__(self, facts: Callable[[], Facts]) -> None:
        self._facts = facts

    def collect(self) -> Iterable[Metric]:
        """Turn `metrics` into families; a name with a brace part `name{key=value}` becomes one with a label."""
        families: dict[str, Metric] = {}
        for name, value in self._facts().get("metrics", {}).items():
            base, _, label = name.partition("{")
            key, _, text = label.rstrip("}").partition("=")
            family = families.get(base)
            if family is None:
                kind = CounterMetricFamily if base.endswith("_total") else GaugeMetricFamily
                words = base.removeprefix("mirror_").replace("_", " ")
                family = families[base] = kind(base, f"Mirror: {words}.", labels=[key] if key else [])
            family.add_metric([text] if key else [], float(value))  # type: ignore[attr-defined]
        return families.values()
