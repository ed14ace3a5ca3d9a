from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from samantic.distill.mask_files import WindowMasks, read_mask_file, write_mask_file
from samantic.errors import InputError


def counts(mask: torch.Tensor) -> list[int]:
    """Uncompressed run lengths: down the columns, of 0 and of 1 in turn."""
    lengths, value = [0], 0
    for pixel in mask.T.flatten().int().tolist():
        if pixel != value:
            lengths.append(0)
            value = pixel
        lengths[-1] += 1
    return lengths


def test_masks_survive_a_file(tmp_path: Path) -> None:
    parts = [
        WindowMasks((0, 0), torch.rand(5, 7, 14) < 0.4, torch.rand(5)),
        WindowMasks((0, 7), torch.zeros(0, 7, 14, dtype=torch.bool), torch.zeros(0)),
        WindowMasks((2, 14), torch.rand(3, 7, 14) < 0.1, torch.rand(3)),
        WindowMasks(None, torch.rand(2, 9, 21) < 0.1, torch.rand(2)),
    ]
    write_mask_file(tmp_path / "a.json", parts)
    back = read_mask_file(tmp_path / "a.json", (9, 21))
    assert [part.corner for part in back] == [(0, 0), (0, 7), (2, 14), None]
    for part, (_, masks, quality) in zip(parts, back, strict=True):
        assert masks.dtype == torch.bool
        assert torch.equal(masks, part.masks)
        torch.testing.assert_close(quality, part.quality)
    assert list(tmp_path.iterdir()) == [tmp_path / "a.json"]


@pytest.mark.parametrize("key", [None, "annotations"])
def test_uncompressed_run_lengths_of_any_sam(tmp_path: Path, key: str | None) -> None:
    masks = torch.rand(4, 6, 11) < 0.5
    found: Any = [
        {"segmentation": {"size": [6, 11], "counts": counts(mask)}, "area": int(mask.sum())}
        for mask in masks
    ]
    found[1]["predicted_iou"] = 0.5
    path = tmp_path / "a.json"
    path.write_text(json.dumps(found if key is None else {"image": {}, key: found}))
    (part,) = read_mask_file(path, (6, 11))
    assert part.corner is None
    assert torch.equal(part.masks, masks)
    assert part.quality.tolist() == [1, 0.5, 1, 1]


def test_a_window_from_the_first_row_needs_no_top(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(
        json.dumps([rle(left=3), rle(left=3, top=0), rle([2, 5], [3, 7], left=3, top=2)])
    )
    first, second = read_mask_file(path, (4, 5))
    assert (first.corner, len(first.masks)) == ((0, 3), 2)
    assert (second.corner, len(second.masks)) == ((2, 3), 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_label_maps(tmp_path: Path, dtype: type[np.generic]) -> None:
    values = [0, 3, 200 if dtype is np.uint8 else 40000]
    ids = np.random.default_rng(0).choice(values, (8, 12)).astype(dtype)
    Image.fromarray(ids).save(tmp_path / "a.png")
    (part,) = read_mask_file(tmp_path / "a.png", (8, 12))
    assert part.corner is None
    assert torch.equal(part.masks, torch.from_numpy(np.stack([ids == v for v in values[1:]])))
    assert part.quality.tolist() == [1, 1]


def rle(size: Any = (4, 5), lengths: Any = (3, 5, 12), **more: Any) -> dict[str, Any]:
    return {"segmentation": {"size": size, "counts": lengths}, **more}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "no masks in it"),
        ({"annotations": []}, "no masks in it"),
        ({"masks": []}, "no annotations as COCO has them .'annotations'.; save SAM's"),
        (3, "no annotations as COCO has them"),
        (["x"], "no annotations as COCO has them"),
        ([{"bbox": [1, 2, 3, 4]}], "no annotations as COCO has them .'segmentation'.; save SAM's"),
        ([{"segmentation": [[1, 2, 3, 4]]}], "no annotations as COCO has them"),
        ([rle(size=[5, 4])], "masks of 4x5 pixels, but the image has 5x4; make them from this"),
        ([rle(size=["a", 5])], "masks of 5xa pixels"),
        ([rle(size=[4, 3])], "masks of 3x4 pixels, but"),
        ([rle(size=[4, 6], left=0)], "masks of 6x4 pixels from row 0, column 0, but"),
        ([rle(size=[4, 3], left=5)], "from row 0, column 5, but"),
        ([rle(size=[3, 3], left=1, top=2)], "from row 2, column 1, but"),
        ([rle(size=[3, 3], left=1, top=-1)], "from row -1, column 1, but"),
        ([rle(), rle(size=[5, 4])], "masks of .5, 4. and of .4, 5. pixels in one window"),
        ([rle(lengths=[3, 5])], "run lengths of 8 pixels for 5x4"),
        ([rle(lengths=[3, -5, 22])], "save the masks as COCO's run lengths"),
        ([rle(lengths=["x"])], "no annotations as COCO has them"),
        ([rle(lengths="no: RLE")], "no string of COCO's"),
        ([rle(lengths="35oo")], "no string of COCO's"),  # stops within a number
        ([rle(lengths="35<9999")], "Invalid RLE"),  # more pixels than there are
        ([rle(lengths=7)], "no annotations as COCO has them"),
        ([rle(predicted_iou="good")], "save the masks as COCO's run lengths"),
        ([rle(left="x")], "no annotations as COCO has them"),
        ([rle(left=1, top="x")], "no annotations as COCO has them"),
    ],
)
def test_bad_files_are_told_in_a_line(tmp_path: Path, content: Any, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"a\.json: .*{message}") as error:
        read_mask_file(path, (4, 5))
    assert "\n" not in str(error.value)


def test_files_that_are_neither(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("masks")
    with pytest.raises(InputError, match="not valid JSON"):
        read_mask_file(tmp_path / "a.json")
    with pytest.raises(InputError, match="no such file"):
        read_mask_file(tmp_path / "b.json")
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(tmp_path / "c.png")
    with pytest.raises(InputError, match="all ids are 0"):
        read_mask_file(tmp_path / "c.png")
    with pytest.raises(InputError, match="masks of 5x4 pixels, but the image has 6x4"):
        read_mask_file(tmp_path / "c.png", (4, 6))
    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(tmp_path / "d.png")
    with pytest.raises(InputError, match="one channel of integers"):
        read_mask_file(tmp_path / "d.png")
