"""The start folder of an input, the paths that match its pattern, and the names of their pairs."""

from __future__ import annotations

import re
from typing import NamedTuple

from samantic.errors import InputError

SPECIAL = re.compile(r"[*{]")

TOKENS = re.compile(r"\*\*/|\*|\{[^{}]*\}")
"""The special characters of a pattern; every other character matches itself."""

FOLDERS = "**/{rgb,thermal}/*"
"""Images at any depth of a folder, in folders named after the cameras."""


def split_uri(uri: str) -> tuple[str, str]:
    """The fixed start of a URI, with its options, and the pattern below it; "" without a pattern.

    Example:
        >>> split_uri("s3://fleet/2026/*/{rgb,thermal}/*.png?region=eu-west-1")
        ('s3://fleet/2026?region=eu-west-1', '*/{rgb,thermal}/*.png')
    """
    body, mark, options = uri.partition("?") if "://" in uri else (uri, "", "")
    parts = body.split("/")
    for place, part in enumerate(parts):
        if SPECIAL.search(part):
            base = "/".join(parts[:place]) or ("/" if place else ".")
            return f"{base}{mark}{options}", "/".join(parts[place:])
    return uri, ""


class Pattern(NamedTuple):
    """The paths of the images of two cameras.

    Attributes:
        rgb: Regular expression of an RGB image's path; its groups form the pair's name.
        thermal: The same for thermal images.
    """

    rgb: re.Pattern[str]
    thermal: re.Pattern[str]

    def name(self, path: str) -> tuple[str, str] | None:
        """The sensor and the pair's name of a path; None for any other file."""
        for sensor, expression in zip(("rgb", "thermal"), self, strict=True):
            if match := expression.fullmatch(path):
                parts = [part.strip("/") for part in match.groups()]
                return sensor, "/".join(part for part in parts if part)
        return None


def image_pattern(text: str) -> Pattern:
    """Read a pattern of image files, or of folders that contain `rgb` and `thermal`.

    `*` matches any part of a name, `**/` any folders, and `{rgb,thermal}` the folder or word of
    either camera.

    Raises:
        InputError: A pattern of image files has no braces, a brace has no partner, or braces do not
            hold two words.

    Example:
        >>> image_pattern("*/{rgb,thermal}/*.png").name("drive1/thermal/0001.png")
        ('thermal', 'drive1/0001')
    """
    if "{" not in text:
        if "." in text.rpartition("/")[2]:
            raise InputError(
                f"--input: {text}: a pattern of images names both cameras, as in "
                "*/{rgb,thermal}/*.png"
            )
        text = f"{text.rstrip('/')}/{FOLDERS}" if text else FOLDERS
    return Pattern(*(re.compile(_expression(text, sensor)) for sensor in (0, 1)))


def _expression(text: str, sensor: int) -> str:
    """The regular expression of one camera's paths."""
    ending = ""
    if text.endswith("*"):  # the ending of a file is not part of the pair's name
        text, ending = text.removesuffix(".*"), r"\.[^./]+"
    found, last = "", 0
    for token in TOKENS.finditer(text):
        found += re.escape(text[last : token.start()])
        last = token.end()
        if token[0] == "**/":
            found += "((?:[^/]+/)*)"
        elif token[0] == "*":
            found += "([^/]*)"
        else:
            words = token[0][1:-1].split(",")
            if len(words) != 2:
                raise InputError(
                    f"--input: {token[0]}: braces hold the words of two cameras, as {{rgb,thermal}}"
                )
            found += re.escape(words[sensor])
    rest = TOKENS.sub("", text)
    if "{" in rest or "}" in rest:
        raise InputError(f"--input: {text}: a brace without its partner; write {{rgb,thermal}}")
    return found + re.escape(text[last:]) + ending


def expanded(text: str) -> list[re.Pattern[str]]:
    """The regular expressions of a pattern of shards or manifests, where {000..099} is a range.

    Raises:
        InputError: Braces hold no range, or one of too many numbers.

    Example:
        >>> len(expanded("train-{000..099}.tar"))
        100
    """
    match = re.search(r"\{(\d+)\.\.(\d+)\}", text)
    if match:
        low, high = match.groups()
        if not 0 <= int(high) - int(low) < 1_000_000:
            raise InputError(f"--input: {match[0]}: not a range of up to a million numbers")
        before, after = text[: match.start()], text[match.end() :]
        numbers = (f"{number:0{len(low)}d}" for number in range(int(low), int(high) + 1))
        return [part for number in numbers for part in expanded(f"{before}{number}{after}")]
    if "{" in text or "}" in text:
        raise InputError(f"--input: {text}: braces hold a range of numbers, as {{000..099}}")
    stars = re.escape(text).replace(r"\*\*/", "(?:[^/]+/)*").replace(r"\*", "[^/]*")
    return [re.compile(stars)]
