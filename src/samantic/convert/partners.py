"""Find the image of each picture in an export."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise, takewhile
from pathlib import Path, PurePosixPath

from samantic.convert.export import Picture, without_ending
from samantic.data.folders import SUFFIXES
from samantic.data.lists import count_names
from samantic.data.timestamps import fitting_tolerance, partners_in_time, seconds_of
from samantic.errors import InputError
from samantic.spelling import remedy
from samantic.strings import normal


class ImageIndex:
    """Images below folders, found by the last parts of their paths, without the ending.

    Args:
        folders: Folders to search, with their subfolders.
        labels: Label images, which are left out.
        without: A folder that is left out.
    """

    def __init__(
        self, folders: Sequence[Path], labels: Iterable[Path] = (), without: Path | None = None
    ) -> None:
        self.folders = folders
        self._found: defaultdict[str, list[tuple[tuple[str, ...], Path]]] = defaultdict(list)
        others = {path.resolve() for path in labels}
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                inner = path.relative_to(folder)
                hidden = any(part.startswith(".") for part in inner.parts)
                if hidden or path.suffix.lower() not in SUFFIXES or path.resolve() in others:
                    continue
                if without is None or not path.is_relative_to(without):
                    parts = _parts(inner.as_posix())
                    self._found[parts[-1]].append((parts, path))

    def by_path(self) -> dict[str, Path]:
        """All images by their paths."""
        return {str(p): p for known in self._found.values() for _, p in known}

    def find(self, picture: Picture, option: str) -> Path | None:
        """The image of a picture; None if there is none.

        Raises:
            InputError: Several images fit.
        """
        for name in (picture.name, *picture.others):
            parts = _parts(name)
            known = self._found.get(parts[-1], [])
            alike = [_common(inner, parts) for inner, _ in known]
            found = [path for i, (_, path) in enumerate(known) if alike[i] == max(alike)]
            if len(found) > 1:
                raise InputError(
                    f"{picture.where}: its image may be {found[0]} or {found[1]}; give the folder "
                    f"of the right ones by {option}"
                )
            if found:
                return found[0]
        return None


def find_images(
    pictures: Sequence[Picture], index: ImageIndex, option: str, needed: bool, unpaired: bool
) -> list[Path | None]:
    """The image of each picture; None where there is none.

    Args:
        pictures: The pictures.
        index: Index of the images.
        option: The option that gives the folder, for errors.
        needed: Whether every picture must have an image; else only if at least one has.
        unpaired: Whether a picture without an image is skipped.

    Raises:
        InputError: Pictures lack their image.
    """
    found = [index.find(picture, option) for picture in pictures]
    _refuse_shared(pictures, found, option)
    if needed or any(found):
        _refuse_missing(pictures, found, index, option, unpaired)
    return found


def find_in_time(
    pictures: Sequence[Picture], index: ImageIndex, tolerance: float, unpaired: bool
) -> list[Path | None]:
    """The thermal image of each picture that was taken at its time; None where there is none.

    Args:
        pictures: They.
        index: The thermal images.
        tolerance: Most seconds between the two.
        unpaired: Whether a picture without one is no error.

    Raises:
        InputError: A name holds no time, some pictures have no thermal image, or the thermal images
            of two folders lie in the same time.
    """
    heat = index.by_path()
    ours = {picture.name: Path(f"{picture.name}.png") for picture in pictures}
    if not heat:
        raise InputError(f"{index.folders[0]}: no images in this folder; correct --thermal")
    _refuse_same_time(heat.values())
    partners = partners_in_time(ours, heat, tolerance)
    found = [heat[partners[p.name]] if p.name in partners else None for p in pictures]
    _refuse_missing(pictures, found, index, f"--thermal or --tolerance {tolerance:g}", unpaired)
    return found


def _refuse_missing(
    pictures: Sequence[Picture],
    found: Sequence[Path | None],
    index: ImageIndex,
    option: str,
    unpaired: bool,
) -> None:
    """Refuse pictures without an image, and say by which tolerance thermal images fit in time."""
    missing = [p.name for p, path in zip(pictures, found, strict=True) if path is None]
    if not missing or unpaired:
        return
    cure = f"correct {option}, or leave these out by --allow-unpaired"
    if option == "--thermal" and len(missing) == len(found):
        ours = {name: Path(f"{name}.png") for name in missing}
        if (fitting := fitting_tolerance(ours, index.by_path())) is not None:
            count, tolerance = fitting
            cure = (
                f"the names hold times, and {count} of both lie at most {tolerance} apart: pair "
                f"them by {remedy({'tolerance': tolerance})}"
            )
    raise InputError(
        f"{index.folders[0]}: {count_names(missing, 'has labels', 'have labels')}, but no "
        f"image there; {cure}"
    )


def _refuse_same_time(images: Iterable[Path]) -> None:
    """Refuse folders whose images lie in the same time; nothing says which of them is meant."""
    times: defaultdict[Path, list[float]] = defaultdict(list)
    for path in images:
        if (seconds := seconds_of(path.stem)) is not None:
            times[path.parent].append(seconds)
    spans = sorted((min(found), max(found), folder) for folder, found in times.items())
    for (_, last, folder), (first, _, other) in pairwise(spans):
        if first <= last:
            raise InputError(
                f"{folder} and {other}: their images lie in the same time; convert the recordings "
                "one by one, with one of these folders as --thermal"
            )


def _refuse_shared(pictures: Sequence[Picture], found: Sequence[Path | None], option: str) -> None:
    """Refuse one image for two pictures; one of them has its own image in another folder."""
    users: dict[Path, Picture] = {}
    for picture, path in zip(pictures, found, strict=True):
        if path is not None and (other := users.setdefault(path, picture)) is not picture:
            raise InputError(
                f"{path}: the only image that fits {other.name} as well as {picture.name}; give "
                f"the folder of both by {option}"
            )


def _parts(path: str) -> tuple[str, ...]:
    return PurePosixPath(normal(without_ending(path)).casefold()).parts


def _common(inner: tuple[str, ...], parts: tuple[str, ...]) -> tuple[int, int]:
    """Number of equal last parts of two paths, and number of equal folders."""
    pairs = zip(reversed(inner), reversed(parts), strict=False)
    last = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return last, len({*inner[:-1]} & {*parts[:-1]})


def output_names(pictures: Sequence[Picture]) -> list[str]:
    """A file name for each picture: its own, or with its folders if two pictures share a name.

    Raises:
        InputError: Two pictures are the same.
    """
    short = [PurePosixPath(picture.name).name for picture in pictures]
    names = short
    if len({normal(name).casefold() for name in short}) < len(short):
        names = [picture.name.replace("/", "-") for picture in pictures]
    seen: dict[str, str] = {}
    for name, picture in zip(names, pictures, strict=True):
        key = normal(name).casefold()
        if key in seen:
            raise InputError(
                f"{picture.where}: {name} is labelled a second time, first by {seen[key]}; give "
                "one of the files, or rename an image"
            )
        seen[key] = picture.where
    return names
