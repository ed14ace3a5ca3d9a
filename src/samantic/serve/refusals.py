"""Error responses: a kind, and one line that says what to do."""

from __future__ import annotations

from typing import Any, Literal

from starlette.responses import JSONResponse

Kind = Literal[
    "unreadable",
    "too_large",
    "size",
    "missing",
    "model",
    "busy",
    "timeout",
    "token",
    "host",
    "internal",
]

STATUS: dict[Kind, int] = {
    "unreadable": 400,
    "missing": 400,
    "token": 401,
    "host": 403,
    "model": 404,
    "too_large": 413,
    "size": 422,
    "internal": 500,
    "busy": 503,
    "timeout": 503,
}
"""The usual HTTP status of each kind."""

RETRY = "1"
"""Seconds after which a client may try again."""


class RefusedError(Exception):
    """A request that is refused.

    Attributes:
        kind: Kind of the error.
        line: One line that says what, where, and what to do.
        status: HTTP status.
    """

    def __init__(self, kind: Kind, line: str, status: int | None = None) -> None:
        super().__init__(line)
        self.kind, self.line = kind, line
        self.status = STATUS[kind] if status is None else status

    def response(self) -> JSONResponse:
        """The response."""
        headers = {}
        if self.status == 503:
            headers["Retry-After"] = RETRY
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        content: dict[str, Any] = {"error": self.line, "kind": self.kind}
        return JSONResponse(content, self.status, headers)
