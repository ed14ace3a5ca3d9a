"""What ends a command in one line: bad input, trouble of the machine, a signal."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line that says what is wrong, where, and what to do about it. The command
    line prints it without a traceback and exits with status 2.
    """

    def __str__(self) -> str:
        """The line alone, also where a loading process has put its traceback before it."""
        return super().__str__().rsplit("InputError: ", 1)[-1].strip()


class UnreadableError(InputError):
    """An image file that is missing or damaged; a training goes on without it."""


class StoppedError(RuntimeError):
    """The machine, not the input, ended the work: no memory, a process that was killed.

    The message is one line that says what happened and what to do about it. The command line prints
    it without a traceback and exits with status 1.
    """


class Terminated(BaseException):
    """SIGTERM: the work ends now. The command line prints the line and exits with status 143."""
