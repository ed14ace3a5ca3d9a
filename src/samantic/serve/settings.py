"""The settings with which a server starts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samantic.errors import InputError
from samantic.files import MIB, read_text

LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Hosts that only this machine can reach."""

SHORTEST = 16
"""Smallest number of characters of a token."""


@dataclass(frozen=True)
class Settings:
    """The settings with which a server starts.

    Attributes:
        models: Names of models as for `samantic.load`; the first is the default.
        host: Address on which to listen.
        port: Port; 0 for a free one.
        allowed_hosts: Lower-case names, besides `localhost`, `host` and the machine's name, by
            which the server may be addressed, and whose pages may send requests.
        token: Token that clients must send as `Authorization: Bearer TOKEN`; None requires none.
        max_pixels: Pixels of the largest image that is decoded.
        max_bytes: Bytes of the largest request.
        queue: Number of requests held at once, from their first byte to their answer.
        batch_size: Largest number of pairs that go through the network together; None for the
            default of the model's device.
        timeout: Seconds allowed for a request, from its headers to its answer.
        stall: Seconds by which a sender may fall behind `limits.RATE`, or may need for the headers.
        options: Further arguments of `samantic.load`, such as the device.
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
    """Read the token in a file, without blank space around it.

    Raises:
        InputError: The file holds no token, or one that is too short or does not fit into a header.
    """
    token = read_text(path, "file with a token", most=4096).strip()
    if not re.fullmatch(r"[!-~]+", token) or len(token) < SHORTEST:
        raise InputError(
            f"--token-file: {path} must hold one word of {SHORTEST} or more ASCII letters, digits "
            "and signs; make one with `openssl rand -hex 32`"
        )
    return token
