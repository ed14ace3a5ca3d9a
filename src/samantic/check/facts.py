"""The content of a data set: every pair is read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samantic.check.polarity import UNASKED, Polarity, estimate_polarity
from samantic.config.classes import IGNORE
from samantic.data.alignment import Shift, estimate_shift
from samantic.data.camera import Camera
from samantic.data.cards.card import DatasetSpec
from samantic.data.folders import is_there
from samantic.data.images import check_size
from samantic.data.pairs import PairedFolder
from samantic.data.preflight import TYPED, check_cameras, check_kinds, check_unit, refuse_masks
from samantic.data.samples import Files, read_pair
from samantic.data.thermal import PERCENTILES, beyond, clean
from samantic.errors import InputError
from samantic.progress import progress
from samantic.strings import substitute

ALIGNED = 100
"""Number of pairs of a split, evenly spaced, whose alignment is estimated."""

DARK = 50.0
"""Mean luminance of RGB, 0..255, below which a pair counts as night."""

ALIKE = 6 / 128
"""Two pairs count as the same picture if at most this share of their hashes' bits differs."""


@dataclass(frozen=True)
class PairFacts:
    """The measurements of one pair.

    Attributes:
        files: Its files.
        size: Height and width in pixels.
        depth: Type of the thermal values: uint8, uint16 or float32; "" without a thermal image.
        thermal: 1st and 99th percentile of the thermal values; None without a thermal image.
        mended: Number of thermal pixels that are NaN, infinite, hot or dead.
        beyond: Share of the thermal pixels that lie beyond a fixed range.
        night: Whether RGB is dark.
        counts: (K + 1,) pixels of each class, and last the ignored ones; None without labels.
        shift: Translation of thermal relative to RGB; None if it was not estimated.
        hash: (128,) bool, similar for pictures that look alike; (64,) without a thermal image.
    """

    files: Files
    size: tuple[int, int]
    depth: str
    thermal: tuple[float, float] | None
    mended: int
    beyond: float
    night: bool
    counts: NDArray[np.int64] | None
    shift: Shift | None
    hash: NDArray[np.bool_]

    @property
    def name(self) -> str:
        """Its name."""
        return self.files.name


@dataclass
class SplitFacts:
    """The measurements of one split.

    Attributes:
        name: Its name.
        pairs: Measurements of the readable pairs.
        broken: Errors of the other pairs.
        notes: Notes on its folders.
        problems: Errors of the readable pairs.
        polarity: Whether hot is bright in thermal images.
    """

    name: str
    pairs: list[PairFacts] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    polarity: Polarity = UNASKED

    def shares(self) -> NDArray[np.float64] | None:
        """(K,) share of each class among the pixels that are not ignored; None without labels."""
        counted = [pair.counts for pair in self.pairs if pair.counts is not None]
        if not counted:
            return None
        total = np.sum(counted, axis=0)[:-1]
        shares: NDArray[np.float64] = total / max(total.sum(), 1)
        return shares

    def ignored(self) -> float | None:
        """The share of ignored label pixels; None without labels."""
        counted = [pair.counts for pair in self.pairs if pair.counts is not None]
        if not counted:
            return None
        total = np.sum(counted, axis=0)
        return float(total[-1] / max(total.sum(), 1))

    def shifts(self) -> list[Shift]:
        """The shifts whose estimate is reliable."""
        found = (pair.shift for pair in self.pairs)
        return [shift for shift in found if shift is not None and shift.confident]

    def summary(self) -> dict[str, Any]:
        """The figures of the split, as in check.json."""
        tried = sum(pair.shift is not None for pair in self.pairs)
        distances = [shift.distance for shift in self.shifts()]
        shares, ignored = self.shares(), self.ignored()
        return {
            "pairs": len(self.pairs),
            "unreadable": self.broken,
            "sizes": {f"{h}x{w}": n for (h, w), n in Counter(p.size for p in self.pairs).items()},
            "thermal_depth": dict(Counter(pair.depth for pair in self.pairs if pair.depth)),
            "thermal_range": _span([p.thermal for p in self.pairs if p.thermal is not None]),
            "thermal_pixels_mended": sum(pair.mended for pair in self.pairs),
            "hot_is": self.polarity.hot,
            "night": sum(pair.night for pair in self.pairs),
            "class_shares": None if shares is None else [round(float(s), 6) for s in shares],
            "ignored_share": None if ignored is None else round(ignored, 6),
            "misalignment": {
                "estimated": tried,
                "confident": len(distances),
                "median_px": round(float(np.median(distances)), 2) if distances else None,
                "worst_px": round(max(distances), 2) if distances else None,
            },
        }


def find_splits(root: Path, spec: DatasetSpec) -> list[str]:
    """The splits train, val and test that exist, or `all`."""
    found = [
        name
        for name in ("train", "val", "test")
        if (root / substitute(spec.listing, split=name)).is_file()
        or ("{split}" in spec.labels and _there(root, spec, name))
    ]
    return found or ["all"]


def inspect_split(root: Path, spec: DatasetSpec, name: str, camera: Camera) -> SplitFacts:
    """Read every pair of a split.

    Raises:
        InputError: The split itself is broken: no folder, no list, a partner is missing, or a pair
            is listed twice where it is measured on.
    """
    labelled = _there(root, spec, name)
    data = PairedFolder(root, spec, name, camera=camera, labelled=labelled)
    if name in ("val", "test"):
        data.refuse_repeats()
    stride = max(1, -(-len(data) // ALIGNED))
    split = SplitFacts(name, notes=data.notes)
    try:
        check_cameras(data.files, camera, depth=False)
    except InputError as error:  # it concerns every pair
        split.broken.append(str(error))
        return split
    for index, files in enumerate(progress(data.files, f"check {name}", data.noun)):
        try:
            split.pairs.append(_inspect(data, files, align=index % stride == 0))
        except InputError as error:
            split.broken.append(str(error))
    split.problems += _problems(split, data)
    split.polarity = estimate_polarity([p.files for p in split.pairs if p.depth], camera)
    return split


def _problems(split: SplitFacts, data: PairedFolder) -> Iterator[str]:
    """Errors of thermal images and labels that can be read."""
    where = f"{data.root}, {split.name}"
    try:
        files = [p.files for p in split.pairs]
        check_kinds(files, data.camera.scaling, where, TYPED)
        check_unit(files, data.camera.scaling, where, TYPED)
    except InputError as error:
        yield str(error)
    counted = [pair.counts for pair in split.pairs if pair.counts is not None]
    try:
        if counted:
            refuse_masks(np.sum(counted, axis=0), data.code, where, TYPED)
    except InputError as error:
        yield str(error)


def _there(root: Path, spec: DatasetSpec, split: str) -> bool:
    """Whether a split has labels."""
    return any(is_there(root, place) for place in spec.of_split(spec.labels, split))


def _inspect(data: PairedFolder, files: Files, align: bool) -> PairFacts:
    rgb, thermal = read_pair(files, data.camera)
    if rgb is None:  # pragma: no cover - every split has RGB
        raise InputError(f"{files.name}: has no RGB image")
    counts = None
    if files.labels is not None:
        ids = data.code.read(files.labels)
        check_size(ids, str(files.labels), rgb, str(files.rgb))
        folded = np.where(ids == IGNORE, len(data.classes), ids)
        counts = np.bincount(folded.ravel(), minlength=len(data.classes) + 1)
    size, night = (rgb.shape[0], rgb.shape[1]), bool(rgb.mean() < DARK)
    looks = _hash(rgb.mean(axis=2))
    if thermal is None:
        return PairFacts(files, size, "", None, 0, 0.0, night, counts, None, looks)
    values, mended = clean(thermal)
    aligned = data.camera.align(values.astype(np.float32), rgb, str(files.thermal), str(files.rgb))
    low, high = (float(v) for v in np.percentile(values, PERCENTILES))
    return PairFacts(
        files,
        size,
        str(thermal.dtype),
        (low, high),
        mended,
        sum(beyond(thermal, data.camera.scaling)),
        night,
        counts,
        estimate_shift(rgb, aligned) if align else None,
        np.concatenate([looks, _hash(values)]),
    )


def _hash(gray: NDArray[np.floating]) -> NDArray[np.bool_]:
    """64 bits: which of two horizontal neighbours in an 8x9 grid of means is brighter."""
    rows = np.array_split(gray, 8, axis=0)
    means = np.array([[cell.mean() for cell in np.array_split(row, 9, axis=1)] for row in rows])
    bits: NDArray[np.bool_] = (means[:, 1:] > means[:, :-1]).ravel()
    return bits


def duplicates(a: Sequence[PairFacts], b: Sequence[PairFacts]) -> list[tuple[str, str]]:
    """Names of pairs of two splits that look the same."""
    if not a or not b:
        return []
    ours, theirs = (np.stack([pair.hash for pair in part]).astype(np.int16) for part in (a, b))
    differing = ours @ (1 - theirs).T + (1 - ours) @ theirs.T
    return [(a[i].name, b[j].name) for i, j in np.argwhere(differing <= ALIKE * ours.shape[1])]


def _span(ends: list[tuple[float, float]]) -> list[float] | None:
    return [min(low for low, _ in ends), max(high for _, high in ends)] if ends else None
