"""The one exception for users: bad input, described in one line."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line that says what is wrong, where, and what to do about it. The command
    line prints it without a traceback and exits with status 2.
    """

    def __str__(self) -> str:
        """The line alone, also where a loading process has put its traceback before it."""
        return super().__str__().rsplit("InputError: ", 1)[-1].strip()
