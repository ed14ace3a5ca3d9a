"""The limits of a request: bytes, seconds, and the number of requests held at once.

The bytes of a body are counted as they arrive, before they are parsed or written to disk. A sender
that falls more than `stall` seconds behind `RATE` is cut off.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from samantic.files import MIB
from samantic.serve.metrics import Metrics
from samantic.serve.refusals import RefusedError
from samantic.serve.settings import Settings

RATE = 16 * 1024
"""Smallest average rate of a sender in bytes per second."""

LINGER = 1.0
"""Seconds for which the rest of a refused body is read and dropped, so that its sender sees the
answer."""


class Limits:
    """ASGI middleware that applies the limits of the settings to requests."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self.app, self.settings, self.metrics = app, settings, metrics
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(scope, receive, send, self.settings)
        try:
            async with asyncio.timeout(self.settings.timeout):
                await self._admit(scope, body)
        except TimeoutError:
            refused = RefusedError(
                "timeout",
                f"no answer within {self.settings.timeout:g} s; send smaller images, or try later",
            )
        except RefusedError as error:
            refused = error
        else:
            return
        self.metrics.errors.labels(refused.kind).inc()
        if not body.answered:
            await refused.response()(scope, body.receive, body.send)

    async def _admit(self, scope: Scope, body: _Body) -> None:
        """Admit a request if there is room for it; requests without a body are always admitted.

        Raises:
            RefusedError: There is no room, or the announced length is too large.
        """
        if not body.open:
            await self.app(scope, body.receive, body.send)
            return
        body.check()
        if self.held >= self.settings.queue:
            raise RefusedError(
                "busy", f"{self.held} requests are held already; try again in a second"
            )
        self.held += 1
        self.metrics.held.set(self.held)
        try:
            await self.app(scope, body.receive, body.send)
        finally:
            self.held -= 1
            self.metrics.held.set(self.held)


class _Body:
    """The body of a request as it arrives, and its answer as it is sent.

    Attributes:
        open: Whether more of the body may arrive.
        answered: Whether the answer has started.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, settings: Settings) -> None:
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        self.declared = int(length) if length.isdigit() else 0
        self.open = self.declared > 0 or b"transfer-encoding" in headers
        self.answered = False
        self._receive, self._send, self._settings = receive, send, settings
        self._count, self._since = 0, asyncio.get_running_loop().time()

    def check(self) -> None:
        """Refuse a body that is too long, by its announced length or by its bytes so far.

        Raises:
            RefusedError: The body is too long.
        """
        most = self._settings.max_bytes
        if max(self.declared, self._count) > most:
            raise RefusedError(
                "too_large", f"more than {most / MIB:.4g} MiB in a request; send smaller files"
            )

    async def receive(self) -> Message:
        """The next part of the body.

        Raises:
            RefusedError: The body is too long, or arrives too slowly.
        """
        if not self.open:
            return await self._receive()
        patience = self._settings.stall + self._count / RATE
        try:
            async with asyncio.timeout_at(self._since + patience):
                message = await self._receive()
        except TimeoutError:
            line = f"{self._count} bytes in {patience:.3g} s; send at least {RATE} a second"
            raise RefusedError("timeout", line, 408) from None
        self._count += len(message.get("body", b""))
        self.open = _goes_on(message)
        self.check()
        return message

    async def send(self, message: Message) -> None:
        """Send the answer; an answer before the end of the body closes the connection."""
        if message["type"] == "http.response.start":
            self.answered = True
            if self.open:
                closing = [*message["headers"], (b"connection", b"close")]
                message = {**message, "headers": closing}
        elif self.open and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._drop()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def _drop(self) -> None:
        """Read on for a moment, since a client that is cut off while it sends sees no answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while self.open:
                    message = await self._receive()
                    self.open = _goes_on(message)
        self.open = False


def _goes_on(message: Message) -> bool:
    """Whether the body continues after a part; in ASGI the key may be missing at the end."""
    return bool(message["type"] == "http.request" and message.get("more_body", False))
