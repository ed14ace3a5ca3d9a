"""What a server must survive, over real connections."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import httpx
import psutil
import uvicorn
from fastapi import FastAPI
from uvicorn.server import ServerState

from samantic.serve.connections import MOST, PatientProtocol
from samantic.serve.limits import RATE
from tests.serve.hostile import Attack, attacks, form, request
from tests.serve.servers import Running, pair

ALLOWED = {200, 400, 404, 405, 408, 413, 415, 422}


def send(attack: Attack, port: int) -> bytes:
    """What the server answers, until it closes the connection or ten seconds are over."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        with suppress(ConnectionError):
            connection.sendall(attack.raw)
        if attack.way == "leave":
            return b""
        found = b""
        if attack.way == "drip":
            connection.settimeout(0.1)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                if attack.way == "drip" and not found:
                    connection.sendall(b"x")
                if not (more := connection.recv(65536)):
                    return found
                found += more
                if b"\r\n\r\n" in found and b"connection: close" not in found.lower():
                    return found
            except TimeoutError:
                continue
            except ConnectionError:
                return found
        raise AssertionError(f"{attack.name}: neither answered nor cut off")


def test_two_hundred_attacks(server: Running) -> None:
    """It stays healthy, says why, keeps no file and no memory, and reports no error of its own."""
    todo = list(attacks())
    assert len(todo) >= 200
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    with ThreadPoolExecutor(16) as pool:
        found = dict(zip(todo, pool.map(lambda a: send(a, server.port), todo), strict=True))
    for attack, answer in found.items():
        status = re.match(rb"HTTP/1\.[01] (\d+)", answer)
        assert status is None or int(status[1]) in ALLOWED, (attack.name, answer[:300])
        assert b"<script>" not in answer, attack.name
        assert b"Traceback" not in answer, attack.name
        if b'"error"' in answer:
            assert b"/tmp" not in answer, (attack.name, answer)
    healthy(server)
    assert server.left() == []
    assert process.memory_info().rss < before + (200 << 20)


def healthy(server: Running) -> None:
    files = pair()
    answer = httpx.post(f"{server.url}/predict", files=files)
    assert answer.status_code == 200
    text = httpx.get(f"{server.url}/metrics").text
    assert 'kind="internal"' not in text
    deadline = time.monotonic() + 5
    while "samantic_held_requests 0.0" not in httpx.get(f"{server.url}/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def answered(attack: Attack, server: Running) -> tuple[int, str, float]:
    start = time.monotonic()
    answer = send(attack, server.port)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), body.decode(), time.monotonic() - start


def test_who_sends_too_much_is_told(server: Running) -> None:
    """The answer arrives though the body is not read to its end."""
    for size in (1 << 20, 8 << 20):
        status, body, _ = answered(Attack("", request(form(b"x" * size))), server)
        assert status == 413
        assert body == (
            '{"error":"more than 0.5 MiB in a request; send smaller files","kind":"too_large"}'
        )


def test_who_sends_slowly_is_cut_off(server: Running) -> None:
    body = request(form(pair()["rgb"]))
    for way in ("send", "drip"):
        status, told, seconds = answered(Attack("", body[: len(body) // 2], way), server)  # type: ignore[arg-type]
        assert status == 408
        assert "send at least 16384 a second" in told
        assert 0.5 < seconds < 8
    start = time.monotonic()
    assert send(Attack("", b"GET / HT", "drip"), server.port) == b""
    assert 0.5 < time.monotonic() - start < 8


def test_who_does_not_read_is_cut_off(server: Running) -> None:
    """Requests in a row, whose answers nobody takes: the server drops the connection."""
    raw = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 2000
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with suppress(ConnectionError):
            connection.sendall(raw)
        mine = connection.getsockname()[1]
        end = time.monotonic() + 10
        while any(c.raddr and c.raddr.port == mine for c in connections(server)):
            assert time.monotonic() < end
            time.sleep(0.1)


class Transport(asyncio.Transport):
    """One with so many bytes that nobody has read yet."""

    unread, aborted = 100_000, False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def get_write_buffer_size(self) -> int:
        return self.unread

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        self.aborted = True


def test_who_reads_slowly_but_reads_is_served() -> None:
    """At the least rate a reader may go on for ever; a byte slower, and the connection ends."""

    async def scenario() -> None:
        config, state = uvicorn.Config(FastAPI()), ServerState()
        protocol = PatientProtocol(config, state, {}, asyncio.get_running_loop(), stall=0.1)
        transport = Transport()
        protocol.connection_made(transport)
        protocol._headers.stop()
        protocol.pause_writing()
        for _ in range(3):
            transport.unread -= int(0.1 * RATE) + 1
            await asyncio.sleep(0.11)
            assert not transport.aborted
        protocol.resume_writing()
        await asyncio.sleep(0.11)
        protocol.pause_writing()
        transport.unread -= int(0.1 * RATE) - 1
        await asyncio.sleep(0.15)
        assert transport.aborted
        protocol.connection_lost(None)

    asyncio.run(scenario())


def test_there_is_a_most_of_connections(server: Running) -> None:
    """Further ones are closed at once; when others go, there is room again."""
    with ExitStack() as stack:
        for _ in range(MOST):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        late = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        late.settimeout(5)
        with suppress(ConnectionError):
            assert late.recv(1) == b""
    healthy(server)


def connections(server: Running) -> list[psutil._common.pconn]:
    return psutil.Process(server.process.pid).net_connections("tcp")
