from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch

from samantic.distill.rectification import (
    complementary_fusion,
    overlap_consistency,
    refined_boundary,
)
from samantic.distill.windows import Cut, cut_windows, plan_windows


def random_masks(count: int, height: int, width: int) -> torch.Tensor:
    """Rectangles, which overlap."""
    masks = torch.zeros(count, height, width, dtype=torch.bool)
    for mask in masks:
        top, left = int(torch.randint(height, ())), int(torch.randint(width, ()))
        mask[
            top : top + int(torch.randint(1, 9, ())), left : left + int(torch.randint(1, 9, ()))
        ] = 1
    return masks


def consistency_by_pixels(logits: torch.Tensor, cut: Cut) -> float:
    total, pixels = 0.0, 0
    p = logits.double().softmax(2)
    (height, width), (high, wide) = cut.size, cut.window
    rows, columns = len(cut.tops), len(cut.lefts)
    pairs = {
        frozenset(((r, c), other))
        for r in range(rows)
        for c in range(columns)
        for other in ((r, (c + 1) % columns), (min(r + 1, rows - 1), c))
    }
    for (r, c), (s, d) in (pair for pair in pairs if len(pair) == 2):
        for y, x in itertools.product(range(height), range(width)):
            a = y - cut.tops[r], (x - cut.lefts[c]) % width
            b = y - cut.tops[s], (x - cut.lefts[d]) % width
            if not all(0 <= v < high and u < wide for v, u in (a, b)):
                continue
            for n in range(logits.shape[1]):
                one = p[r * columns + c, n, :, a[0], a[1]].tolist()
                other = p[s * columns + d, n, :, b[0], b[1]].tolist()
                for u, v in zip(one, other, strict=True):
                    total += u * math.log(u / v) + v * math.log(v / u)
                pixels += 1
    return total / pixels


@pytest.mark.parametrize(
    "cut",
    [
        Cut([0], [0, 4, 8, 12], (2, 8), (2, 16), True),  # half overlapping, around
        Cut([0], [0, 4, 8], (2, 11), (2, 12), True),  # neighbours share two pieces
        Cut([0], [0, 6], (2, 10), (2, 12), True),  # the only two windows share two pieces
        Cut([0], [0, 3, 6], (2, 6), (2, 12), True),  # not around
        Cut([0, 1, 3], [0, 3, 6], (3, 5), (6, 9), True),  # rows of windows
        Cut([0, 2], [0], (4, 9), (6, 9), True),  # above each other
    ],
)
def test_consistency_equals_a_loop(cut: Cut) -> None:
    logits = torch.randn(len(cut.corners), 2, 3, *cut.window)
    expected = consistency_by_pixels(logits, cut)
    assert overlap_consistency(logits, cut).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("window", [10, (2, 10)])
def test_windows_that_agree_are_consistent(window: int | tuple[int, int]) -> None:
    cut = plan_windows(window, (3, 24))
    windows = cut_windows(torch.randn(2, 4, 3, 24), cut)
    assert overlap_consistency(windows, cut).item() == pytest.approx(0, abs=1e-6)


def test_the_last_window_and_the_first_must_agree() -> None:
    cut = plan_windows(8, (2, 16))
    logits = cut_windows(torch.randn(1, 3, 2, 16), cut)
    logits[3, ..., 6:] += torch.tensor([9.0, 0, 0])[:, None, None]  # beyond the panorama's end
    assert overlap_consistency(logits, cut) > 0.1
    without = replace(cut, lefts=cut.lefts[:3])
    assert overlap_consistency(logits[:3], without).item() == pytest.approx(0, abs=1e-6)


def test_a_single_window_is_consistent_and_has_gradients() -> None:
    logits = torch.randn(1, 2, 3, 4, 8, requires_grad=True)
    loss = overlap_consistency(logits, plan_windows(None, (4, 8)))
    loss.backward()
    assert loss == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def test_gradients_of_the_consistency() -> None:
    logits = torch.randn(6, 1, 3, 2, 5, dtype=torch.float64, requires_grad=True)
    cut = Cut([0, 1], [0, 3, 6], (2, 5), (3, 9), True)
    assert torch.autograd.gradcheck(lambda z: overlap_consistency(z, cut), logits)


def test_refined_boundary_equals_a_loop() -> None:
    labels = torch.zeros(14, 18, dtype=torch.int64)
    labels[4:9, 5:12] = 2
    masks = random_masks(40, 14, 18)
    expected = torch.zeros(14, 18, dtype=torch.bool)

    def around(y: int, x: int) -> list[tuple[int, int]]:
        steps = [(y, x - 1), (y, x + 1), (y - 1, x), (y + 1, x)]
        return [(v, u) for v, u in steps if 0 <= v < 14 and 0 <= u < 18]

    pixels = [(y, x) for y in range(14) for x in range(18)]
    edges = [q for q in pixels if any(labels[q] != labels[n] for n in around(*q))]
    for y, x in pixels:
        drawn = any(m[y, x] and any(not m[n] for n in around(y, x)) for m in masks)
        expected[y, x] = drawn and any(max(abs(y - v), abs(x - u)) <= 2 for v, u in edges)
    found = refined_boundary(labels, masks, distance=2)
    assert torch.equal(found, expected)
    assert 0 < found.sum() < refined_boundary(labels, masks, distance=4).sum()
    assert not refined_boundary(labels, masks[:0]).any()


def fuse_by_pixels(
    labels: torch.Tensor, masks: torch.Tensor, classes: int, smallest: int, cover: float
) -> tuple[torch.Tensor, torch.Tensor]:
    fused, confident = labels.clone(), torch.full_like(labels, 255)
    places = [[tuple(p) for p in mask.nonzero().tolist()] for mask in masks]
    for pixels in sorted(places, key=lambda pixels: -len(pixels)):
        votes = [sum(int(labels[p]) == k for p in pixels) for k in range(classes)]
        if len(pixels) < smallest or not any(votes):
            continue
        winner = votes.index(max(votes))
        for p in pixels:
            fused[p] = winner
            confident[p] = winner if max(votes) / len(pixels) >= cover else 255
    return fused, confident


@pytest.mark.parametrize("cover", [0.5, 0.6, 0.7])
def test_fusion_equals_a_loop(cover: float) -> None:
    labels = torch.randint(4, (6, 8)).repeat_interleave(3, 0).repeat_interleave(4, 1)
    labels[:4, :9] = 255
    masks = random_masks(40, 18, 32)
    fusion = complementary_fusion(labels, masks, 4, smallest=9, cover=cover)
    expected, confident = fuse_by_pixels(labels, masks, 4, 9, cover)
    assert torch.equal(fusion.labels, expected)
    assert torch.equal(fusion.confident, confident)
    assert (fusion.labels != labels).any()
    assert (confident == 255).any()
    assert (confident < 4).any()


def test_a_thing_prevails_over_what_it_is_part_of() -> None:
    labels = torch.zeros(10, 10, dtype=torch.int64)
    labels[2:5, 2:5] = 1
    masks = torch.zeros(2, 10, 10, dtype=torch.bool)
    masks[0, 2:6, 2:6] = True  # 9 of its 16 pixels are of class 1
    masks[1, :9] = True
    fusion = complementary_fusion(labels, masks, 2, smallest=1, cover=0.6)
    assert (fusion.labels[2:6, 2:6] == 1).all()
    assert fusion.labels.sum() == 16
    assert (fusion.confident[2:6, 2:6] == 255).all()  # 9/16 < 0.6
    assert (fusion.confident[9] == 255).all()  # outside the masks
    assert (fusion.confident[6:9] == 0).all()


def test_a_cover_equal_to_the_threshold_is_confident() -> None:
    labels = torch.zeros(10, 10, dtype=torch.int64)
    labels[6:] = 1
    whole = torch.ones(1, 10, 10, dtype=torch.bool)
    assert (complementary_fusion(labels, whole, 2, cover=0.6).confident == 0).all()
    assert (complementary_fusion(labels, whole, 2, cover=0.61).confident == 255).all()


def test_masks_of_a_label_map_and_none_at_all() -> None:
    labels = torch.randint(3, (12, 12))
    ids = torch.arange(4).reshape(2, 2).repeat_interleave(6, 0).repeat_interleave(6, 1)
    fusion = complementary_fusion(labels, ids == torch.arange(4)[:, None, None], 3, smallest=1)
    for k in range(4):
        part = labels[ids == k]
        assert (fusion.labels[ids == k] == part.bincount(minlength=3).argmax()).all()
    empty = complementary_fusion(labels, torch.zeros(0, 12, 12, dtype=torch.bool), 3)
    assert torch.equal(empty.labels, labels)
    assert (empty.confident == 255).all()
