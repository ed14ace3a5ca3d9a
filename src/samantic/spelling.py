"""How an option is spelled: as a verb's option, as a configuration key, or in Python."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple

Where = Literal["verb", "configuration", "python"]

NAMES = {"data.eval_size": "size", "data.root": "data"}
"""Keys whose last word differs in the options of verbs without a configuration."""


class Asked(NamedTuple):
    """The caller for whom options are spelled.

    Attributes:
        where: A verb with its own options, a verb that reads a configuration, or Python.
        words: The words that were typed after `samantic`.
    """

    where: Where = "python"
    words: tuple[str, ...] = ()


_asked = [Asked()]


@contextmanager
def asked(where: Where, words: Sequence[str]) -> Iterator[None]:
    """Spell options for this caller while a command runs."""
    _asked.append(Asked(where, tuple(words)))
    try:
        yield
    finally:
        _asked.pop()


def option(key: str) -> str:
    """Spell an option, given by its key in a configuration, for the present caller.

    Example:
        >>> with asked("verb", ["predict"]):
        ...     option("data.thermal_scaling")
        '--thermal-scaling'
    """
    match _asked[-1].where:
        case "verb":
            return f"--{NAMES.get(key, key.rpartition('.')[2]).replace('_', '-')}"
        case "configuration":
            return f"--{key.replace('_', '-')}"
        case "python":
            return key.rpartition(".")[2]


def remedy(values: Mapping[str, str]) -> str:
    """What the user should type: the same command with further options, or Python arguments.

    Args:
        values: Values by key in a configuration.
    """
    if _asked[-1].where == "python":
        texts = {key: "None" if v == "null" else f'"{v}"' for key, v in values.items()}
        return " and ".join(f"{option(key)}={text}" for key, text in texts.items())
    names = {option(key): value for key, value in values.items()}
    words, dropped = ["samantic"], False  # dropped: the next word is a removed option's value
    for word in _asked[-1].words:
        name = word.partition("=")[0]
        if not word.startswith("--"):
            words += [word] * (not dropped)
            dropped = False
        elif name.replace("_", "-") in names:
            dropped = "=" not in word
        else:
            words.append(word)
            dropped = False
    words += [word for pair in names.items() for word in pair]
    return f"`{shlex.join(words)}`"
