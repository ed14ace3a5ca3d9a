"""Checks of `Host` and `Origin`: requests must use a name of this server, and its own page."""

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
"""Regular expression of a host name."""


class Hosts:
    """ASGI middleware that refuses requests that another site's page makes a browser send.

    A browser sends the requested name in `Host`, and in `Origin` the site of the page that sends
    the request. A foreign name that resolves to this address (DNS rebinding) would give a foreign
    page access to this server. A form of another site (CSRF) would use its time. A numeric address
    cannot be rebound, so each is allowed. Clients that send neither header are no browsers.

    Args:
        app: The application behind this check.
        settings: Settings, with the names that are allowed besides `localhost` and this machine's.
        metrics: Counts refused requests.
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
        """Why a request is refused; "" if it is accepted."""
        headers = {name: text.decode("latin-1").lower() for name, text in scope["headers"]}
        host, origin = headers.get(b"host"), headers.get(b"origin")
        if host is not None and not self._is_own(_split(f"//{host}")):
            return "Host: not a name of this server; use its numeric address or localhost"
        asking = None if origin is None else _split(origin)
        if asking is None or (asking.netloc and asking.netloc == host):
            return ""
        if asking.hostname in self.allowed:
            return ""
        return "Origin: a page of another site; open the page of this server"

    def _is_own(self, asked: SplitResult) -> bool:
        name = asked.hostname or ""
        return name in self.names or _is_number(name)


def _split(url: str) -> SplitResult:
    """The parts of a URL; for a malformed URL, those of an empty one."""
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
    """Host names in the form in which they are compared.

    Raises:
        InputError: An entry is more than a host name.
    """
    found = tuple(name.lower() for name in names)
    for name in found:
        if not NAME.fullmatch(name):
            raise InputError(
                f"--allow-host: {name[:60]!r} is no name of a host; give it without scheme, port "
                "and path, as thermal.example.org"
            )
    return found
