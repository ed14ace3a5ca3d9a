"""The one exception for users: bad input, described in one line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line that says what is wrong, where, and what to do about it. The command
    line prints it without a traceback and exits with status 2.
    """

    def __str__(self) -> str:
        """The line alone, also where a loading process has put its traceback before it."""
        return super().__str__().rsplit("InputError: ", 1)[-1].strip()


@contextmanager
def one_line(program: str) -> Iterator[None]:
    """Let a script end as the command does: in one line, with status 2 on bad input.

    Args:
        program: Its name, which the line begins with.

    Raises:
        SystemExit: The block raised `InputError` (status 2) or `OSError` (status 1).

    Example:
        >>> with one_line("mine.py"):
        ...     samantic.load("no/model")
        mine.py: no/model: no such folder, ...
    """
    try:
        yield
    except InputError as error:
        line, status = str(error), 2
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        line, status = f"{place}{error.strerror or error}", 1
    else:
        return
    print(f"{program}: {line}", file=sys.stderr)
    raise SystemExit(status)
