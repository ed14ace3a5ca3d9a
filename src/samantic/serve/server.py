"""The server process: a socket, uvicorn, and a shutdown that finishes accepted requests."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial

import uvicorn

from samantic.errors import InputError
from samantic.serve.app import create_app
from samantic.serve.connections import PatientProtocol
from samantic.serve.settings import LOOPBACK, Settings

BACKLOG = 128
"""Number of connections that the system queues before they are accepted."""

HEADERS = 16 * 1024
"""Largest size of a request's headers in bytes."""

KEEP_ALIVE = 5
"""Seconds for which a connection stays open between requests."""


class _Server(uvicorn.Server):
    """uvicorn that treats SIGTERM and Ctrl-C as a normal end and does not raise them again."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        kinds = (signal.SIGINT, signal.SIGTERM)
        before = {kind: signal.signal(kind, self.handle_exit) for kind in kinds}
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C; requests that were accepted by then are answered.

    Raises:
        InputError: The address cannot be used, or a model cannot be loaded.
    """
    listener = listen(settings.host, settings.port)
    address = url_of(listener)
    if settings.host not in LOOPBACK and settings.token is None:
        print(
            f"samantic: anyone who reaches {address} may use it; --token-file requires a token",
            file=sys.stderr,
        )
    failures: list[BaseException] = []

    def fail(error: BaseException) -> None:
        failures.append(error)
        server.should_exit = True

    def tell() -> None:
        print(f"ready: {', '.join(settings.models)}", flush=True)

    config = uvicorn.Config(
        create_app(settings, tell, fail),
        http=partial(PatientProtocol, stall=settings.stall),  # type: ignore[arg-type]
        ws="none",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=HEADERS,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=round(settings.timeout + settings.stall),
    )
    server = _Server(config)
    print(f"samantic serve: {address} (Ctrl-C ends it)", flush=True)
    with listener:
        server.run(sockets=[listener])
    if failures:
        raise failures[0]
    print(f"ended: {server.server_state.total_requests} requests answered", flush=True)


def listen(host: str, port: int) -> socket.socket:
    """Open a socket at an address.

    Raises:
        InputError: The address does not exist, or is in use.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        number = error.errno or 0  # negative for an unknown host
        reason = os.strerror(number) if number > 0 else error.strerror
        raise InputError(
            f"--host {host} --port {port}: cannot listen there ({reason}); give "
            "an address of this machine, and another --port, or 0 for a free one"
        ) from None


def url_of(listener: socket.socket) -> str:
    """The address of a socket as a URL for a browser."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
