"""Exceptions that end a command in one line: bad input, trouble of the machine, a signal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """An input of the user cannot be used.

    The message is one line that says what is wrong, where, and what to do about it. The command
    line prints it without a traceback and exits with status 2.
    """

    def __str__(self) -> str:
        """Only the message, also if a loading process has put its traceback before it."""
        return super().__str__().rsplit("InputError: ", 1)[-1].strip()


class UnreadableError(InputError):
    """An image file that is missing or damaged; a training goes on without it."""


class SizeError(InputError):
    """An image whose height and width do not fit its partner, a model, or any network."""


class LargeError(InputError):
    """An image with more pixels than the limit for decoding."""


class StoppedError(RuntimeError):
    """The machine, not the input, ended the work: no memory, a process that was killed.

    The message is one line that says what happened and what to do about it. The command line prints
    it without a traceback and exits with status 1.
    """


class Terminated(BaseException):
    """SIGTERM: the work ends now. The command line prints the line and exits with status 143."""


@contextmanager
def one_line(program: str) -> Iterator[None]:
    """Let a script end as the command does: in one line, with status 2 on bad input.

    Args:
        program: Its name, with which the line begins.

    Raises:
        SystemExit: The block raised `InputError` (status 2), or `OSError` or `StoppedError` (status
            1).

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
    except StoppedError as error:
        line, status = str(error), 1
    else:
        return
    print(f"{program}: {line}", file=sys.stderr)
    raise SystemExit(status)
