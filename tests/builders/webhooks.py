"""Webhooks on loopback: real servers that answer as a test wants them to."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN = "T0KEN-of-the-webhook"
"""Secret part of every address."""


@dataclass
class Hook:
    """A webhook on loopback: answers in turn, the last one again and again."""

    answers: list[Callable[[BaseHTTPRequestHandler], None]]
    url: str = ""
    bodies: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that hang up."""


@contextmanager
def served(hook: Hook, certificate: Path | None = None) -> Iterator[Hook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.methods.append(self.command)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            hook.times.append(time.monotonic())
            hook.bodies.append(json.loads(body) if body else None)
            hook.headers.append(dict(self.headers))
            hook.answers[min(len(hook.times), len(hook.answers)) - 1](self)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    hook.url = f"{scheme}://localhost:{server.server_address[1]}/hook/{TOKEN}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()


def says(code: int, body: bytes = b"", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer
