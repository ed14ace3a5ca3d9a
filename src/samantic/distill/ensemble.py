"""The ensemble: a teacher and masks, applied to unlabelled images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, cast

import torch
from torch import Tensor

from samantic.config.distill import DistillConfig, MasksConfig, ObjectiveConfig, Window
from samantic.data.pairs import PairedFolder
from samantic.data.samples import Sample
from samantic.distill.damage import Damage
from samantic.distill.mask_files import read_mask_file
from samantic.distill.sources import (
    DamagedMasks,
    FileMasks,
    MaskSource,
    SamMasks,
    cache_masks,
    masks_in_window,
    waiting,
)
from samantic.distill.targets import (
    Targets,
    make_targets,
    merge_windows,
    read_targets,
    write_targets,
)
from samantic.distill.teacher import Teacher
from samantic.distill.windows import Corner, Cut, plan_windows
from samantic.errors import InputError
from samantic.models.devices import choose_device
from samantic.models.encoders.bases import SHIPPED_BASES
from samantic.provenance import digest, file_digest, files_digest


@dataclass(frozen=True)
class KeptMasks:
    """The masks of a split's images by window.

    Attributes:
        files: The file of each image, from `keep_masks`; None without masks.
        window: Window of panoramas, as for `plan_windows`; None for other images.
    """

    files: dict[str, Path] | None
    window: Window | None

    @property
    def digest(self) -> str:
        """Digest of the inputs of the masks, which is part of their file names."""
        return digest(sorted(path.name for path in (self.files or {}).values()))

    def __call__(self, sample: Sample) -> list[Tensor]:
        """Masks (M_i, h, w) of each window of an image.

        Raises:
            InputError: The masks belong to other windows.
        """
        cut = plan_windows(self.window, sample.size)
        if self.files is None:
            return [torch.zeros(0, *cut.window, dtype=torch.bool)] * len(cut.corners)
        found = read_mask_file(self.files[sample.name])
        try:
            return [masks_in_window(found, corner, cut.window) for corner in cut.corners]
        except InputError as error:
            raise InputError(f"{sample.name}: {error}") from None


def keep_masks(config: DistillConfig, pairs: PairedFolder) -> KeptMasks:
    """Compute the masks of a split's images that are not stored yet.

    The options give the name of the folder, and the content of an image the name of its file. Masks
    computed with other options keep their own folder.

    Raises:
        InputError: The masks cannot be computed or read.
    """
    source = mask_source(config.masks, config.window, pairs.root)
    if source is None:
        return KeptMasks(None, config.window)
    made = digest(
        [str(pairs.root.resolve()), pairs.split, source.options, *sam_weights(config.masks)]
    )
    folder = Path(config.masks.cache or Path(config.out, "masks")) / made[:10]
    return KeptMasks(cache_masks(pairs.files, source, folder), config.window)


def sam_weights(options: MasksConfig) -> list[str]:
    """A digest of the weights of a SAM in a local folder, or of the one that ships."""
    if options.source != "sam":
        return []
    folder = Path(SHIPPED_BASES.get(options.base, options.base))
    return [file_digest(path) for path in sorted(folder.glob("*.safetensors"))]


def mask_source(options: MasksConfig, window: Window | None, root: Path) -> MaskSource | None:
    """The source of masks; None for no masks.

    Args:
        options: Options of the masks.
        window: Window of panoramas, as for `plan_windows`; None for other images.
        root: Folder of the data set.
    """
    source: MaskSource
    match options.source:
        case "none":
            return None
        case "sam":
            clicks = (options.side, options.quality, options.stability, options.size)
            source = SamMasks(options.base, window, *clicks, str(choose_device()))
        case "files":
            source = FileMasks(Path(str(options.folder)))
        case "instances":
            source = FileMasks(root / "instances")
    if not options.damage:
        return source
    shares = {
        name: options.damage * getattr(Damage(), name)
        for name in ("merged", "split", "eroded", "missing")
    }
    return DamagedMasks(source, options.seed, replace(Damage(), **shares))


class Answer(NamedTuple):
    """The predictions of teacher and ensemble for one image, on the CPU.

    Attributes:
        teacher: (H, W) int64, the teacher's class ids.
        ensemble: (H, W) int64, the teacher's class ids after correction by the masks.
        confident: (H, W) int64, the confident part of the ensemble; 255 elsewhere.
        masks: (M_i, h, w) bool, of each window.
        corners: Upper left corners of the windows.
    """

    teacher: Tensor
    ensemble: Tensor
    confident: Tensor
    masks: list[Tensor]
    corners: list[Corner]


class Ensemble:
    """A frozen teacher, and masks.

    Args:
        teacher: The teacher.
        masks: Masks of the images.
        options: How teacher and masks are joined.
        device: Device on which the teacher computes.
    """

    def __init__(
        self, teacher: Teacher, masks: KeptMasks, options: ObjectiveConfig, device: torch.device
    ) -> None:
        self.masks, self.options, self.device = masks, options, device
        # channels_last makes convolutions faster on CPUs; torch's types lack both arguments at once
        self.teacher: Teacher = teacher.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def targets(self, sample: Sample) -> Targets:
        """The targets of the ensemble for an image."""
        return self._join(sample, self.masks(sample))[0]

    def answer(self, sample: Sample) -> Answer:
        """The predictions of teacher and ensemble for an image."""
        masks = self.masks(sample)
        targets, cut = self._join(sample, masks)
        probabilities = cast(Tensor, targets.probabilities)
        ensemble, confident = (
            merge_windows(labels, probabilities, cut).cpu()
            for labels in (targets.ensemble, targets.confident)
        )
        return Answer(targets.teacher.cpu(), ensemble, confident, masks, cut.corners)

    @torch.inference_mode()
    def _join(self, sample: Sample, masks: list[Tensor]) -> tuple[Targets, Cut]:
        cut = plan_windows(self.masks.window, sample.size)
        images = {name: x[None].to(self.device) for name, x in sample.images.items()}
        logits = self.teacher.in_windows(images, cut)[:, 0]
        there = [part.to(self.device) for part in masks]
        return make_targets(logits, there, cut, self.options), cut

    def keep_targets(self, pairs: PairedFolder, folder: Path) -> KeptTargets:
        """Compute the targets of all images that have none in a folder yet.

        The name of a file depends on the content of the images and on the inputs of their masks.
        """
        masks = self.masks.files or {}
        files = {}
        for pair in pairs.files:
            mask = masks[pair.name].name if masks else ""
            made = files_digest(pair.paths, mask)
            files[pair.name] = folder / f"{pair.name}-{made}.npz"
        indices = range(len(pairs))
        for index in waiting(indices, lambda i: files[pairs.files[i].name], "teacher"):
            sample = pairs[index]
            targets = self.targets(sample)
            if self.options.targets == "hard":
                targets = targets._replace(probabilities=None)
            write_targets(files[sample.name], targets)
        return KeptTargets(files)


@dataclass(frozen=True)
class KeptTargets:
    """Targets that `Ensemble.keep_targets` has written to files, by the name of the image."""

    files: dict[str, Path]

    def __call__(self, sample: Sample) -> Targets:
        """The targets of an image."""
        return read_targets(self.files[sample.name])
