"""Which image files there are, and by which name they belong together."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from samantic.errors import InputError
from samantic.strings import normal

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".fff", ".seq", ".csq")
"""File names that are taken for images."""

_LOG = logging.getLogger("samantic")


class Images(dict[str, Path]):
    """Image files by the name that partners share, in Unicode's composed form.

    Args:
        place: The folder or pattern that was searched.
        base: The folder below which a pattern has stars; `place` itself if it is a folder.

    Attributes:
        passed: Files there that are no images by their names.
        inside: Images in folders inside, which are not read as there are some here.
    """

    def __init__(self, place: Path, base: Path) -> None:
        super().__init__()
        self.place, self.base = place, base
        self.passed: list[Path] = []
        self.inside: list[Path] = []
        self._alike: dict[str, tuple[str, Path]] = {}

    def add(self, spelled: str, path: Path, same: str) -> None:
        """Take a file up, or pass over one that is no image.

        Args:
            spelled: Its name.
            path: The file.
            same: What two files of one name have the same, for the error.

        Raises:
            InputError: Another file has this name, but for letter case or Unicode form.
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
        """Take files by other names, those of their pairs."""
        files = {names.get(name, name): path for name, path in self.items()}
        self.clear()
        self.update(files)

    def notes(self) -> list[str]:
        """Lines on what is passed over, if anything is."""
        lines = []
        if self.passed:
            count, first = len(self.passed), self.passed[0].name
            what = f"{count} files are not read, first {first}"
            what = what if count > 1 else f"{first} is not read"
            ends = ", ".join(SUFFIXES)
            lines = [f"{self.place}: {what}; names of images end in {ends} and begin with no dot"]
        if self.inside:
            count, inner = len(self.inside), self.inside[0].relative_to(self.base)
            what = f"{count} images in folders inside are not read, first {inner}"
            lines.append(f"{self.place}: {what}; put all images into folders inside, or none")
        return lines


def tell(lines: Iterable[str]) -> None:
    """Say what a user should know, though work goes on; a command says each line once."""
    for line in lines:
        _LOG.warning(line)


def stems(folder: Path) -> Images:
    """The images of a folder by file stem, sorted; those of the folders inside if it has none.

    Raises:
        InputError: The folder is missing, or two images differ in their ending only, in letter case
            only or in Unicode form only.
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
    """The images of the folders inside one that has none itself, named as a-b/c.png: a-b-c."""
    for path, inner in _inside(folder):
        found.add("-".join((*inner.parent.parts, inner.stem)), path, "name")
    return found


def _inside(folder: Path) -> Iterator[tuple[Path, Path]]:
    """What lies in the folders inside one, hidden ones left out, with the paths below it."""
    for path in sorted(folder.glob("*/**/*")):
        inner = path.relative_to(folder)
        if not any(part.startswith(".") for part in inner.parts[:-1]):
            yield path, inner


def find_images(root: Path, pattern: str) -> Images:
    """The images below `root` by the name that partners share.

    Args:
        root: Folder.
        pattern: A folder, whose images are named by their stems; or a path with `*`, whose images
            are named by what the stars stand for: `drive/*_rgb.*` names `drive/17_rgb.png` 17. It
            may be absolute. Any other character stands for itself, and so does a star in the name
            of a folder that is there.

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
    """Whether a folder is there, or a file that a pattern fits."""
    base, stars = _split(root, pattern)
    return bool(_glob(base, stars)) if stars else base.is_dir()


def _split(root: Path, pattern: str) -> tuple[Path, str]:
    """The folder that a pattern begins with, and the rest from the first part with a star on."""
    base, parts = root, Path(pattern).parts
    for place, part in enumerate(parts):
        if "*" in part and not (base / part).is_dir():
            if "**" in pattern:
                raise InputError(
                    f"{root / pattern}: ** is no pattern here; write one * for each folder"
                )
            return base, "/".join(parts[place:])
        base = base / part
    return base, ""


def _glob(base: Path, stars: str) -> list[Path]:
    """The paths below a folder that a pattern fits, in which stars alone are special."""
    return sorted(base.glob(re.sub(r"([\[?])", r"[\1]", stars)))


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


def is_image(path: Path) -> bool:
    """Whether a file is taken for an image, by its name."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
