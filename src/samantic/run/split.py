"""The labelled pairs on which a model is measured; their classes match the model's by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from samantic.config.classes import IGNORE
from samantic.config.data import Layout
from samantic.config.networks import TestTime
from samantic.config.read import read_any_config
from samantic.data.camera import Camera
from samantic.data.cards.card import DatasetSpec, named
from samantic.data.cards.catalog import CATALOG, dataset_spec
from samantic.data.class_names import class_table
from samantic.data.folders import check_root, tell
from samantic.data.pairs import PairedFolder
from samantic.data.preflight import TYPED, check_split
from samantic.data.samples import Sample
from samantic.errors import InputError
from samantic.metrics.protocols import ALL_CLASSES, PRESENT_CLASSES
from samantic.predict.info import ModelInfo
from samantic.runtime.load import info_at


class Split(NamedTuple):
    """A split on which a model is evaluated, and the settings of the evaluation.

    Attributes:
        root: Folder of the data set.
        layout: Layout of its files, or its data card.
        name: Name of the split.
        thermal_scaling: 8-bit, frame or LOW,HIGH, if thermal values have another unit than in
            training.
        rig: resize, or a calibration file, if the cameras are mounted differently than in training.
        panorama: Whether images cover 360 degrees and are predicted across their left and right
            edges; None means as the data card says, or else the first model.
        mapping: The model's class by the data's class, where names differ; "" for a class that is
            ignored.
        size: Short side in pixels to which images are resized for the network; 0 does not resize,
            None means as in the model's evaluation after training.
        tta: Test-time augmentation of the model: flip, scales or all.
        frames: Largest number of pairs, evenly spaced; None means all.
        thermal_inverted: Whether hot is dark in thermal images; None means as in training.
    """

    root: str | Path
    layout: Layout | DatasetSpec
    name: str
    thermal_scaling: str | None = None
    rig: str | None = None
    panorama: bool | None = None
    mapping: Mapping[str, str] | None = None
    size: int | None = None
    tta: TestTime | None = None
    frames: int | None = None
    thermal_inverted: bool | None = None

    @property
    def spec(self) -> DatasetSpec:
        """Its data card."""
        return self.layout if isinstance(self.layout, DatasetSpec) else CATALOG[self.layout]

    def inputs(self) -> dict[str, Any]:
        """All settings, besides the model, on which the results depend; values fit JSON."""
        spec, inverted = self.spec, self.thermal_inverted
        return {
            "data": str(Path(self.root).resolve()),
            "split": self.name,
            "files": [spec.images or spec.rgb, spec.images or spec.thermal, spec.labels],
            "classes": list(spec.classes),
            "colors": ["#" + bytes(c).hex() for c in spec.palette] if spec.colours else None,
            "map": None if self.mapping is None else dict(self.mapping),
            "thermal-scaling": self.thermal_scaling,
            "rig": self.rig,
            "panorama": self.panorama,
            "size": self.size,
            "tta": self.tta,
            "frames": self.frames,
        } | ({} if inverted is None else {"thermal-inverted": inverted})

    @property
    def title(self) -> str:
        """Its name in reports: the data set's folder and the split."""
        return f"{Path(self.root).resolve().name}-{self.name}"


def settled(split: Split, folders: Sequence[Path]) -> Split:
    """A split with its class names, which match those of the models.

    Args:
        split: The split. The layout pairs has no class names; they are then taken from the run of
            one of the models, if it was trained on the same folder.
        folders: Folders of models with the same classes.

    Raises:
        InputError: There is no such folder, or the names are unknown or do not match the models'.
    """
    spec = split.layout if isinstance(split.layout, DatasetSpec) else CATALOG[split.layout]
    info = info_at(folders[0])
    check_root(Path(split.root))
    if not spec.classes:
        learnt = next(filter(None, (_learnt_from(folder, split.root) for folder in folders)), None)
        if learnt is None:
            raise InputError(
                f"{split.root}: layout pairs has no class names; name the label ids, "
                f'e.g. --classes "{",".join(info.classes)}" if they are the model\'s'
            )
        spec = replace(spec, classes=learnt.classes, palette=learnt.palette, colours=learnt.colours)
    spec = named(spec, None)
    if spec.classes != info.classes or split.mapping:
        class_table(spec.classes, info.classes, split.mapping or {})
    return split._replace(layout=spec, panorama=_around(split, spec, info))


def _around(split: Split, spec: DatasetSpec, info: ModelInfo) -> bool:
    """Whether images cover 360 degrees: as requested, as the data card says, or as in training."""
    if split.panorama is not None:
        return split.panorama
    if spec.projection is not None and spec.projection != info.projection:
        line = (
            f"{split.root}: {spec.projection} images, but the model learnt from {info.projection} "
            f"ones; they are predicted as {spec.projection}"
        )
        tell([line])
    return (spec.projection or info.projection) == "equirectangular"


def _learnt_from(folder: Path, root: str | Path) -> DatasetSpec | None:
    """The data card of the run that made a model; None if the run used another folder."""
    path = folder.parent / "config.yaml"
    if not path.exists():
        return None
    data = read_any_config(path).data
    same = Path(data.root).resolve() == Path(root).resolve()
    return dataset_spec(data) if same and data.layout == "pairs" else None


def open_labelled(
    split: Split, info: ModelInfo, camera: Camera
) -> tuple[PairedFolder, dict[str, str | None] | None]:
    """The labelled pairs of a settled split, in the model's classes.

    Returns:
        The pairs; and the model's class by the data's class, with None for one that is ignored. The
        mapping is None if both have the same classes in the same order.

    Raises:
        InputError: The data or its classes cannot be used.
    """
    pairs = PairedFolder(split.root, split.layout, split.name, camera=camera)
    pairs.refuse_repeats()
    if split.frames is not None:
        pairs.keep_evenly(split.frames)
    tell(pairs.notes)
    check_split(pairs, TYPED)
    if pairs.classes == info.classes and not split.mapping:
        return pairs, None
    table = class_table(pairs.classes, info.classes, split.mapping or {})
    found = {
        name: None if target is None else info.classes[target]
        for name, target in zip(pairs.classes, table, strict=True)
    }
    pairs.transform = _Relabel(tuple(IGNORE if target is None else target for target in table))
    pairs.classes, pairs.palette = info.classes, info.palette
    pairs.spec = replace(
        pairs.spec,
        classes=info.classes,
        palette=info.palette,
        protocols=(ALL_CLASSES, PRESENT_CLASSES),
    )
    return pairs, found


@dataclass(frozen=True)
class _Relabel:
    """Map a sample's label ids by a table with one entry for each class of the data."""

    table: tuple[int, ...]

    def __call__(self, sample: Sample) -> Sample:
        if sample.labels is None:
            return sample
        table: Tensor = torch.full((256,), IGNORE)
        table[: len(self.table)] = torch.tensor(self.table)
        return sample._replace(labels=table[sample.labels])


def map_line(class_map: Mapping[str, str | None], classes: Sequence[str]) -> str:
    """Describe in one line how the data's classes map to the model's."""
    parts = [
        name if name == target else f"{name} left out" if target is None else f"{name} = {target}"
        for name, target in class_map.items()
    ]
    absent = [name for name in classes if name not in class_map.values()]
    without = f"; without data: {', '.join(absent)}" if absent else ""
    return f"classes by name, data = model: {', '.join(parts)}{without}"
