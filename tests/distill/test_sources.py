from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from samantic.data.samples import Files
from samantic.distill.damage import Damage, damaged
from samantic.distill.mask_files import WindowMasks, read_mask_file, write_mask_file
from samantic.distill.sources import (
    DamagedMasks,
    FileMasks,
    SamMasks,
    cache_masks,
    masks_in_window,
)
from samantic.errors import InputError
from samantic.models import load_sam2

NOTHING = Damage(merged=0, split=0, eroded=0, missing=0)


@pytest.fixture
def images(tmp_path: Path) -> list[Files]:
    found = []
    for index in range(3):
        path = tmp_path / "images" / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(index).integers(0, 256, (32, 64, 3), np.uint8)
        Image.fromarray(pixels).save(path)
        found.append(Files(path.stem, {"rgb": path}))
    return found


@dataclass(frozen=True)
class Halves:
    """The left and the right half of every image, and who asked."""

    asked: list[str] = field(default_factory=list)
    fails_at: str = ""

    @property
    def options(self) -> dict[str, Any]:
        return {"source": "halves"}

    def inputs(self, files: Files) -> list[Path | None]:
        return [files.rgb]

    def __call__(self, files: Files) -> list[WindowMasks]:
        if files.name == self.fails_at:
            raise InputError(f"{files.name}: broken")
        self.asked.append(files.name)
        masks = torch.zeros(2, 32, 64, dtype=torch.bool)
        masks[0, :, :32] = masks[1, :, 32:] = True
        return [WindowMasks(None, masks, torch.tensor([0.5, 0.75]))]


def blocks() -> torch.Tensor:
    """(20, 40, 50): a tiling by squares of 10 pixels."""
    ids = torch.arange(20).reshape(4, 5).repeat_interleave(10, 0).repeat_interleave(10, 1)
    return ids == torch.arange(20)[:, None, None]


def test_what_is_there_is_not_computed_again(images: list[Files], tmp_path: Path) -> None:
    folder, source = tmp_path / "masks", Halves()
    with pytest.raises(InputError, match="2: broken"):
        cache_masks(images, replace(source, fails_at="2"), folder)
    cache_masks(images[:2], source, folder)
    for _ in range(2):
        kept = cache_masks(images, source, folder)
        assert sorted(source.asked) == ["0", "1", "2"]
    (part,) = read_mask_file(kept["1"])
    assert part.corner is None
    assert part.masks.sum(dim=(1, 2)).tolist() == [1024, 1024]
    assert part.quality.tolist() == [0.5, 0.75]
    path = images[1].rgb
    assert path is not None
    Image.fromarray(np.zeros((32, 64, 3), np.uint8)).save(path)
    again = cache_masks(images, source, folder)
    assert sorted(source.asked) == ["0", "1", "1", "2"], "another image of the same name"
    assert again["1"] != kept["1"]
    assert again["2"] == kept["2"]


def test_masks_of_other_options_are_not_mixed(images: list[Files], tmp_path: Path) -> None:
    folder, source = tmp_path / "masks", Halves()
    cache_masks(images, DamagedMasks(source), folder)
    cache_masks(images, DamagedMasks(source), folder)
    for other in (source, DamagedMasks(source, 1), DamagedMasks(source, 0, NOTHING)):
        with pytest.raises(InputError, match=r"masks: holds masks made with other options"):
            cache_masks(images, other, folder)


def test_a_sam_sees_every_window_as_an_image(images: list[Files], tmp_path: Path) -> None:
    source = SamMasks("random-micro", window=32, side=4, quality=0, stability=0)
    parts = read_mask_file(cache_masks(images[:1], source, tmp_path)["0"])
    assert [part.corner for part in parts] == [(0, 0), (0, 16), (0, 32), (0, 48)]
    assert all(part.masks.shape[1:] == (32, 32) for part in parts)
    assert sum(len(part.masks) for part in parts) > 0
    (whole,) = replace(source, window=None)(images[0])
    assert whole.corner is None
    assert whole.masks.shape[1:] == (32, 64)
    rows = replace(source, window=(16, 64))
    for _ in range(2):  # the second time from what is there
        kept = cache_masks(images[:1], rows, tmp_path / "rows")
    parts = read_mask_file(kept["0"])
    assert [part.corner for part in parts] == [(0, 0), (8, 0), (16, 0)]
    assert all(part.masks.shape[1:] == (16, 64) for part in parts)
    assert source.options == replace(source, device="cuda").options
    assert source.options != replace(source, side=5).options


@pytest.mark.parametrize(
    ("size", "seen"), [(None, 96), ("image", 64), (40, 40), (128, 128)]
)  # fmt: skip
@pytest.mark.parametrize("window", [None, 32])
def test_a_sam_sees_images_as_large_as_it_was_trained(
    images: list[Files], tmp_path: Path, size: Any, seen: int, window: int | None
) -> None:
    """Larger and smaller; a window as an image of its own."""
    sam = load_sam2("random-micro")
    sam.config.prompt_encoder_config.image_size = 96
    sam.save_pretrained(tmp_path / "base")
    source = SamMasks(str(tmp_path / "base"), window, side=2, size=size)
    shapes = []
    source.sam.encoder.register_forward_pre_hook(lambda _, args: shapes.append(args[0].shape[2:]))
    source(images[0])
    whole = window is None
    seen = 32 if size == "image" and not whole else seen
    expected = torch.Size([-(-(seen // 2 if whole else seen) // 32) * 32, -(-seen // 32) * 32])
    assert set(shapes) == {expected}  # padded


def test_a_base_without_training_has_no_size_of_its_own(images: list[Files]) -> None:
    source = SamMasks("random-micro", side=2)
    shapes = []
    source.sam.encoder.register_forward_pre_hook(lambda _, args: shapes.append(args[0].shape[2:]))
    source(images[0])
    assert shapes == [(32, 64)]


def test_sizes_are_different_masks() -> None:
    """Those of versions that made images only smaller are not taken for others."""
    made = [SamMasks("sam-nano", size=size).options for size in (None, "image", 256, 512)]
    assert all(made.count(options) == 1 and "size" not in options for options in made)


def test_a_sam_needs_rgb(images: list[Files]) -> None:
    path = images[0].rgb
    assert path is not None
    Image.fromarray(np.zeros((32, 64), np.uint8)).save(path)
    with pytest.raises(InputError, match="0: a SAM needs an RGB image"):
        SamMasks("random-micro")(Files("0", {"thermal": path}))


def test_masks_from_files(images: list[Files], tmp_path: Path) -> None:
    folder = tmp_path / "instances"
    write_mask_file(folder / "0.json", Halves()(images[0]))
    Image.fromarray(np.repeat(np.arange(64, dtype=np.uint16)[None] // 16, 32, 0)).save(
        folder / "1.png"
    )
    source = FileMasks(folder)
    kept = cache_masks(images[:2], source, tmp_path / "cache")
    assert len(read_mask_file(kept["0"])[0].masks) == 2
    assert len(read_mask_file(kept["1"])[0].masks) == 3
    with pytest.raises(InputError, match=r"no masks of 2; add 2\.json or 2\.png"):
        source(images[2])
    Image.fromarray(np.ones((32, 60), np.uint8)).save(folder / "2.png")
    with pytest.raises(InputError, match=r"2\.png: masks of 60x32 pixels, but the image has 64x32"):
        source(images[2])


def test_files_that_have_changed_are_read_anew(images: list[Files], tmp_path: Path) -> None:
    folder = tmp_path / "instances"
    write_mask_file(folder / "0.json", Halves()(images[0]))
    source = FileMasks(folder)
    before = cache_masks(images[:1], source, tmp_path / "cache")
    os.utime(folder / "0.json", (0, 0))
    assert cache_masks(images[:1], source, tmp_path / "cache") == before
    write_mask_file(folder / "0.json", Halves()(images[0])[:1] * 2)
    after = cache_masks(images[:1], source, tmp_path / "cache")
    masks = [read_mask_file(kept["0"])[0].masks for kept in (before, after)]
    assert len(masks[1]) == 2 * len(masks[0])


def test_masks_in_a_window_are_its_own_and_parts_of_the_whole_images() -> None:
    own, whole = torch.rand(2, 3, 6) < 0.5, torch.rand(3, 4, 10) < 0.5
    parts = [WindowMasks((1, 8), own, torch.ones(2)), WindowMasks(None, whole, torch.ones(3))]
    around = torch.cat([whole[:, 1:, 8:], whole[:, 1:, :4]], dim=-1)
    assert torch.equal(masks_in_window(parts, (1, 8), (3, 6)), torch.cat([own, around]))
    assert torch.equal(masks_in_window(parts[1:], (0, 0), (4, 10)), whole)
    whole[:, :, 3:5] = torch.tensor([True, False, True])[:, None, None]
    assert torch.equal(masks_in_window(parts[1:], (0, 3), (4, 2)), whole[[0, 2], :, 3:5])
    for corner, window, told in (
        ((1, 4), (3, 6), "row 1, column 4 .6x3."),
        ((0, 8), (3, 6), "row 0, column 8 .6x3."),
        ((1, 8), (3, 5), "row 1, column 8 .5x3."),
    ):
        with pytest.raises(InputError, match=f"window at {told}, only of row 1, column 8 .6x3."):
            masks_in_window(parts[:1], corner, window)


def test_damage_depends_on_the_seed_and_the_name_alone(images: list[Files]) -> None:
    def lefts(source: DamagedMasks, files: Files) -> list[float]:
        return source(files)[0].masks.float().mean(dim=(1, 2)).tolist()

    source = DamagedMasks(Halves(), 0, replace(NOTHING, split=1.0))
    first = [lefts(source, files) for files in images]
    assert first == [lefts(source, files) for files in reversed(images)][::-1]
    assert first[0] != first[1]
    assert first[0] != lefts(replace(source, seed=1), images[0])


def test_nothing_is_damaged_by_no_damage() -> None:
    assert torch.equal(damaged(blocks(), torch.Generator(), NOTHING), blocks())


def test_a_share_of_the_masks_goes_missing() -> None:
    kept = damaged(blocks(), torch.Generator().manual_seed(1), replace(NOTHING, missing=0.2))
    assert len(kept) == 16
    assert kept.sum() == 1600


def test_merged_masks_are_neighbours() -> None:
    masks = blocks()
    found = damaged(masks, torch.Generator().manual_seed(1), replace(NOTHING, merged=0.5))
    assert len(found) < 20
    assert torch.equal(found.sum(0), masks.sum(0))  # each pixel is still in one mask
    for mask in found:
        assert ndimage.label(mask, np.ones((3, 3)))[1] == 1
    alone = masks[[0, 2, 10]]
    assert torch.equal(damaged(alone, torch.Generator(), replace(NOTHING, merged=1.0)), alone)


def test_split_masks_are_cut_by_a_line() -> None:
    masks = blocks()
    found = damaged(masks, torch.Generator().manual_seed(2), replace(NOTHING, split=0.5))
    assert 25 < len(found) <= 30
    assert torch.equal(found.sum(0), masks.sum(0))
    for piece in found:
        within = masks[(masks & piece).flatten(1).any(1)]
        assert len(within) == 1
        rest = within[0] & ~piece
        if rest.any():
            assert separable(piece, rest)


def separable(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether all pixels of one mask lie on one side of a line, all of the other on its other."""
    angles = torch.linspace(0, 2 * torch.pi, 3601, dtype=torch.float64)
    directions = torch.stack([angles.cos(), angles.sin()])
    least, most = one.nonzero().double() @ directions, other.nonzero().double() @ directions
    return bool((least.amin(0) > most.amax(0)).any())


def test_eroded_masks_lose_their_edge_but_not_at_the_border() -> None:
    damage = replace(NOTHING, eroded=1.0, erosion=2)
    found = damaged(blocks(), torch.Generator(), damage)
    for mask, eroded in zip(blocks().numpy(), found.numpy(), strict=True):
        expected = ndimage.binary_erosion(mask, np.ones((5, 5)), border_value=1)
        assert np.array_equal(eroded, expected)
    assert len(damaged(blocks(), torch.Generator(), replace(damage, erosion=10))) == 0
