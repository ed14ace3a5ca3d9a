"""The pairs of a split: from its list or its folders, with all files of every name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from samantic.data.cards.card import DatasetSpec
from samantic.data.folders import Images, find_images, is_image, is_there, matched
from samantic.data.lists import count_names, read_list
from samantic.data.pairing import partners, pattern_of
from samantic.data.timestamps import fitting_tolerance
from samantic.errors import InputError
from samantic.strings import substitute

_LEFT_OUT = ("has no partner and is left out", "have no partner and are left out")


class NoSplitError(InputError):
    """A data set has no split of this name."""


class Part(NamedTuple):
    """A split, or a part of it such as `train[:90%]`, from fraction `start` to `end`."""

    name: str
    start: float = 0.0
    end: float = 1.0


def read_part(text: str) -> Part:
    """Read the name of a split, or of a part of one.

    Raises:
        InputError: The part is empty, or ends beyond 100 %.
    """
    match = re.fullmatch(r"(.+?)(?:\[(?:(\d+)%)?:(?:(\d+)%)?\])?", text)
    name, start, end = match.groups() if match else (text, None, None)
    first, last = int((start or "0")[:4]), int((end or "100")[:4])
    if not first < last <= 100:
        raise InputError(
            f"split '{text[:60]}': no part of a split; its percentages must rise within 0..100, "
            "as in train[:90%] or train[90%:]"
        )
    return Part(name, first / 100, last / 100)


@dataclass(frozen=True)
class SplitFiles:
    """The files of a split.

    Attributes:
        names: The pairs.
        found: The files of each kind (rgb, thermal, labels) by name.
        notes: Notes for the user about the folders.
        repeats: A sentence on the names that the list holds twice; "" if there are none.
    """

    names: list[str]
    found: Mapping[str, Mapping[str, Path]]
    notes: list[str]
    repeats: str = ""


def find_split(root: Path, spec: DatasetSpec, split: str, labelled: bool) -> SplitFiles:
    """Find the pairs of a split.

    Args:
        root: Folder of the data set.
        spec: Its data card.
        split: Name of the split, or of a part of it.
        labelled: Whether to look for labels.

    Raises:
        NoSplitError: There is no such split.
        InputError: A folder or a partner is missing, a list cannot be read, or the split is empty.
    """
    part = read_part(split)
    places = {
        "rgb": spec.images or spec.rgb,
        "thermal": spec.images or spec.thermal,
        "labels": spec.labels if labelled else "",
    }
    places = {kind: place for kind, place in places.items() if place}
    searched = {k: _search(root, place, spec, part.name) for k, place in places.items()}
    guessed = _settle_names(searched)
    found = {kind: _joined(parts) for kind, parts in searched.items()}
    listing = root / substitute(spec.listing, split=part.name)
    twice: list[str] = []
    if listing.is_file():
        known = [images for parts in searched.values() for images in parts]
        names, twice = read_list(listing, known)
    elif part.name == "all" or any("{split}" in place for place in places.values()):
        names = list(next(iter(found.values())))
    else:
        raise _no_list(listing, root, spec)
    if part[1:] != (0, 1):
        names = sorted(names)[round(part.start * len(names)) : round(part.end * len(names))]
    lines = [line for parts in searched.values() for images in parts for line in images.notes()]
    lines = list(dict.fromkeys(lines + guessed))  # one folder can hold both rgb and thermal
    if not names:
        why = "".join(f" ({line})" for line in lines[:1])
        raise InputError(f"{root}: the split '{split}' is empty{why}; add pairs to it")
    lacking = _lacking(found, names)
    if spec.unpaired and 0 < len(lacking) < len(names):
        names = [name for name in names if name not in lacking]
        lines.append(f"{root}: {count_names(list(lacking), *_LEFT_OUT)}")
    elif lacking:
        _refuse(searched, found, names, split, spec)
    repeats = ""
    if twice:
        repeats = f"{listing}: {count_names(twice, 'is listed twice', 'are listed twice')}"
        lines.append(f"{repeats}; each is learnt from as often as it is listed")
    notes = lines if listing.is_file() else lines + _unpaired(searched)
    return SplitFiles(names, found, notes, repeats)


def _no_list(listing: Path, root: Path, spec: DatasetSpec) -> NoSplitError:
    return NoSplitError(
        f"{listing}: no such file; list the split's file stems in it, one a line, or use the "
        f"split 'all'{_others(root, spec)}"
    )


def _search(root: Path, place: str, spec: DatasetSpec, split: str) -> list[Images]:
    """The images of a pattern, or of several folders of which some may be missing."""
    patterns = [place] if is_there(root, place) else spec.of_split(place, split)
    there = [pattern for pattern in patterns if is_there(root, pattern)]
    if not there and "{split}" in place and "*" not in patterns[0]:
        raise NoSplitError(f"{root / patterns[0]}: no such folder of images")
    if not there and not spec.source and (hint := _patterns(root)):
        raise InputError(f"{root / patterns[0]}: no such folder of images; {hint}")
    return [find_images(root, pattern) for pattern in there or patterns[:1]]


def _patterns(root: Path) -> str:
    """How to give the files of one folder by patterns, if their names tell their kind."""
    for folder in (root, *sorted(path for path in root.iterdir() if path.is_dir())):
        names = [path.stem for path in sorted(folder.iterdir()) if is_image(path)]
        own = {kind: pattern_of(names, kind) for kind in ("rgb", "thermal", "labels")}
        if own["rgb"] and own["thermal"]:
            inner = folder.relative_to(root)
            places = [f'{k} "{(inner / p).as_posix()}"' for k, p in own.items() if p]
            return f"name the files in {folder} by patterns: {', '.join(places)}"
    return ""


def _joined(parts: Sequence[Images]) -> dict[str, Path]:
    """The images of several folders; a name may occur in one folder only."""
    found: dict[str, Path] = {}
    for images in parts:
        for name in images.keys() & found.keys():
            raise InputError(f"{images[name]}: {found[name]} has the same name {name}; rename one")
        found |= images
    return found


def _settle_names(searched: Mapping[str, Sequence[Images]]) -> list[str]:
    """Give partners the name of the first kind's file, where their names differ a little.

    Returns:
        A line for each folder in which names differ in more than letter case.
    """
    (kind, first), *others = searched.items()
    names = [name for images in first for name in images]
    lines = []
    for other, images in ((other, images) for other, parts in others for images in parts):
        found = partners(names, images, (kind, other))
        images.rename(found)
        words = [(a, b) for a, b in found.items() if a.casefold() != b.casefold()]
        if words:
            a, b = words[0]
            lines.append(f"{images.place}: {a} is taken for the partner of {b}, and so on")
    return lines


def _lacking(found: Mapping[str, Mapping[str, Path]], names: Sequence[str]) -> dict[str, None]:
    """Names that lack a file of some kind, in their order."""
    return {name: None for name in names if any(name not in known for known in found.values())}


def _refuse(
    searched: Mapping[str, Sequence[Images]],
    found: Mapping[str, Mapping[str, Path]],
    names: Sequence[str],
    split: str,
    spec: DatasetSpec,
) -> None:
    """Refuse names that lack a file of some kind; a name without any file is reported once."""
    told: set[str] = set()
    problems, missing = [], []
    for kind, known in found.items():
        absent = [name for name in names if name not in known and name not in told]
        told |= {name for name in absent if not any(name in part for part in found.values())}
        if absent:
            line = count_names(absent, "is missing", f"of {len(names)} are missing")
            why = "".join(f"; {note}" for images in searched[kind] for note in images.notes())
            problems.append(f"{searched[kind][0].place}: {line}{_alike(absent[0], known)}{why}")
            missing += absent
    several = len(set(missing)) > 1
    some = len(_lacking(found, names)) < len(names)
    if not some and {"rgb", "thermal"} <= found.keys():
        _refuse_times(searched, found)
    raise InputError(
        f"{'; '.join(problems)}; add the partner{'s' * several} or take "
        f"{'them' if several else missing[0]} out of the split '{split}'"
        + f", as {spec.unpaired_option} does"
        * some
    )


def _refuse_times(
    searched: Mapping[str, Sequence[Images]], found: Mapping[str, Mapping[str, Path]]
) -> None:
    """Refuse two cameras that named their files by their own clocks: a data set pairs by name."""
    if (fitting := fitting_tolerance(found["rgb"], found["thermal"])) is not None:
        count, tolerance = fitting
        raise InputError(
            f"{searched['rgb'][0].place} and {searched['thermal'][0].place}: no two images have "
            f"the same name, but the names hold times, and {count} pairs lie at most {tolerance} "
            f"apart; `samantic convert LABELS --images RGB --thermal THERMAL --tolerance "
            f"{tolerance} --out FOLDER` writes the labelled ones as pairs, and predict and "
            f"calibrate take --tolerance {tolerance} too"
        )


def _alike(name: str, known: Mapping[str, Path]) -> str:
    """A note on a file whose name differs from a missing one in letter case only; else ""."""
    other = next((path.name for key, path in known.items() if key.lower() == name.lower()), None)
    return "" if other is None else f" (there is {other}: letter case counts)"


def _unpaired(searched: Mapping[str, Sequence[Images]]) -> list[str]:
    """Lines on files that belong to no pair, where every file of the first kind makes a pair."""
    first, *others = searched.values()
    names = {name for images in first for name in images}
    lines = []
    for images in (images for parts in others for images in parts):
        extra = sorted(images.keys() - names)
        if extra:
            lines.append(
                f"{images.place}: {count_names(extra, 'has no partner', 'have no partner')}; not "
                f"used, since {first[0].place} has no file of that name"
            )
    return lines


def _others(root: Path, spec: DatasetSpec) -> str:
    """A note on the splits that have a list; "" if there are none."""
    pattern = substitute(spec.listing, split="*")
    names = sorted(matched(pattern, path.name) for path in root.glob(pattern))
    if not names and (root / "data.yaml").is_file():
        return f"; {root / 'data.yaml'} names the splits that convert made: copy its lines"
    return f" (there is a list of {', '.join(names)})" if names else ""
