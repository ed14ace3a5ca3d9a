"""Which image files there are, and under which name the files of one pair are found."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from samantic.errors import InputError
from samantic.strings import normal

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".fff", ".seq", ".csq")
"""Endings of files that are taken for images."""

_LOG = logging.getLogger("samantic")


class Images(dict[str, Path]):
    """Image files by the name that the files of one pair share, in Unicode's composed form (NFC).

    Args:
        place: The folder or pattern that was searched.
        base: The folder below which the pattern has stars; `place` itself if it is a folder.

    Attributes:
        passed: Files that are skipped because their names are not those of images.
        inside: Images in subfolders, skipped because the folder itself has images.
    """

    def __init__(self, place: Path, base: Path) -> None:
        super().__init__()
        self.place, self.base = place, base
        self.passed: list[Path] = []
        self.inside: list[Path] = []
        self._alike: dict[str, tuple[str, Path]] = {}

    def add(self, spelled: str, path: Path, same: str) -> None:
        """Add a file, or skip it if it is no image.

        Args:
            spelled: The file's name in the pair, as spelled on disk.
            path: The file.
            same: What two files of one name have in common, for the error message.

        Raises:
            InputError: Another file has the same name, or one that differs in letter case or
                Unicode form only.
        """
        if not is_image(path):
            if path.is_file():
                self.passed.append(path)
            return
        name = normal(spelled)
        before, other = self._alike.setdefault(name.lower(), (spelled, path))
        if other != path:
            what = f"has the same {same}; remove one"
            if normal(before) != name:
                what = "differs in letter case only; rename one"
            elif before != spelled:
                what = f"has the same {same} in another Unicode form; remove one"
            raise InputError(f"{path}: {other.name} {what}")
        self[name] = path

    def rename(self, names: Mapping[str, str]) -> None:
        """Store files under the names of their pairs."""
        files = {names.get(name, name): path for name, path in self.items()}
        self.clear()
        self.update(files)

    def notes(self) -> list[str]:
        """Lines on the files that are skipped; empty if there are none."""
        lines = []
        if self.passed:
            count, first = len(self.passed), self.passed[0].name
            what = f"{count} files are not read, first {first}"
            what = what if count > 1 else f"{first} is not read"
            ends = ", ".join(SUFFIXES)
            lines = [f"{self.place}: {what}; names of images end in {ends} and begin with no dot"]
        if self.inside:
            count, inner = len(self.inside), self.inside[0].relative_to(self.base)
            what = f"{count} images in subfolders are not read, first {inner}"
            lines.append(f"{self.place}: {what}; put all images into subfolders, or none")
        return lines


def tell(lines: Iterable[str]) -> None:
    """Log notes for the user as warnings; a command prints each line once."""
    for line in lines:
        _LOG.warning(line)


def check_root(root: Path) -> None:
    """Refuse a data set that is not there.

    Raises:
        InputError: There is no such folder.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; correct the path of the data set")


def stems(folder: Path) -> Images:
    """The images of a folder by file stem, sorted; those of its subfolders if it has none.

    Raises:
        InputError: The folder is missing, or two images differ only in their ending, letter case or
            Unicode form.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of images")
    found = Images(folder, folder)
    for path in sorted(folder.iterdir()):
        found.add(path.stem, path, "stem")
    if not found:
        return _nested(folder, found)
    found.inside = [path for path, _ in _inside(folder) if is_image(path)]
    return found


def _nested(folder: Path, found: Images) -> Images:
    """The images in the subfolders of a folder without images; a-b/c.png gets the name a-b-c."""
    for path, inner in _inside(folder):
        found.add("-".join((*inner.parent.parts, inner.stem)), path, "name")
    return found


def _inside(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Each path in the subfolders of a folder, hidden ones skipped, and the path below it."""
    for path in sorted(folder.glob("*/**/*")):
        inner = path.relative_to(folder)
        if not any(part.startswith(".") for part in inner.parts[:-1]):
            yield path, inner


def find_images(root: Path, pattern: str) -> Images:
    """The images below `root` by the name that the files of one pair share.

    Args:
        root: Folder.
        pattern: A folder, whose images are named by their stems; or a path with `*`, whose images
            are named by the text that the stars match: `drive/*_rgb.*` names `drive/17_rgb.png` 17.
            The pattern may be absolute. Other characters match themselves, and so does a star in
            the name of an existing folder.

    Raises:
        InputError: The folder is missing, nothing matches, or two images have one name.
    """
    base, stars = _split(root, pattern)
    if not stars:
        return stems(base)
    found = Images(root / pattern, base)
    for path in _glob(base, stars):
        name = matched(stars, path.relative_to(base).as_posix())
        found.add(name, path, f"name {name}")
    if not found:
        why = "".join(f" ({line})" for line in found.notes())
        raise InputError(
            f"{root / pattern}: no image matches{why}; correct the pattern or the folder"
        )
    return found


def is_there(root: Path, pattern: str) -> bool:
    """Whether the folder exists, or a file matches the pattern."""
    base, stars = _split(root, pattern)
    return bool(_glob(base, stars)) if stars else base.is_dir()


def _split(root: Path, pattern: str) -> tuple[Path, str]:
    """Split a pattern into the folder before its first part with a star, and the rest."""
    base, parts = root, Path(pattern).parts
    for place, part in enumerate(parts):
        if "*" in part and not (base / part).is_dir():
            if "**" in pattern:
                raise InputError(
                    f"{root / pattern}: ** is not supported in a pattern; write one * for each "
                    "folder"
                )
            return base, "/".join(parts[place:])
        base = base / part
    return base, ""


def _glob(base: Path, stars: str) -> list[Path]:
    """The paths below a folder that match a pattern in which only stars are special."""
    return sorted(base.glob(re.sub(r"([\[?])", r"[\1]", stars)))


def matched(pattern: str, path: str) -> str:
    """The text that a pattern's stars match in a path, joined by `-`; else the path itself.

    A `.*` at the end matches any ending, which is no part of the name.
    """
    stem = pattern.removesuffix(".*")
    expression = "([^/]*)".join(re.escape(part) for part in stem.split("*"))
    if stem != pattern:
        expression += r"\.[^./]*"
    match = re.fullmatch(expression, path)
    return "-".join(match.groups()) if match else path


def filled(pattern: str, name: str) -> str:
    """The path that a pattern gives a name: the inverse of `matched`.

    The last star takes the rest of the name, so it alone may contain `-`. The ending is .png where
    the pattern leaves it open.
    """
    if "*" not in pattern:
        return f"{pattern}/{name}.png"
    if pattern.endswith(".*"):
        pattern = pattern.removesuffix("*") + "png"
    values = name.split("-", pattern.count("*") - 1)
    for value in values:
        pattern = pattern.replace("*", value, 1)
    return pattern


def is_image(path: Path) -> bool:
    """Whether a file counts as an image, by its ending; hidden files do not."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
