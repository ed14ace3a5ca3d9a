"""What a server is told when it starts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samantic.errors import InputError
from samantic.files import MIB, read_text

LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Hosts that only this machine reaches."""

SHORTEST = 16
"""Least characters of a token."""


@dataclass(frozen=True)
class Settings:
    """What a server is told when it starts.

    Attributes:
        models: Names of models as `samantic.load` takes them; the first is the default.
        host: Address to listen at.
        port: 0 for a free one.
        allowed_hosts: Names, in small letters, by which the server may be asked beside `localhost`,
            `host` and the machine's, and whose pages may ask it.
        token: What clients must send as `Authorization: Bearer TOKEN`; None for nothing.
        max_pixels: Of the largest image that is decoded.
        max_bytes: Of the largest request.
        queue: Requests that are held at once, from their first byte to their answer.
        batch_size: Pairs of one size that go through the network together at most; None for what
            suits the model's device.
        timeout: Seconds that a request may take from its headers to its answer.
        stall: Seconds that a sender may lag behind `limits.RATE`, or take for the headers.
        options: Of `samantic.load`, such as the device.
    """

    models: tuple[str, ...]
    host: str = LOOPBACK[0]
    port: int = 8000
    allowed_hosts: tuple[str, ...] = ()
    token: str | None = None
    max_pixels: int = 1 << 24
    max_bytes: int = 64 * MIB
    queue: int = 64
    batch_size: int | None = None
    timeout: float = 60.0
    stall: float = 10.0
    options: dict[str, Any] = field(default_factory=dict)


def read_token(path: Path) -> str:
    """The token in a file, of which blank space around it is no part.

    Raises:
        InputError: There is none, or it is too short, or no header can hold it.
    """
    token = read_text(path, "file with a token", most=4096).strip()
    if not re.fullmatch(r"[!-~]+", token) or len(token) < SHORTEST:
        raise InputError(
            f"--token-file: {path} must hold one word of {SHORTEST} or more ASCII letters, digits "
            "and signs; make one with `openssl rand -hex 32`"
        )
    return token
