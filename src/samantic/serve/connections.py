"""Connections: their number is limited, and clients that send or read too slowly are cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from samantic.serve.limits import RATE

MOST = 512
"""Largest number of open connections; each takes a file descriptor of the process."""


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection if headers arrive, or the answer is read, too slowly.

    Args:
        stall: Seconds allowed for the headers, and the interval in seconds over which an answer
            must be read at `limits.RATE` or faster.
    """

    def __init__(self, *args: Any, stall: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self.stall = stall
        self._headers = _Timer(self.loop, stall, self._cut)
        self._reader = _Timer(self.loop, stall, self._check_reader)
        self._unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > MOST:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._headers.stop()
        self._reader.stop()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reader.stop()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch_reader()

    def _watch(self) -> None:
        """Wait a limited time for the headers, however slowly bytes arrive."""
        if self._is_idle():
            self._headers.start()
        else:
            self._headers.stop()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _cut(self) -> None:
        if self._is_idle():
            self.transport.close()
            self._watch_reader()

    def _watch_reader(self) -> None:
        self._unread = self.transport.get_write_buffer_size()
        self._reader.start()

    def _check_reader(self) -> None:
        """Close the connection if the client has read too little since the last check."""
        if self.transport.get_write_buffer_size() > self._unread - RATE * self.stall:
            self.transport.abort()
        else:
            self._watch_reader()


class _Timer:
    """Calls a function once after a number of seconds, unless it is stopped before."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, do: Callable[[], None]
    ) -> None:
        self.loop, self.seconds, self.do = loop, seconds, do
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start the timer; a running timer goes on."""
        if self._handle is None:
            self._handle = self.loop.call_later(self.seconds, self._ring)

    def stop(self) -> None:
        """Stop the timer."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ring(self) -> None:
        self._handle = None
        self.do()
