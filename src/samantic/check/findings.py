"""Errors and warnings that follow from the measurements of a data set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from samantic.check.facts import SplitFacts, duplicates, find_splits, inspect_split
from samantic.config.classes import MOST_CLASSES
from samantic.config.scaling import Scaling
from samantic.data.camera import ALIGNED_8_BIT, Camera
from samantic.data.cards.card import DatasetSpec
from samantic.data.folders import check_root
from samantic.data.thermal import CLIPPED
from samantic.errors import InputError
from samantic.measure.tables import pair_count
from samantic.spelling import option

APART = 3.0
"""Median misalignment in pixels from which there is a warning."""

IGNORED = 0.3
"""Share of ignored label pixels from which there is a warning."""

RARE = 0.0005
"""Share of the pixels below which a class counts as rare."""


@dataclass(frozen=True)
class Findings:
    """The result of a check.

    Attributes:
        classes: Class names by label id.
        splits: Measurements of each split.
        errors: Why a training would fail.
        warnings: Warnings with advice.
    """

    classes: tuple[str, ...]
    splits: list[SplitFacts]
    errors: list[str]
    warnings: list[str]

    def to_json(self) -> dict[str, Any]:
        """The content of check.json."""
        return {
            "classes": self.classes,
            "splits": {split.name: split.summary() for split in self.splits},
            "errors": self.errors,
            "warnings": self.warnings,
        }


def check(
    root: Path,
    spec: DatasetSpec,
    names: list[str] | None = None,
    camera: Camera = ALIGNED_8_BIT,
) -> Findings:
    """Read a data set, and find errors and warnings.

    Args:
        root: Its folder.
        spec: Its data card; without class names, label ids are the names.
        names: Splits to check; None means those that exist.
        camera: Its rig is applied before the alignment is estimated. If it has a fixed thermal
            range, values must fit it.

    Raises:
        InputError: There is no such folder.
    """
    check_root(root)
    numbered = not spec.classes
    if numbered:
        spec = replace(spec, classes=tuple(str(label) for label in range(MOST_CLASSES)))
    splits, errors = [], []
    for name in names or find_splits(root, spec):
        try:
            splits.append(inspect_split(root, spec, name, camera))
        except InputError as error:
            errors.append(str(error))
    classes = _occurring(splits, spec.classes) if numbered else spec.classes
    for split in splits:
        errors += split.broken + split.problems
        if split.name == "train" and split.pairs and split.shares() is None:
            errors.append(f"train: no labels in {root / spec.labels}; label it, or only predict")
    warnings = list(dict.fromkeys(line for split in splits for line in split.notes))
    warnings += [line for split in splits for line in _mind(split, classes, camera.scaling)]
    for a, b in combinations(splits, 2):
        warnings += _twins(a, b)
    return Findings(classes, splits, errors, warnings)


def _occurring(splits: list[SplitFacts], classes: tuple[str, ...]) -> tuple[str, ...]:
    """Label ids, as names, up to the largest that occurs."""
    shares = [s for s in (split.shares() for split in splits) if s is not None]
    if not shares:
        return ()
    return classes[: int(np.flatnonzero(np.sum(shares, axis=0)).max(initial=0)) + 1]


def _mind(split: SplitFacts, classes: tuple[str, ...], scaling: Scaling) -> list[str]:
    lines = []
    depths = {pair.depth for pair in split.pairs if pair.depth}
    spans = {pair.name: pair.thermal for pair in split.pairs if pair.thermal is not None}
    ends = np.array([*spans.values()] or [(0, 1)])
    if depths - {"uint8"} and scaling.kind == "8-bit":
        lines.append(
            f"{split.name}: thermal has {', '.join(sorted(depths))} values, {ends.min():g} to "
            f"{ends.max():g} (1 % to 99 %); say how to scale them: frame or LOW,HIGH "
            f"({option('data.thermal_scaling')}; in a training also dataset)"
        )
    clipped = [pair.name for pair in split.pairs if pair.beyond > CLIPPED]
    if clipped and not split.problems:
        lines.append(
            f"{split.name}: {_images(clipped, 'lies', 'lie')} beyond {scaling} for the most part, "
            f"first {clipped[0]}; such pixels become black or white"
        )
    flat = [name for name, (low, high) in spans.items() if low == high]
    if flat:
        what = _images(flat, "is", "are")
        lines.append(f"{split.name}: {what} of one value, first {flat[0]}; is the camera covered?")
    if len(depths) > 1:
        lines.append(f"{split.name}: thermal images of several depths; convert them to one depth")
    if split.polarity.hot == "dark":
        cure = (
            "leave --thermal-inverted out"
            if scaling.inverted
            else f"look, and say so with {option('data.thermal_inverted')}"
        )
        lines.append(f"{split.name}: hot seems to be dark in thermal (black-hot); {cure}")
    distances = [shift.distance for shift in split.shifts()]
    if distances and np.median(distances) >= APART:
        lines.append(
            f"{split.name}: RGB and thermal are misaligned by {np.median(distances):.0f} pixels "
            f"(median of {pair_count(len(distances))}, worst {max(distances):.0f}); calibrate the "
            f"cameras to one another (samantic calibrate, then {option('data.rig')}), or train "
            "with --augment.misalign"
        )
    return lines + _mind_classes(split, classes)


def _mind_classes(split: SplitFacts, classes: tuple[str, ...]) -> list[str]:
    shares = split.shares()
    if shares is None:
        return []
    ignored = split.ignored() or 0.0
    named = dict(zip(classes, shares, strict=False))
    lines = []
    if ignored >= IGNORED:
        lines.append(
            f"{split.name}: {ignored:.0%} of the label pixels do not count (255 in the files, or "
            "an id without a class); check whether they should be ignored"
        )
    absent = [name for name, share in named.items() if share == 0]
    if absent:
        one, learnt = len(absent) == 1, split.name == "train"
        lines.append(
            f"{split.name}: no pixel of {', '.join(absent)}; {'it' if one else 'they'} "
            + ("cannot be learnt" if learnt else f"{'counts' if one else 'count'} 0 in mIoU")
        )
    rare = [name for name, share in named.items() if 0 < share < RARE]
    if rare and split.name == "train":
        lines.append(
            f"train: {', '.join(rare)} {'holds' if len(rare) == 1 else 'hold'} less than "
            f"{RARE:.2%} of the pixels; try --loss.class-balance 0.3"
        )
    return lines


def _twins(a: SplitFacts, b: SplitFacts) -> list[str]:
    found = duplicates(a.pairs, b.pairs)
    if not found:
        return []
    first, second = found[0]
    count = len({ours for ours, _ in found})
    what = "1 picture is" if count == 1 else f"{count} pictures are"
    what += f" in both {a.name} and {b.name}{':' if count == 1 else ', first'} {first}"
    if first != second:
        what += f" (in {b.name}: {second})"
    return [f"{what}; what is tested on must not be learnt"]


def _images(names: list[str], one: str, several: str) -> str:
    """A number of thermal images with its verb."""
    return f"1 thermal image {one}" if len(names) == 1 else f"{len(names)} thermal images {several}"
