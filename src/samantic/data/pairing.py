"""Which files of two folders belong together, although their names differ a little."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable

WORDS = {
    "rgb": "rgb color colour vis visible eo optical wide w v",
    "thermal": "thermal th t tir ir lwir infrared flir heat",
    "labels": "label labels labelids labeltrainids mask masks gt seg segmentation annotation",
}
"""Words at either end of a file name that say what the file shows; they are no part of the pair's
name."""


def partners(first: Iterable[str], others: Iterable[str], kinds: tuple[str, str]) -> dict[str, str]:
    """Match the names of other files with the names of pairs.

    Names match in one of these ways; the first that applies counts:

    1. They are equal.
    2. They differ in letter case only.
    3. They are equal without the word of their kind (such as rgb, ir or mask) at either end.
    4. They are equal without such a word anywhere and without leading zeros of numbers.

    A name that matches two pairs belongs to neither.

    Args:
        first: Names of pairs.
        others: Names of files of another kind.
        kinds: The kinds of both, keys of `WORDS`.

    Returns:
        The pair's name by the other name, for the names that match.

    Example:
        >>> partners(["1_rgb", "2_rgb"], ["1_IR", "3_IR"], ("rgb", "thermal"))
        {'1_IR': '1_rgb'}
    """
    pairs, names = list(first), list(others)
    known = set(pairs)
    found = {name: name for name in names if name in known}
    for plain in (_same_case, without_word, _loosely):
        used = set(found.values())
        ours = _by(plain, kinds[0], (name for name in pairs if name not in used))
        theirs = _by(plain, kinds[1], (name for name in names if name not in found))
        for key, own in theirs.items():
            if len(own) == len(ours[key]) == 1:
                found[own[0]] = ours[key][0]
    return found


def without_word(name: str, kind: str) -> str:
    """A name in lower case without the word that says what its file shows.

    Labels are often named after the image on which they were drawn; they lose its word as well.

    Example:
        >>> without_word("DJI_0001_T_mask", "labels")
        'dji_0001'
    """
    if kind != "labels":
        return _without(name.casefold(), WORDS[kind])
    return _without(_without(name.casefold(), WORDS[kind]), f"{WORDS['rgb']} {WORDS['thermal']}")


def _without(plain: str, listed: str) -> str:
    words = listed.replace(" ", "|")
    short = re.sub(rf"(?<=.)[ _.-]+(?:{words})$", "", plain)
    return short if short != plain else re.sub(rf"^(?:{words})[ _.-]+(?=.)", "", plain)


def pattern_of(names: Iterable[str], kind: str) -> str:
    """The pattern of the names that begin or end with a word of a kind; "" if there are none.

    Example:
        >>> pattern_of(["1_rgb", "1_ir"], "thermal")
        '*_ir.*'
    """
    words = WORDS[kind].replace(" ", "|")
    for name in names:
        if match := re.search(rf"[ _.-]+(?:{words})$", name, re.IGNORECASE):
            return f"*{match.group()}.*"
        if match := re.match(rf"(?:{words})[ _.-]+", name, re.IGNORECASE):
            return f"{match.group()}*.*"
    return ""


def _same_case(name: str, kind: str) -> str:
    return name.casefold()


def _loosely(name: str, kind: str) -> str:
    """A name without the first word of its kind, at any place, and without leading zeros.

    Words of one letter count at the ends only; there `without_word` removes them. A word may touch
    a number: 0001rgb.
    """
    plain = without_word(name, kind)
    images = f"{WORDS['rgb']} {WORDS['thermal']}"
    for listed in (WORDS[kind], images) if kind == "labels" else (WORDS[kind],):
        words = "|".join(word for word in listed.split() if len(word) > 1)
        start = r"(?:(?<=\d)|(?:^|[ _.-]+))"
        plain = re.sub(rf"{start}(?:{words})(?=[ _.-]|\d|$)", "", plain, count=1)
    return re.sub(r"(?<!\d)0+(?=\d)", "", plain.strip(" _.-"))


def _by(
    plain: Callable[[str, str], str], kind: str, names: Iterable[str]
) -> defaultdict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        found[plain(name, kind)].append(name)
    return found
