"""Targets and losses of a step against the paper's formulas, written out."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from samantic.config.classes import IGNORE
from samantic.config.distill import ObjectiveConfig, ViewConfig
from samantic.data.crop import Crop
from samantic.data.samples import Sample
from samantic.distill.data import Lessons
from samantic.distill.objective import class_weights, student_terms, teacher_terms
from samantic.distill.rectification import refined_boundary
from samantic.distill.targets import (
    Targets,
    crop_targets,
    make_targets,
    merge_windows,
    read_targets,
    stack_targets,
    within,
    write_targets,
)
from samantic.distill.views import draw_columns, put_back, view
from samantic.distill.windows import Cut, plan_windows

K, H, W, WINDOW = 4, 12, 24, 8
OPTIONS = ObjectiveConfig(smallest=4, cover=0.5, distance=2)


@pytest.fixture(params=[WINDOW, (8, WINDOW)], ids=["as high as the image", "rows"])
def cut(request: pytest.FixtureRequest) -> Cut:
    return plan_windows(request.param, (H, W))


def blocks(cut: Cut) -> list[Tensor]:
    """Masks of each window: its left half, its upper half, and a small thing on top."""
    masks = torch.zeros(3, *cut.window, dtype=torch.bool)
    masks[0, :, : cut.window[1] // 2] = True
    masks[1, : cut.window[0] // 2] = True
    masks[2, 2:5, 1:4] = True
    return [masks] * len(cut.corners)


def smooth(*shape: int) -> Tensor:
    """Random logits (..., H, w) with regions a few pixels wide."""
    small = torch.randn(*shape[:-2], shape[-2] // 4, shape[-1] // 4)
    return 3 * small.repeat_interleave(4, -2).repeat_interleave(4, -1)


def by_hand(logits: Tensor, masks: list[Tensor]) -> tuple[Tensor, Tensor]:
    """E and E^H of windows (n, K, H, w), mask by mask and pixel by pixel."""
    labels = logits.argmax(1)
    ensemble, confident = labels.clone(), torch.full_like(labels, IGNORE)
    for i in range(len(logits)):
        for mask in sorted(masks[i], key=lambda m: -int(m.sum())):
            counts = [int((labels[i][mask] == k).sum()) for k in range(K)]
            winner = int(np.argmax(counts))
            ensemble[i][mask] = winner
            sure = counts[winner] / int(mask.sum()) >= OPTIONS.cover
            confident[i][mask] = winner if sure else IGNORE
    return ensemble, confident


def test_targets_of_an_image(cut: Cut) -> None:
    logits = smooth(len(cut.corners), K, *cut.window)
    masks = blocks(cut)
    targets = make_targets(logits, masks, cut, OPTIONS)
    ensemble, confident = by_hand(logits, masks)
    assert torch.equal(targets.ensemble, ensemble)
    assert torch.equal(targets.confident, confident)
    assert (confident == IGNORE).any()
    assert (confident != IGNORE).any()
    mean = torch.zeros(K, H, W)
    for y, x in itertools.product(range(H), range(W)):
        seen = [
            part[:, y - top, (x - left) % W].softmax(0)
            for part, (top, left) in zip(logits, cut.corners, strict=True)
            if 0 <= y - top < cut.window[0] and (x - left) % W < WINDOW
        ]
        mean[:, y, x] = torch.stack(seen).mean(0)
    assert targets.probabilities is not None
    assert torch.allclose(targets.probabilities, mean, atol=1e-6)
    assert torch.equal(targets.teacher, mean.argmax(0))
    boundary = torch.zeros(H, W, dtype=torch.bool)
    for i, (top, left) in enumerate(cut.corners):
        edges = refined_boundary(logits[i].argmax(0), masks[i], OPTIONS.distance)
        for y, x in edges.nonzero().tolist():  # one window that sees it is enough
            boundary[top + y, (left + x) % W] = True
    assert torch.equal(targets.boundary, boundary)


def test_an_image_that_is_its_own_window() -> None:
    cut = plan_windows(None, (H, W))
    assert cut == Cut([0], [0], (H, W), (H, W), wrap=False)
    logits = smooth(1, K, H, W)
    nothing = [torch.zeros(0, H, W, dtype=torch.bool)]
    targets = make_targets(logits, nothing, cut, OPTIONS)
    assert torch.equal(targets.teacher, logits[0].argmax(0))
    assert torch.equal(targets.ensemble[0], targets.teacher)
    assert (targets.confident == IGNORE).all()
    assert not targets.boundary.any()


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the valid pixels of (..., K, H, w) logits, written with a logarithm."""
    chosen = labels.where(labels != IGNORE, 0)
    p = logits.softmax(-3).gather(-3, chosen.unsqueeze(-3)).squeeze(-3)
    return -p[labels != IGNORE].log().mean()


def windows_of(images: Tensor, cut: Cut) -> Tensor:
    """(N, n, ..., h, w) by rolling each window to the upper left corner."""
    high, wide = cut.window
    rolled = [images.roll((-top, -left), (-2, -1)) for top, left in cut.corners]
    return torch.stack([image[..., :high, :wide] for image in rolled], dim=1)


def batch_targets(cut: Cut, count: int = 2) -> tuple[Tensor, Targets]:
    logits = smooth(len(cut.corners), count, K, *cut.window)
    each = [make_targets(part, blocks(cut), cut, OPTIONS) for part in logits.unbind(1)]
    return logits, stack_targets(each)


def test_student_terms(cut: Cut) -> None:
    _, targets = batch_targets(cut)
    student = torch.randn(2, K, H, W)
    options = replace(OPTIONS, whole=0.5, window=2.0, boundary=0.25)
    terms = student_terms(student, targets, cut, options)
    parts = windows_of(student, cut)
    window = cross_entropy(parts, targets.ensemble) + cross_entropy(parts, targets.confident)
    assert torch.allclose(terms["whole"], 0.5 * cross_entropy(student, targets.teacher))
    assert torch.allclose(terms["window"], 2 * window)
    assert torch.allclose(terms["boundary"], 0.25 * boundary_by_hand(student, targets.boundary))
    assert set(student_terms(student, targets, cut, replace(options, boundary=0, whole=0))) == {
        "window"
    }


def boundary_by_hand(logits: Tensor, boundary: Tensor) -> Tensor:
    """Class-balanced BCE with 1 - the least agreement with one of four neighbours, around."""
    p = logits.softmax(1)
    found = torch.zeros(len(p), H, W)
    for y in range(H):
        for x in range(W):
            near = [(y + dy, (x + dx) % W) for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0))]
            alike = [(p[:, :, y, x] * p[:, :, v, u]).sum(1) for v, u in near if 0 <= v < H]
            found[:, y, x] = 1 - torch.stack(alike).amin(0)
    return -(found[boundary].log().mean() + (1 - found[~boundary]).log().mean()) / 2


def test_soft_targets(cut: Cut) -> None:
    _, targets = batch_targets(cut)
    student = torch.randn(2, K, H, W)
    options = replace(OPTIONS, targets="soft", window=0, boundary=0)
    terms = student_terms(student, targets, cut, options)
    p = targets.probabilities
    assert p is not None
    expected = (p * (p.log() - student.log_softmax(1))).sum(1).mean()
    assert torch.allclose(terms["whole"], expected, atol=1e-5)
    with pytest.raises(ValueError, match="soft targets need"):
        student_terms(student, targets._replace(probabilities=None), cut, options)


def test_teacher_terms_reach_the_teacher_alone(cut: Cut) -> None:
    logits, _ = batch_targets(cut)
    logits.requires_grad_()
    each = [make_targets(part, blocks(cut), cut, OPTIONS) for part in logits.unbind(1)]
    targets = stack_targets(each)
    assert not any(part is not None and part.requires_grad for part in targets)
    terms = teacher_terms(logits, targets, cut, replace(OPTIONS, consistency=3.0))
    parts = logits.transpose(0, 1)
    own = cross_entropy(parts, targets.ensemble) + cross_entropy(parts, targets.confident)
    assert torch.allclose(terms["teacher"], own)
    whole = stack_windows(logits, cut)
    assert torch.allclose(terms["consistency"], 3 * whole, atol=1e-5)
    student = torch.randn(2, K, H, W, requires_grad=True)
    torch.stack(list(student_terms(student, targets, cut, OPTIONS).values())).sum().backward()
    assert logits.grad is None
    assert student.grad is not None


def stack_windows(logits: Tensor, cut: Cut) -> Tensor:
    """L_CC where each window shares a half with the next one, and with the one below."""
    half, (rows, columns) = WINDOW // 2, (len(cut.tops), len(cut.lefts))
    grid = logits.unflatten(0, (rows, columns))
    terms = []
    for r, c in itertools.product(range(rows), range(columns)):
        beside = grid[r, (c + 1) % columns]
        terms.append((grid[r, c][..., half:], beside[..., :half]))
        if r + 1 < rows:
            terms.append((grid[r, c][..., half:, :], grid[r + 1, c][..., :half, :]))
    logs = [(a.log_softmax(1), b.log_softmax(1)) for a, b in terms]
    total = torch.stack([((p.exp() - q.exp()) * (p - q)).sum() for p, q in logs]).sum()
    return total / sum(p[:, 0].numel() for p, _ in logs)


@pytest.mark.parametrize("soft", [True, False])
def test_files_of_targets(tmp_path: Path, cut: Cut, soft: bool) -> None:
    logits = smooth(len(cut.corners), K, *cut.window)
    targets = make_targets(logits, blocks(cut), cut, OPTIONS)
    if not soft:
        targets = targets._replace(probabilities=None)
    write_targets(tmp_path / "a.npz", targets)
    again = read_targets(tmp_path / "a.npz")
    for name, part in targets._asdict().items():
        kept = getattr(again, name)
        if part is None:
            assert kept is None
        elif name == "probabilities":
            assert torch.allclose(kept.float(), part, atol=1e-3)
        else:
            assert torch.equal(kept.long(), part.long())


def test_merged_windows(cut: Cut) -> None:
    """Windows that agree, one that is silent, and two that differ, in each row."""
    labels = torch.zeros(len(cut.corners), *cut.window, dtype=torch.int64)
    for row in labels.unflatten(0, (len(cut.tops), -1)):
        row[0] = IGNORE
        row[2, :, : WINDOW // 2] = 3  # shares columns 8..11 with window 1
    probabilities = torch.full((K, H, W), 0.1)
    probabilities[3, : H // 2] = 0.7
    probabilities[0, H // 2 :] = 0.7
    merged = merge_windows(labels, probabilities, cut)
    assert (merged[: H // 2, 8:12] == 3).all()
    assert (merged[H // 2 :, 8:12] == 0).all()
    assert (merged[:, [*range(8), *range(12, W)]] == 0).all()
    silent = merge_windows(torch.full_like(labels, IGNORE), probabilities, cut)
    assert (silent == IGNORE).all()


@pytest.mark.parametrize(("flip", "roll"), [(0.0, False), (1.0, False), (0.5, True)])
def test_views_are_put_back(flip: float, roll: bool) -> None:
    images = torch.rand(5, 3, 4, 9)
    columns = draw_columns(5, 9, flip, roll)
    viewed = view(images, columns)
    assert torch.equal(put_back(viewed, columns), images)
    expected = [
        torch.stack([images[i, :, :, int(c)] for c in columns[i]], dim=-1) for i in range(5)
    ]
    assert torch.equal(viewed, torch.stack(expected))
    if not roll:
        assert torch.equal(viewed, images.flip(-1) if flip else images)
    else:
        assert len({tuple(row.tolist()) for row in columns}) > 1
        steps = columns.diff(dim=1) % 9
        assert set(steps.flatten().tolist()) == {1, 8}, "neighbours stay neighbours, both ways"


def test_every_view_starts_at_a_column_of_its_own() -> None:
    """All columns are drawn, and half of the views are mirrored, each by itself."""
    columns = draw_columns(400, 9, flip=0.5, roll=True)
    assert set(columns[:, 0].tolist()) == set(range(9))
    mirrored = (columns[:, 1] - columns[:, 0]) % 9 == 8
    assert 160 < int(mirrored.sum()) < 240
    assert torch.bincount(columns[:, 0]).min() > 20


def test_a_part_of_an_image_has_the_targets_of_its_pixels() -> None:
    """Where nothing is resampled they are cut; where it is, images and targets stay together."""
    coarse = torch.randint(0, K, (H // 4, W // 4))
    teacher = coarse.repeat_interleave(4, 0).repeat_interleave(4, 1)
    boundary = torch.zeros(H, W, dtype=torch.bool)
    boundary[5, 7] = True
    probabilities = torch.nn.functional.one_hot(teacher, K).movedim(-1, 0).half()
    whole = Targets(teacher.byte(), probabilities, teacher[None], teacher[None], boundary)
    part = crop_targets(whole, Crop(2, 3, 6, 8, (6, 8), False))
    for found, expected in zip(part, whole, strict=True):
        assert found is not None
        assert expected is not None
        assert torch.equal(found.float(), expected[..., 2:8, 3:11].float())
    half = crop_targets(whole, Crop(0, 0, H, W, (H // 2, W // 2), False))
    assert half.probabilities is not None
    assert torch.equal(half.probabilities.argmax(0), half.teacher.long())
    assert torch.equal(half.teacher.long(), teacher[::2, ::2])
    assert half.boundary.nonzero().tolist() == [[2, 3]]


def test_lessons_of_a_part_show_one_part_of_everything() -> None:
    """With targets, and with masks for a teacher that learns."""
    ids = torch.randint(0, K, (H // 4, W // 4)).repeat_interleave(16, 0).repeat_interleave(16, 1)
    code = ids.float() / K
    sample = Sample("x", {"rgb": code.expand(3, -1, -1), "thermal": code[None]}, None)
    targets = Targets(ids.byte(), None, ids[None], ids[None], ids > 1)
    masks = [ids == torch.arange(K)[:, None, None]]
    view = ViewConfig(crop=(32, 32), scale=(1.0, 1.0))
    pairs: Any = [sample]
    for known in (targets, masks):
        for _ in range(10):
            lesson = Lessons(pairs, lambda _, known=known: known, view)[0]
            assert lesson.sample.rgb is not None
            assert lesson.sample.rgb.shape == (3, 32, 32)
            seen = (lesson.sample.rgb[0] * K).round().long()
            if isinstance(lesson.known, Targets):
                assert torch.equal(lesson.known.ensemble[0], seen)
            else:
                assert torch.equal(lesson.known[0], seen == torch.arange(K)[:, None, None])


def test_a_part_that_shows_more_than_the_image_teaches_nothing_beyond_it() -> None:
    """Neither with targets that were kept, nor with a teacher that learns, soft or hard."""
    ids = torch.randint(0, K, (H, W))
    sample = Sample("x", {"rgb": torch.rand(3, H, W), "thermal": torch.rand(1, H, W)}, None)
    soft = torch.nn.functional.one_hot(ids, K).movedim(-1, 0).float()
    whole = Targets(ids, soft, ids[None], ids[None], ids > 1)
    view = ViewConfig(crop=(32, 48), scale=(1.0, 1.0))
    pairs: Any = [sample]
    lesson = Lessons(pairs, lambda _: whole, view)[0]
    assert isinstance(lesson.known, Targets)
    assert lesson.sample.inside is not None
    outside = ~lesson.sample.inside
    assert int(outside.sum()) == 32 * 48 - H * W
    for part in (lesson.known.teacher, lesson.known.ensemble[0], lesson.known.confident[0]):
        assert torch.equal(part == 255, outside)
    # the same for targets that a teacher makes of the padded images
    big = torch.randint(0, K, (1, 32, 48))
    padded = Targets(big, None, big[None], big[None], big > 1)
    inside = within(padded, lesson.sample.inside[None])
    for part in (inside.teacher[0], inside.ensemble[0, 0], inside.confident[0, 0]):
        assert torch.equal(part == 255, outside)
    edge = lesson.sample.inside.float()[None]
    core = -torch.nn.functional.max_pool2d(-edge, 3, 1, 1)[0] > 0  # whose neighbours are inside too
    core &= lesson.sample.inside
    assert torch.equal(inside.boundary[0] & core, (big[0] > 1) & core)
    assert not inside.boundary[0][~core].any()
    # and no gradient reaches what lies beyond
    batch = stack_targets([lesson.known])
    for kind in ("hard", "soft"):
        logits = torch.randn(1, K, 32, 48, requires_grad=True)
        options = ObjectiveConfig(targets=kind)
        cut = plan_windows(None, (32, 48))
        terms = student_terms(logits, batch, cut, options)
        torch.stack(list(terms.values())).sum().backward()
        assert logits.grad is not None
        assert not logits.grad[0][:, outside].any()
        assert logits.grad[0][:, ~outside].any()


def test_rare_classes_weigh_more() -> None:
    """Shares of two images' teacher and ensemble together; nothing where a class is missing."""
    teacher, ensemble = torch.tensor([[[0, 0]], [[0, 1]]]), torch.tensor([[[[0, 0]]], [[[0, 3]]]])
    targets = Targets(teacher, None, ensemble, ensemble, teacher > 0)
    weights = class_weights(targets, K, 0.5)
    assert weights.tolist() == pytest.approx([(6 / 8) ** -0.5, 8**0.5, 0, 8**0.5])
    assert class_weights(targets, K, 0.0).tolist() == [1, 1, 0, 1]


def test_terms_are_weighed_by_class(cut: Cut) -> None:
    """A mean over pixels in which a class weighs by its share to the power of -1/2."""
    logits, targets = batch_targets(cut)
    options = replace(OPTIONS, class_balance=0.5, boundary=0, consistency=0)
    ids = torch.cat([targets.teacher.flatten(), targets.ensemble.flatten()])
    share = torch.stack([(ids == k).float().mean() for k in range(K)])
    weight = share**-0.5

    def weighed(logits: Tensor, labels: Tensor) -> Tensor:
        """Of (..., K, H, w) logits."""
        valid = labels != IGNORE
        logs, labels = logits.log_softmax(-3).movedim(-3, -1)[valid], labels[valid]
        losses = -logs[range(len(labels)), labels]
        return (weight[labels] * losses).sum() / weight[labels].sum()

    student = torch.randn(2, K, H, W)
    terms = student_terms(student, targets, cut, options)
    torch.testing.assert_close(terms["whole"], weighed(student, targets.teacher))
    parts = windows_of(student, cut)
    wanted = (targets.ensemble, targets.confident)
    expected = torch.stack([weighed(parts, labels) for labels in wanted]).sum()
    torch.testing.assert_close(terms["window"], expected)
    parts = logits.transpose(0, 1)
    expected = torch.stack([weighed(parts, labels) for labels in wanted]).sum()
    torch.testing.assert_close(teacher_terms(logits, targets, cut, options)["teacher"], expected)
    soft = student_terms(student, targets, cut, replace(options, targets="soft"))["whole"]
    p = targets.probabilities
    assert p is not None
    divergence = (p * (p.log() - student.log_softmax(1))).sum(1)
    by_pixel = weight[p.argmax(1)]
    torch.testing.assert_close(soft, (by_pixel * divergence).sum() / by_pixel.sum())


def test_the_boundary_term_does_not_see_what_lies_outside() -> None:
    """Pixel by pixel: what lies there counts neither by itself nor as a neighbour."""
    cut = plan_windows(None, (H, W))
    outside = torch.zeros(1, H, W, dtype=torch.bool)
    outside[..., W - 6 :] = True
    teacher = torch.randint(0, K, (1, H, W)).masked_fill(outside, IGNORE)
    boundary = (torch.rand(1, H, W) < 0.2) & ~outside
    targets = Targets(teacher, None, teacher[:, None], teacher[:, None], boundary)
    student = torch.randn(1, K, H, W, requires_grad=True)
    options = ObjectiveConfig(whole=0, window=0, boundary=0.5)
    terms = student_terms(student, targets, cut, options)
    p = student.detach().double().softmax(1)[0]
    on, off = [], []
    for y, x in itertools.product(range(H), range(W - 6)):
        near = [(y + dy, x + dx) for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0))]
        alike = min(
            float(p[:, y, x] @ p[:, v, u]) for v, u in near if 0 <= v < H and 0 <= u < W - 6
        )
        (on if boundary[0, y, x] else off).append(np.log(1 - alike if boundary[0, y, x] else alike))
    assert terms["boundary"].item() == pytest.approx(-0.25 * (np.mean(on) + np.mean(off)), rel=1e-5)
    terms["boundary"].backward()
    assert student.grad is not None
    assert not student.grad[..., W - 6 :].any()
    assert student.grad[..., W - 7].any()
