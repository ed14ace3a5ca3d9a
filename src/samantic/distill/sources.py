"""Sources of masks, and the folder in which masks are stored."""

from __future__ import annotations

import os
import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import torch
from torch import Tensor

from samantic.config.distill import Window
from samantic.data.camera import ALIGNED_8_BIT
from samantic.data.samples import Files, read_pair, to_tensor
from samantic.distill.damage import Damage, damaged
from samantic.distill.grid_masks import grid_masks
from samantic.distill.mask_files import WindowMasks, read_mask_file, write_mask_file
from samantic.distill.windows import Corner, cut_window, plan_windows
from samantic.errors import InputError
from samantic.files import holds_json, write_json
from samantic.models import open_base
from samantic.models.encoders.bases import is_random
from samantic.models.promptable import PromptableSAM
from samantic.progress import progress
from samantic.provenance import files_digest

T = TypeVar("T")


class MaskSource(Protocol):
    """A source of masks of images."""

    @property
    def options(self) -> dict[str, Any]:
        """All settings, besides files, on which the masks depend; values fit JSON."""

    def inputs(self, files: Files) -> list[Path | None]:
        """The files whose content determines an image's masks.

        Raises:
            InputError: A file is missing.
        """

    def __call__(self, files: Files) -> list[WindowMasks]:
        """The masks of an image.

        Raises:
            InputError: The masks, or the image, cannot be read.
        """


@dataclass(frozen=True)
class SamMasks:
    """Masks of a SAM that is prompted on a grid (see `grid_masks`).

    Attributes:
        base: SAM2, as for SARTM: hub id, local folder, or the name of a random one.
        window: Window of a panorama, as for `plan_windows`; each is an image for the SAM. None for
            the whole image at once.
        side: Clicks along the longer side.
        quality: Smallest predicted IoU of a mask.
        stability: Smallest stability of a mask.
        size: Longer side in pixels to which an image is resized; `image` for no resizing, None for
            the size of the SAM's training images, which a random base does not have.
        device: Device on which it computes.
    """

    base: str
    window: Window | None = None
    side: int = 16
    quality: float = 0.7
    stability: float = 0.8
    size: int | Literal["image"] | None = None
    device: str = "cpu"

    @property
    def options(self) -> dict[str, Any]:
        """All options but the device."""
        options = {k: v for k, v in asdict(self).items() if k not in ("device", "size")}
        # not named "size": under that name, older masks were made from images that were only shrunk
        return {"source": "sam", **options, "longest": self.size or "as the base was trained"}

    def inputs(self, files: Files) -> list[Path | None]:
        """The image."""
        return [files.rgb]

    @cached_property
    def sam(self) -> PromptableSAM:
        """The network, loaded on first use."""
        return PromptableSAM(open_base(self.base)).eval().to(self.device)

    def __call__(self, files: Files) -> list[WindowMasks]:
        rgb, _ = read_pair(files, ALIGNED_8_BIT)
        if rgb is None:
            raise InputError(
                f"{files.name}: a SAM needs an RGB image, and there is none; give masks"
            )
        image = to_tensor(rgb).to(self.device)
        if self.window is None:
            return [self._ask(None, image)]
        height, width = image.shape[-2:]
        cut = plan_windows(self.window, (height, width))
        return [self._ask(corner, cut_window(image, corner, cut.window)) for corner in cut.corners]

    @property
    def _longest(self) -> int | None:
        """Longer side in pixels to which an image is resized; None for no resizing."""
        if self.size is None:
            return None if is_random(self.base) else self.sam.trained_size
        return None if self.size == "image" else self.size

    def _ask(self, corner: Corner | None, image: Tensor) -> WindowMasks:
        found = grid_masks(
            self.sam,
            image,
            side=self.side,
            quality=self.quality,
            stability=self.stability,
            longest=self._longest,
        )
        return WindowMasks(corner, *found)


@dataclass(frozen=True)
class FileMasks:
    """Masks of any SAM, or instance ids of generated scenes, from files.

    Attributes:
        folder: Holds NAME.json or NAME.png of each image (see `mask_files.read_mask_file`).
    """

    folder: Path

    @property
    def options(self) -> dict[str, Any]:
        """The folder."""
        return {"source": "files", "folder": str(self.folder)}

    def inputs(self, files: Files) -> list[Path | None]:
        """The file of masks, and the images, whose size they must have."""
        return [self._file(files), *files.paths]

    def _file(self, files: Files) -> Path:
        names = [f"{files.name}.json", f"{files.name}.png"]
        path = next((self.folder / name for name in names if (self.folder / name).exists()), None)
        if path is None:
            raise InputError(f"{self.folder}: no masks of {files.name}; add {' or '.join(names)}")
        return path

    def __call__(self, files: Files) -> list[WindowMasks]:
        rgb, thermal = read_pair(files, ALIGNED_8_BIT)
        height, width = next(image for image in (rgb, thermal) if image is not None).shape[:2]
        return read_mask_file(self._file(files), (height, width))


@dataclass(frozen=True)
class DamagedMasks:
    """Another source's masks, degraded by a seed for each image; their quality is 1.

    Attributes:
        source: The other source.
        seed: Determines the damage, together with an image's name.
        damage: The shares of each kind of damage.
    """

    source: MaskSource
    seed: int = 0
    damage: Damage = field(default_factory=Damage)

    @property
    def options(self) -> dict[str, Any]:
        """The other source's, and the damage."""
        return {**self.source.options, "seed": self.seed, "damage": asdict(self.damage)}

    def inputs(self, files: Files) -> list[Path | None]:
        """The other source's."""
        return self.source.inputs(files)

    def __call__(self, files: Files) -> list[WindowMasks]:
        generator = torch.Generator().manual_seed(zlib.crc32(f"{self.seed} {files.name}".encode()))
        worse = [
            (corner, damaged(masks, generator, self.damage))
            for corner, masks, _ in self.source(files)
        ]
        return [WindowMasks(corner, masks, torch.ones(len(masks))) for corner, masks in worse]


def cache_masks(files: Sequence[Files], source: MaskSource, folder: Path) -> dict[str, Path]:
    """Store the masks of images in a folder: source.json, and masks/NAME-DIGEST.json for each.

    The digest is of the content of the image, and of the file that masks come from. Images with an
    existing file are skipped. A run therefore resumes where it stopped, and parallel runs share the
    work: each starts with another image.

    Args:
        files: The images.
        source: Source of their masks.
        folder: Folder to write to.

    Returns:
        The file of each image by its name.

    Raises:
        InputError: The folder holds masks of other options, or an image's masks cannot be made.
    """
    index = folder / "source.json"
    if index.exists() and not holds_json(index, source.options):
        raise InputError(
            f"{folder}: holds masks made with other options (see {index.name}); give another "
            "folder, or remove this one"
        )
    write_json(index, source.options)
    kept = {
        image.name: folder / "masks" / f"{image.name}-{files_digest(source.inputs(image))}.json"
        for image in files
    }
    for image in waiting(files, lambda image: kept[image.name], "masks"):
        write_mask_file(kept[image.name], source(image))
    return kept


def waiting(items: Sequence[T], path: Callable[[T], Path], what: str) -> Iterator[T]:
    """The items whose file does not exist when their turn comes, with a progress bar.

    Each process has its own random order, so that parallel processes rarely do the same item.

    Args:
        items: All items.
        path: Returns the file of an item.
        what: Title of the bar.
    """
    missing = [item for item in items if not path(item).exists()]
    random.Random(os.getpid()).shuffle(missing)  # noqa: S311  # an order, not a secret
    for item in progress(missing, what, "image"):
        if not path(item).exists():
            yield item


def masks_in_window(
    parts: Sequence[WindowMasks], corner: Corner, window: tuple[int, int]
) -> Tensor:
    """The masks of one window: those made for it, and the parts of the whole image's masks in it.

    Args:
        parts: The masks of an image.
        corner: Upper left corner of the window.
        window: Its height h and width w in pixels.

    Returns:
        (M, h, w) bool, none of them empty.

    Raises:
        InputError: The masks belong to other windows.
    """
    found = []
    for part in parts:
        if part.corner is None:
            found.append(cut_window(part.masks, corner, window))
        elif part.corner == corner and part.masks.shape[1:] == window:
            found.append(part.masks)
    if not found:
        there = ", ".join(_window(part.corner, part.masks.shape[1:]) for part in parts)
        raise InputError(
            f"no masks of the window at {_window(corner, window)}, only of {there}; make them for "
            "windows of this size"
        )
    masks = torch.cat(found)
    return masks[masks.flatten(1).any(1)]  # most masks of a panorama lie outside the window


def _window(corner: Corner | None, window: Sequence[int]) -> str:
    top, left = corner or (0, 0)
    return f"row {top}, column {left} ({window[1]}x{window[0]})"
