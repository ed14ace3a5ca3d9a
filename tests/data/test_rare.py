"""Crops around rare classes, and things pasted from other frames."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from samantic.config import AugmentConfig
from samantic.data import PairedFolder
from samantic.data.rare import MARGIN, Balanced, find_classes, paste
from samantic.data.samples import Sample

SIZE = (64, 96)


@pytest.fixture
def pairs(tmp_path: Path) -> PairedFolder:
    """Eight frames by day and two by night; a cone (7) in one of each, a car (1) in four by day."""
    names = [f"{i:05}{'D' if i < 8 else 'N'}" for i in range(10)]
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for i, name in enumerate(names):
        image = np.full((*SIZE, 4), 20 * i, np.uint8)
        labels = np.zeros(SIZE, np.uint8)
        if i in (3, 8):
            labels[40:50, 80:90] = 7
            labels[2:6, 2:6] = 7  # too small to be drawn from alone
        if i in (0, 1, 2, 4):
            labels[10:40, 10:40] = 1
        Image.fromarray(image).save(tmp_path / "images" / f"{name}.png")
        Image.fromarray(labels).save(tmp_path / "labels" / f"{name}.png")
    (tmp_path / "train.txt").write_text("\n".join(names))
    return PairedFolder(tmp_path, "mfnet", "train")


def test_classes_are_drawn_by_the_root_of_their_frames(pairs: PairedFolder) -> None:
    """The background never is; cars have four frames, cones two."""
    found = find_classes(pairs)
    assert found.wanted.tolist() == pytest.approx([0, 2, 0, 0, 0, 0, 0, 2**0.5, 0])
    assert found.frames(7).tolist() == [3, 8]
    assert found.pixels[3].tolist() == [64 * 96 - 116, 0, 0, 0, 0, 0, 0, 116, 0]


def test_a_share_of_the_crops_shows_a_rare_class(pairs: PairedFolder) -> None:
    """Each class that is drawn, in a frame that has it; the others are what they were."""
    config = AugmentConfig(crop=(32, 32), scale=(1.0, 1.0), rare=0.5)
    data = Balanced(pairs, config)
    torch.manual_seed(0)
    crops = [data[6] for _ in range(400)]  # a frame without anything
    other = Counter(crop.name for crop in crops if crop.name != "00006D")
    assert sum(other.values()) == pytest.approx(200, abs=40)
    assert set(other) == {"00000D", "00001D", "00002D", "00003D", "00004D", "00008N"}
    cones = other["00003D"] + other["00008N"]
    assert cones / sum(other.values()) == pytest.approx(2**0.5 / (2 + 2**0.5), abs=0.1)
    for crop in crops:
        assert crop.labels is not None
        assert bool(crop.labels.any()) == (crop.name != "00006D")
        assert crop.size == (32, 32)


def test_a_crop_larger_than_the_image_still_shows_it(pairs: PairedFolder) -> None:
    data = Balanced(pairs, AugmentConfig(crop=(64, 96), scale=(0.5, 1.9), rare=1.0))
    torch.manual_seed(0)
    for _ in range(50):
        crop = data[6]
        assert crop.labels is not None
        assert bool(((crop.labels == 1) | (crop.labels == 7)).any())


def test_things_come_from_other_frames_of_the_same_time_of_day(pairs: PairedFolder) -> None:
    """RGB, thermal and labels together, at their place or at its mirror image's."""
    data = Balanced(pairs, AugmentConfig(crop=SIZE, scale=(1.0, 1.0), paste=1.0, flip=0.5))
    torch.manual_seed(1)
    places, seen = set(), Counter[int]()
    for _ in range(300):
        sample = data[9]  # by night; only frame 8 has something
        labels = sample.labels
        assert labels is not None
        assert sample.rgb is not None
        assert sample.thermal is not None
        seen.update(labels.unique().tolist())
        if bool(labels.any()):
            places.add(tuple(labels.nonzero()[0].tolist()))
            inside = labels > 0
            for image in (sample.rgb, sample.thermal):
                assert image[:, inside].unique().tolist() == pytest.approx([160 / 255])
                assert image[0, 20, 50].item() == pytest.approx(180 / 255)
    assert set(seen) == {0, 7}
    assert places == {(40, 80), (40, 6), (2, 2), (2, 90)}


def test_pasting_equals_a_loop_over_pixels() -> None:
    """Under the mask the source, beyond the margin the sample, between them a mean of both."""
    generator = torch.Generator().manual_seed(0)

    def sample(name: str) -> Sample:
        rgb, thermal = (torch.rand(n, 40, 50, generator=generator) for n in (3, 1))
        return Sample(
            name, {"rgb": rgb, "thermal": thermal}, torch.randint(9, (40, 50), generator=generator)
        )

    target, source = sample("target"), sample("source")
    mask = torch.zeros(40, 50, dtype=torch.bool)
    mask[0:9, 20:33] = True
    out = paste(target, source, mask)
    assert out.name == "target"
    for part in (out, target, source):
        assert part.rgb is not None
        assert part.labels is not None
    assert torch.equal(out.labels[mask], source.labels[mask])
    assert torch.equal(out.labels[~mask], target.labels[~mask])
    for row in range(40):
        for column in range(50):
            rows = slice(max(0, row - MARGIN), row + MARGIN + 1)
            columns = slice(max(0, column - MARGIN), column + MARGIN + 1)
            near = float(mask[rows, columns].float().mean())
            share = 1.0 if mask[row, column] else min(1.0, 2 * near)
            wanted = (1 - share) * target.rgb[:, row, column] + share * source.rgb[:, row, column]
            torch.testing.assert_close(out.rgb[:, row, column], wanted, rtol=1e-4, atol=1e-5)
