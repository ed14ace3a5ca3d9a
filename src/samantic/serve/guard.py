"""Security headers for browsers, and the token that clients must send."""

from __future__ import annotations

import hmac

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from samantic.serve.metrics import Metrics
from samantic.serve.refusals import RefusedError

HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

GUARDED = ("/predict", "/models", "/scenes", "/metrics")
"""Paths that need a token. The page, the health check and the API's description are open."""


class SecurityHeaders:
    """ASGI middleware that adds `HEADERS` to each answer; by default, answers are not cached."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                added = {"cache-control": "no-store"} | HEADERS
                more = [(name.encode(), text.encode()) for name, text in added.items()]
                more = [pair for pair in more if pair[0] not in own]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await self.app(scope, receive, send_with)


class Head:
    """ASGI middleware that answers HEAD like GET, without the content (RFC 9110, 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_bare(message: Message) -> None:
            await send({**message, "body": b""} if "body" in message else message)

        if scope["type"] == "http" and scope["method"] == "HEAD":
            await self.app({**scope, "method": "GET"}, receive, send_bare)
        else:
            await self.app(scope, receive, send)


class Token:
    """ASGI middleware that requires a bearer token and compares it in constant time."""

    def __init__(self, app: ASGIApp, token: str | None, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics
        self.expected = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        guarded = scope["type"] == "http" and is_guarded(scope["path"])
        if self.expected is None or not guarded or self._shown(scope):
            await self.app(scope, receive, send)
            return
        self.metrics.errors.labels("token").inc()
        line = "no valid token; send the header `Authorization: Bearer TOKEN`"
        await RefusedError("token", line).response()(scope, receive, send)

    def _shown(self, scope: Scope) -> bool:
        scheme, _, shown = dict(scope["headers"]).get(b"authorization", b"").partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(shown, self.expected or b"")


def is_guarded(path: str) -> bool:
    """Whether a path is in `GUARDED`, or lies below such a path."""
    return any(path == place or path.startswith(f"{place}/") for place in GUARDED)
