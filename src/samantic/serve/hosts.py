"""Whose pages a server answers: that it is asked by a name of its own, from a page of its own."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from samantic.errors import InputError
from samantic.serve.metrics import Metrics
from samantic.serve.refusals import RefusedError
from samantic.serve.settings import Settings

NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
"""Name of a host."""


class Hosts:
    """ASGI middleware that refuses what a page of another site makes a browser ask.

    A browser tells in `Host` which name it asks, and in `Origin` whose page asks. A foreign name
    that leads to this address (DNS rebinding) would make a foreign page one of this server; a form
    of another site (CSRF) would spend its time. A number as host cannot be rebound, so each is
    allowed. Clients that send neither header are no browsers.

    Args:
        app: What is asked where nothing is wrong.
        settings: With the names that are allowed beside `localhost` and this machine's.
        metrics: Counts what is refused.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics
        self.allowed = set(settings.allowed_hosts)
        own = (settings.host, socket.gethostname(), "localhost")
        self.names = self.allowed | {name.lower() for name in own}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        line = self._refusal(scope) if scope["type"] == "http" else ""
        if not line:
            await self.app(scope, receive, send)
            return
        self.metrics.errors.labels("host").inc()
        refused = RefusedError("host", f"{line}, or start it with --allow-host NAME")
        await refused.response()(scope, receive, send)

    def _refusal(self, scope: Scope) -> str:
        """Why a request is refused; empty if it is not."""
        headers = {name: text.decode("latin-1").lower() for name, text in scope["headers"]}
        host, origin = headers.get(b"host"), headers.get(b"origin")
        if host is not None and not self._is_own(_split(f"//{host}")):
            return "Host: not a name of this server; ask it by its number or as localhost"
        asking = None if origin is None else _split(origin)
        if asking is None or (asking.netloc and asking.netloc == host):
            return ""
        if asking.hostname in self.allowed:
            return ""
        return "Origin: the page of another site; open the page of this server"

    def _is_own(self, asked: SplitResult) -> bool:
        name = asked.hostname or ""
        return name in self.names or _is_number(name)


def _split(url: str) -> SplitResult:
    """The parts of a URL; those of an empty one where it is broken."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _is_number(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def parse_hosts(names: Iterable[str]) -> tuple[str, ...]:
    """Names of hosts as they are compared.

    Raises:
        InputError: One is no name alone.
    """
    found = tuple(name.lower() for name in names)
    for name in found:
        if not NAME.fullmatch(name):
            raise InputError(
                f"--allow-host: {name[:60]!r} is no name of a host; give it without scheme, port "
                "and path, as thermal.example.org"
            )
    return found
