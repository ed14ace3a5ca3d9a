"""Which image files there are, and by which name they belong together."""

from __future__ import annotations

import re
from pathlib import Path

from samantic.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
"""File names that are taken for images."""


def stems(folder: Path) -> dict[str, Path]:
    """The images of a folder by file stem, sorted.

    Raises:
        InputError: The folder is missing, or two images differ in their ending only.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of images")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if _is_image(path):
            if path.stem in found:
                raise InputError(f"{path}: {found[path.stem].name} has the same stem; remove one")
            found[path.stem] = path
    return found


def find_images(root: Path, pattern: str) -> dict[str, Path]:
    """The images below `root` by the name that partners share.

    Args:
        root: Folder.
        pattern: A folder, whose images are named by their stems; or a path with `*`, whose images
            are named by what the stars stand for: `drive/*_rgb.*` names `drive/17_rgb.png` 17.

    Raises:
        InputError: The folder is missing, nothing matches, or two images have one name.
    """
    if "*" not in pattern:
        return stems(root / pattern)
    found: dict[str, Path] = {}
    for path in sorted(root.glob(pattern)):
        if not _is_image(path):
            continue
        name = matched(pattern, path.relative_to(root).as_posix())
        if name in found:
            raise InputError(f"{path}: {found[name].name} has the same name {name}; remove one")
        found[name] = path
    if not found:
        raise InputError(f"{root / pattern}: no image matches; correct the pattern or the folder")
    return found


def matched(pattern: str, path: str) -> str:
    """What the stars of a pattern stand for in a path, joined by `-`; the path if it fits not.

    A `.*` at the end is any ending, and no part of the name.
    """
    stem = pattern.removesuffix(".*")
    expression = "([^/]*)".join(re.escape(part) for part in stem.split("*"))
    if stem != pattern:
        expression += r"\.[^./]*"
    match = re.fullmatch(expression, path)
    return "-".join(match.groups()) if match else path


def listed(listing: Path, pattern: str) -> list[str]:
    """The names in a list, one a line: plain names, or paths that the pattern fits.

    Of a line with commas the first part counts.

    Raises:
        InputError: It is no text.
    """
    try:
        lines = listing.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{listing}: not UTF-8 text; list one name a line") from None
    return [matched(pattern, line.split(",")[0].strip()) for line in lines if line.strip()]


def filled(pattern: str, name: str) -> str:
    """The path that a pattern gives a name: the reverse of `matched`.

    Only the last star stands for what holds a `-`. An ending that a folder or `.*` leaves open is
    .png.
    """
    if "*" not in pattern:
        return f"{pattern}/{name}.png"
    if pattern.endswith(".*"):
        pattern = pattern.removesuffix("*") + "png"
    values = name.split("-", pattern.count("*") - 1)
    for value in values:
        pattern = pattern.replace("*", value, 1)
    return pattern


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
