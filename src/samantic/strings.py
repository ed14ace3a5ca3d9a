"""Text from users, made safe for a terminal, a page, a table or a path."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that change the direction of the text after them, and so would disguise a name."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters at which a spreadsheet takes a cell for a formula."""


def substitute(text: str, **values: object) -> str:
    """Put values in place of {name}; other braces are not changed.

    Example:
        >>> substitute("runs/{x}/seed{seed}", seed=1)
        'runs/{x}/seed1'
    """
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def of_seed(place: str, seed: int) -> str:
    """A place for a seed: an existing folder of this name, else `{seed}` becomes the seed."""
    return place if Path(place).exists() else substitute(place, seed=seed)


def normal(text: str) -> str:
    """A name in Unicode's composed form: macOS decomposes letters with accents in file names."""
    return unicodedata.normalize("NFC", text)


def is_control(character: str) -> bool:
    """Whether a character controls a terminal, or is no valid character."""
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in BIDI


def printable(text: object) -> str:
    r"""Text as one line in which characters that control a terminal are escaped.

    Example:
        >>> printable("a\x1b[31m\n")
        'a\\x1b[31m\\n'
    """
    return "".join(c.encode("unicode_escape").decode() if is_control(c) else c for c in str(text))


def width(text: str) -> int:
    """Width of a text in terminal columns: two for wide characters, none for combining ones."""
    return sum(
        0
        if unicodedata.category(c) in ("Mn", "Me", "Cf")
        else 2
        if unicodedata.east_asian_width(c) in "WF"
        else 1
        for c in text
    )


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """Text at the left, or at the right, of so many columns of a terminal."""
    gap = " " * (columns - width(text))
    return gap + text if right else text + gap


def aligned(lines: list[list[str]]) -> list[str]:
    """Lines of cells, padded to columns, for a terminal."""
    cells = [[printable(cell) for cell in line] for line in lines]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(map(padded, line, widths)) for line in cells]


def escaped(text: object) -> str:
    """Text that Markdown shows as it is, in a table too."""
    line = re.sub(r"([\\`*\[\]|~$])", r"\\\1", printable(text))
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", line.replace("&", "&amp;").replace("<", "&lt;"))


def code(text: object) -> str:
    """Text as code in Markdown, in a table too; the fence is longer than any in it."""
    line = printable(text).replace("|", r"\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    blank = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{blank}{line}{blank}{fence}"


def spreadsheet(text: str) -> str:
    """Text for a cell of CSV that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def file_name(text: str) -> str:
    """Text as a part of one file name, which leads into no other folder.

    Example:
        >>> file_name("../../x")
        '..-..-x'
    """
    return re.sub(r"[/\\\x00-\x1f\x7f]+", "-", text)
