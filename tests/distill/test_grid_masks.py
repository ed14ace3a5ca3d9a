from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from samantic.distill.grid_masks import (
    boundaries,
    boundary_recall,
    click_grid,
    grid_masks,
    stabilities,
    without_duplicates,
)
from samantic.models import Pyramid, load_sam2
from samantic.models.promptable import Encoded, Masks, PromptableSAM


class Squares(PromptableSAM):
    """Answers every click with the 16x16 square around it, a doubtful one, and a tiny one."""

    def __init__(self) -> None:
        super().__init__(load_sam2("random-micro"))
        self.asked: list[torch.Tensor] = []

    def encode(self, images: torch.Tensor) -> Encoded:
        nothing = torch.zeros(1, 1, 1, 1)
        return Encoded(Pyramid(nothing, nothing, nothing), tuple(images.shape[-2:]))

    def decode_coarse(self, encoded: Encoded, **prompts: torch.Tensor) -> Masks:  # type: ignore[override]
        points = prompts["points"][0, :, 0] / 4
        self.asked.append(points)
        height, width = (-(-length // 32) * 8 for length in encoded.size)  # padded
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        logits = []
        for px, py in points.tolist():
            square = (x // 4 == px // 4) & (y // 4 == py // 4)
            tiny = (x - px).abs() + (y - py).abs() < 1
            logits.append(torch.stack([20.0 * s - 10 for s in (square, square, tiny)]))
        quality = torch.tensor([0.9, 0.3, 0.95]).expand(1, len(points), 3)
        return Masks(torch.stack(logits)[None], quality)


def test_the_grid_finds_every_square_once() -> None:
    sam = Squares()
    found = grid_masks(sam, torch.zeros(3, 32, 48), side=12, chunk=10)
    assert found.masks.shape == (6, 32, 48)  # of 96 clicks
    covered = found.masks.sum(0)
    assert covered.max() == 1
    assert (covered == 1).float().mean() > 0.98  # all but the squares' corners
    assert found.quality.tolist() == pytest.approx([0.9] * 6)
    assert max(len(points) for points in sam.asked) == 10
    assert sum(len(points) for points in sam.asked) == 96


def test_they_are_those_that_are_chosen_pixel_by_pixel() -> None:
    """The same clicks, with every answer brought to the image's size before it is judged."""

    class Centred(PromptableSAM):
        """Random masks that cover about half of the image."""

        def decode_coarse(self, encoded: Encoded, **prompts: torch.Tensor) -> Masks:  # type: ignore[override]
            logits, quality = super().decode_coarse(encoded, **prompts)
            logits = logits - logits.mean((-2, -1), keepdim=True)
            return Masks(20 * logits / logits.std((-2, -1), keepdim=True), quality)

    torch.manual_seed(0)
    sam = Centred(load_sam2("random-micro")).eval()
    image = torch.rand(3, 90, 128)
    found = grid_masks(sam, image, side=8, quality=-9.0, stability=0.6, overlap=0.97)
    with torch.inference_mode():
        points = click_grid(90, 128, 8)[None, :, None]
        answers = sam.decode(sam.encode(image[None]), points=points)
        logits, quality = answers.logits.flatten(0, 2), answers.quality.flatten()
        keep = stabilities(logits) >= 0.6
        keep &= (logits > 0).sum((1, 2)) >= 64
        masks, quality = logits[keep] > 0, quality[keep]
        small = masks[:, ::4, ::4]
        chosen = without_duplicates(small, quality, 0.97)
    expected = masks[chosen].flatten(1).float()
    same = found.masks.flatten(1).float()
    assert len(same) > 3
    common = same @ expected.T
    iou = common / (same.sum(1)[:, None] + expected.sum(1) - common)
    assert (iou.amax(1) > 0.95).float().mean() > 0.95
    assert (iou.amax(0) > 0.95).float().mean() > 0.95


@pytest.mark.parametrize(("longest", "smallest"), [(48, 200), (192, 30), (240, 20)])
def test_another_view_gives_masks_of_the_images_size(longest: int, smallest: int) -> None:
    """Made smaller or larger: as many clicks, squares of 16 pixels of the view, areas in pixels."""
    sam, image = Squares(), torch.zeros(3, 64, 96)
    found = grid_masks(sam, image, side=24, longest=longest, smallest=smallest)
    assert found.masks.shape == ((longest // 16) * (longest // 24), 64, 96)
    covered = found.masks.sum(0)
    assert covered.max() == 1
    assert (covered == 1).float().mean() > 0.9
    areas, exact = found.masks.flatten(1).sum(1), (16 * 96 / longest) ** 2
    assert ((areas > 0.7 * exact) & (areas < 1.3 * exact)).all()
    clicks = torch.cat(sam.asked) * 4
    assert len(clicks) == 24 * 16
    last = torch.tensor([longest, longest * 2 // 3]) - 1
    torch.testing.assert_close(clicks[0] + clicks[-1], last.float())  # centred
    most = int(areas.max())
    for least, left in ((most, True), (most + 1, False)):
        some = grid_masks(sam, image, side=24, longest=longest, smallest=least)
        assert (len(some.masks) > 0) == left


def test_nothing_survives_a_network_that_trusts_nothing() -> None:
    found = grid_masks(Squares(), torch.zeros(3, 32, 48), side=4, quality=0.99)
    assert found.masks.shape == (0, 32, 48)
    assert found.quality.shape == (0,)


@pytest.mark.parametrize(("height", "width", "shape"), [(480, 640, (12, 16)), (64, 16, (16, 4))])
def test_clicks_are_evenly_spaced(height: int, width: int, shape: tuple[int, int]) -> None:
    points = click_grid(height, width, 16)
    assert len(points) == shape[0] * shape[1]
    x, y = points[:, 0].unique(), points[:, 1].unique()
    assert (len(y), len(x)) == shape
    for places, size in ((x, width), (y, height)):
        gaps = places.diff()
        assert torch.allclose(gaps, gaps[0])
        assert places[0] + 0.5 == pytest.approx(size - 0.5 - float(places[-1]))  # centred


def test_stability_equals_the_iou_of_two_cuts() -> None:
    logits = 3 * torch.randn(4, 9, 9)
    logits[3] = -5
    for value, z in zip(stabilities(logits)[:3], logits.numpy(), strict=False):
        narrow, wide = z > 1, z > -1
        assert value.item() == pytest.approx((narrow & wide).sum() / (narrow | wide).sum())
    assert stabilities(logits)[3] == 1


def test_duplicates_equal_a_greedy_loop() -> None:
    rng = np.random.default_rng(1)
    masks = torch.zeros(30, 48, 48, dtype=torch.bool)
    for mask in masks:
        top, left = (4 * rng.integers(0, 4, 2)).tolist()  # on the coarse grid, where IoU is exact
        mask[top : top + 24, left : left + 24] = True
    quality = torch.from_numpy(rng.permutation(30) / 30)
    kept: list[int] = []
    for i in sorted(range(30), key=lambda i: -quality[i]):
        ious = [float((masks[i] & masks[j]).sum() / (masks[i] | masks[j]).sum()) for j in kept]
        if all(iou <= 0.6 for iou in ious):
            kept.append(i)
    assert without_duplicates(masks[:, ::4, ::4], quality, 0.6).tolist() == kept
    assert 1 < len(kept) < 16


def test_boundaries_and_their_recall() -> None:
    labels = torch.zeros(20, 30, dtype=torch.int64)
    labels[5:15, 5:15] = 3
    exact = (labels == 3)[None]
    edge = boundaries(exact)[0]
    assert edge.sum() == 4 * 9
    assert not edge[6:14, 6:14].any()
    assert boundary_recall(exact, labels, 1) == 1
    assert boundary_recall(exact[:0], labels) == 0
    upper = exact.clone()
    upper[:, 10:] = False
    expected = 0.0
    drawn = boundaries(upper)[0]
    edges = [
        (y, x)
        for y in range(20)
        for x in range(30)
        if (x and labels[y, x] != labels[y, x - 1]) or (y and labels[y, x] != labels[y - 1, x])
    ]
    for y, x in edges:
        near = drawn[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3]
        expected += float(near.any()) / len(edges)
    assert boundary_recall(upper, labels, 2) == pytest.approx(expected)
    assert math.isnan(boundary_recall(exact, torch.zeros_like(labels)))


def test_a_real_network_runs_on_any_size() -> None:
    sam = PromptableSAM(load_sam2("random-micro")).eval()
    found = grid_masks(sam, torch.rand(3, 50, 70), side=4, quality=0.0, stability=0.0, smallest=1)
    assert found.masks.shape[1:] == (50, 70)
    assert (found.quality.diff() <= 0).all()
