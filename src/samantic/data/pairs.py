"""The data set class of every layout: RGB-thermal pairs or RGB images, labelled or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from samantic.config.data import Layout
from samantic.config.scaling import Scaling
from samantic.data.camera import ALIGNED_8_BIT, Camera, RawPair
from samantic.data.cards.card import DatasetSpec, named
from samantic.data.cards.catalog import CATALOG
from samantic.data.class_names import difference
from samantic.data.folders import check_root
from samantic.data.labels import LabelCode, read_objects
from samantic.data.lists import even_places
from samantic.data.samples import Files, Sample, make_sample, read_pair
from samantic.data.sensors import SENSORS, given, noun
from samantic.data.splits import find_split
from samantic.data.thermal import dataset_scaling
from samantic.errors import InputError
from samantic.progress import progress


class PairedFolder(Dataset[Sample]):
    """The pairs of one split, with labels unless `labelled` is False.

    The layout defines the folders; see docs/datasets.md. SPLIT.txt lists the file stems of a split,
    one a line. Where a layout has a folder for each split, the stems in the folder are the split.
    Without a list, the split `all` is every stem. "train[:90%]" and "train[90%:]" are the first
    nine tenths of `train` and the rest, in the order of the stems.

    Args:
        root: Folder of the data set.
        layout: Key of `CATALOG`, or a data card.
        split: Name of the split.
        classes: Class names by label id, where the layout does not define them.
        transform: Applied to every sample, e.g. `RandomCrop`.
        camera: How thermal values become 0..1, and how thermal pixels map to RGB pixels.
        labelled: Whether to read labels.

    Attributes:
        notes: Notes for the user, such as files in the folders that are not read.

    Raises:
        InputError: A folder, split or partner file is missing, or the split is empty. Broken files
            are reported when they are read.

    Example:
        >>> data = PairedFolder("shared/data/mfnet_mini", "mfnet", "test")
        >>> data[0].rgb.shape
        torch.Size([3, 480, 640])
    """

    def __init__(
        self,
        root: str | Path,
        layout: Layout | DatasetSpec = "pairs",
        split: str = "all",
        *,
        classes: list[str] | tuple[str, ...] | None = None,
        transform: Callable[[Sample], Sample] | None = None,
        camera: Camera = ALIGNED_8_BIT,
        labelled: bool = True,
    ) -> None:
        self.camera = camera
        self.root, self.split = Path(root), split
        spec = layout if isinstance(layout, DatasetSpec) else CATALOG[layout]
        self.spec = spec = named(spec, classes)
        self.classes, self.palette = spec.classes, spec.palette
        colours = spec.palette if spec.colours else ()
        numbered = labelled and spec.objects
        objects = read_objects(self.root / spec.objects, spec.classes) if numbered else ()
        self.code = LabelCode(len(spec.classes), spec.ids, spec.ignored, colours, objects)
        self.transform = transform
        self.labelled = labelled
        self.files = self._files()

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Sample:
        return self.with_raw(index)[0]

    def with_raw(self, index: int) -> tuple[Sample, RawPair]:
        """A sample, and its images before scaling and warping; the files are read once.

        Raises:
            InputError: A file cannot be used; see `read_sample`.
        """
        files = self.files[index]
        raw = read_pair(files, self.camera)
        sample = make_sample(files, raw, self.code, self.camera)
        return (sample if self.transform is None else self.transform(sample)), raw

    @property
    def noun(self) -> str:
        """The word for one sample: pair, or image where there is one camera."""
        return noun(self.spec.modalities)

    def subset(self, name: str) -> str | None:
        """The subset, such as day or night, that a file name's ending gives; else None."""
        endings = self.spec.subsets.items()
        return next((subset for ending, subset in endings if name.endswith(ending)), None)

    def check_reader(
        self, who: str, modalities: Sequence[str], classes: Sequence[str], cure: str
    ) -> None:
        """Refuse a network that reads none of this data set's sensors, or has other classes.

        Args:
            who: Name of the network, for the message.
            modalities: The modalities that it reads.
            classes: Its class names by label id.
            cure: What the user can do, for the message.

        Raises:
            InputError: The network does not fit.
        """
        there = self.spec.modalities
        if not set(there) & set(modalities):
            raise InputError(
                f"{self.root}: has {' and '.join(there)} images, but {who} reads "
                f"{' and '.join(modalities)}; {cure}"
            )
        if problem := difference(self.classes, classes):
            raise InputError(
                f"{self.root}: classes {', '.join(self.classes)}, but {who} knows "
                f"{', '.join(classes)} ({problem}); {cure}"
            )

    def class_weights(self, balance: float) -> Tensor:
        """Weigh every class by its share of the labelled pixels to the power of -`balance`.

        Returns:
            (K,) float32; 1 for a class that holds all pixels, 0 for one that never occurs.
        """
        counts = torch.zeros(256, dtype=torch.int64)
        for files in progress(self.files, "count classes", self.noun, delay=1):
            ids = self.code.read(cast(Path, files.labels))
            counts += torch.from_numpy(np.bincount(ids.ravel(), minlength=256))
        shares = counts[: len(self.classes)] / counts[: len(self.classes)].sum()
        return torch.where(shares > 0, shares.clamp(min=1e-9) ** -balance, 0.0)

    def estimate_scaling(self) -> Scaling:
        """A fixed range for the thermal values of this split; 8-bit where there are none."""
        if "thermal" not in self.spec.modalities:
            return Scaling()
        pairs = progress(self.files, "thermal range", "pair", delay=1)
        images = (read_pair(files, ALIGNED_8_BIT)[1] for files in pairs)
        return dataset_scaling(image for image in images if image is not None)

    def refuse_repeats(self) -> None:
        """Refuse a list that names a pair twice, since the pair would bias metrics.

        Raises:
            InputError: The list names a pair twice.
        """
        if self._repeats:
            raise InputError(f"{self._repeats}; a pair that counts twice biases figures, keep one")

    def keep_evenly(self, most: int) -> None:
        """Keep at most `most` pairs, evenly spaced, in their order."""
        self.files = [self.files[place] for place in even_places(len(self.files), most)]

    def _files(self) -> list[Files]:
        check_root(self.root)
        split = find_split(self.root, self.spec, self.split, self.labelled)
        self.notes, self._repeats = split.notes, split.repeats
        found = {kind: split.found.get(kind, {}) for kind in (*SENSORS, "labels")}
        labels = found.pop("labels")
        return [
            Files(name, given({s: part.get(name) for s, part in found.items()}), labels.get(name))
            for name in split.names
        ]
