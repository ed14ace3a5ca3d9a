from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_cdt

from samantic.losses import (
    boundary_weights,
    class_prototypes,
    cross_entropy,
    labels_at_stride,
    language_distillation,
    ohem_cross_entropy,
    prototype_distillation,
    teacher_distillation,
)


def brute_force_ohem(logits: np.ndarray, labels: np.ndarray) -> float:
    """OHEM pixel by pixel: keep p < 0.7, but at least a sixteenth of the valid pixels."""
    losses = []
    for n, y, x in np.ndindex(labels.shape):
        if labels[n, y, x] != 255:
            scores = np.exp(logits[n, :, y, x] - logits[n, :, y, x].max())
            losses.append(-np.log(scores[labels[n, y, x]] / scores.sum()))
    if not losses:
        return 0.0
    hard = [loss for loss in losses if loss > -np.log(0.7)]
    least = max(1, len(losses) // 16)
    kept = hard if len(hard) >= least else sorted(losses)[-least:]
    return float(np.mean(kept))


@pytest.mark.parametrize("confidence", [0.1, 3.0, 30.0], ids=["unsure", "mixed", "sure"])
def test_ohem_equals_brute_force(confidence: float) -> None:
    logits = confidence * torch.randn(2, 4, 6, 7, dtype=torch.float64)
    labels = torch.where(torch.rand(2, 6, 7) < 0.8, logits.argmax(1), torch.randint(4, (2, 6, 7)))
    labels[torch.rand(2, 6, 7) < 0.2] = 255
    expected = brute_force_ohem(logits.numpy(), labels.numpy())
    assert ohem_cross_entropy(logits, labels).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("valid", [0, 1, 15, 16, 31, 32])
def test_ohem_with_few_valid_pixels(valid: int) -> None:
    logits = torch.randn(1, 3, 6, 6)
    logits[:, 1] += 10  # class 1 is sure everywhere, all pixels are easy: n_min decides
    logits.requires_grad_()
    labels = torch.full((1, 6, 6), 255)
    labels.view(-1)[:valid] = 1
    loss = ohem_cross_entropy(logits, labels)
    expected = brute_force_ohem(logits.detach().numpy(), labels.numpy())
    assert loss.item() == pytest.approx(expected, rel=1e-4, abs=1e-7)
    loss.backward()
    assert logits.grad is not None
    touched = (logits.grad.abs().sum(1) > 0).sum()
    assert touched <= max(1, valid // 16) if valid else touched == 0


@pytest.mark.parametrize("confidence", [0.1, 3.0, 30.0], ids=["unsure", "mixed", "sure"])
def test_ohem_by_image_equals_brute_force(confidence: float) -> None:
    """Of images with 0, 1, 15, 16, 64 valid pixels each keeps its own; the mean is over all."""
    valid = (0, 1, 15, 16, 64)
    logits = confidence * torch.randn(len(valid), 4, 8, 8, dtype=torch.float64)
    logits[3:] *= 0.1  # images of sure and of unsure pixels
    labels = torch.where(torch.rand(5, 8, 8) < 0.9, logits.argmax(1), torch.randint(4, (5, 8, 8)))
    for image, count in zip(labels, valid, strict=True):
        image.view(-1)[torch.randperm(64)[count:]] = 255
    logits.requires_grad_()
    kept = []
    for image, truth in zip(logits, labels, strict=True):
        pixels = truth != 255
        losses = -image.log_softmax(0)[:, pixels].T[range(int(pixels.sum())), truth[pixels]]
        hard = losses[losses > -math.log(0.7)]
        least = max(1, len(losses) // 16)
        kept.append(hard if len(hard) >= least else losses.sort(descending=True).values[:least])
    assert [len(part) for part in kept][:2] == [0, 1]
    expected = torch.cat(kept).mean()
    found = ohem_cross_entropy(logits, labels, count="image")
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-7)
    gradients = [torch.autograd.grad(loss, logits)[0] for loss in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)
    assert gradients[0].any()


def test_ohem_by_image_keeps_pixels_of_an_easy_image_beside_a_hard_one() -> None:
    """Where the batch counts, the hard image has enough hard pixels for both."""
    logits = torch.zeros(2, 2, 8, 8)
    logits[0, 0] = 9.0  # sure of class 0
    labels = torch.zeros(2, 8, 8, dtype=torch.long)
    easy, hard = math.log(1 + math.exp(-9)), math.log(2)
    assert ohem_cross_entropy(logits, labels).item() == pytest.approx(hard)
    by_image = ohem_cross_entropy(logits, labels, count="image").item()
    assert by_image == pytest.approx((4 * easy + 64 * hard) / 68)
    nothing = ohem_cross_entropy(
        logits.requires_grad_(), torch.full_like(labels, 255), count="image"
    )
    assert nothing.item() == 0
    assert torch.equal(torch.autograd.grad(nothing, logits)[0], torch.zeros_like(logits))


def test_ohem_gradient() -> None:
    logits = torch.randn(1, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(3, (1, 3, 3))
    labels[0, 0, 0] = 255
    kept = torch.autograd.grad(ohem_cross_entropy(logits, labels), logits)[0]
    probabilities = logits.detach().softmax(1)
    onehot = torch.nn.functional.one_hot(labels.clamp(max=2), 3).permute(0, 3, 1, 2)
    hard = ((probabilities * onehot).sum(1) < 0.7) & (labels != 255)
    expected = (probabilities - onehot) * hard[:, None] / hard.sum()
    torch.testing.assert_close(kept, expected, rtol=1e-4, atol=1e-6)


def test_plain_cross_entropy() -> None:
    logits = torch.randn(2, 4, 5, 5, requires_grad=True)
    labels = torch.randint(4, (2, 5, 5))
    labels[0] = 255
    log_p = logits.detach().log_softmax(1)
    expected = -log_p.gather(1, labels.clamp(max=3)[:, None])[1].mean()
    torch.testing.assert_close(cross_entropy(logits, labels), expected)
    empty = cross_entropy(logits, torch.full_like(labels, 255))
    assert empty.item() == 0
    empty.backward()
    assert logits.grad is not None


def test_class_weights_make_a_weighted_mean() -> None:
    logits, labels = torch.randn(2, 4, 5, 5), torch.randint(4, (2, 5, 5))
    labels[0, 0] = 255
    weight = torch.tensor([0.5, 1.0, 2.0, 0.0])
    expected = torch.nn.functional.cross_entropy(logits, labels, weight, ignore_index=255)
    torch.testing.assert_close(cross_entropy(logits, labels, weight), expected)
    easy = ohem_cross_entropy(logits, labels, weight, probability=1.0)  # every pixel is hard
    torch.testing.assert_close(easy, expected)


def near_another_class(labels: np.ndarray, width: int) -> np.ndarray:
    """By distance transforms: how far each pixel is from the nearest one of any other class."""
    near = np.zeros(labels.shape, bool)
    for image, found in zip(labels, near, strict=True):
        for kind in set(np.unique(image)) - {255}:
            others = (image != kind) & (image != 255)
            if others.any():
                far = distance_transform_cdt(~others, metric="chessboard")
                found |= (image == kind) & (far <= width)
    return near


@pytest.mark.parametrize("width", [1, 3, 40])
def test_boundary_weights_equal_distance_transforms(width: int) -> None:
    coarse = torch.randint(4, (3, 5, 7))
    labels = coarse.repeat_interleave(7, 1).repeat_interleave(6, 2)  # 35x42 pixels
    labels[torch.rand(labels.shape) < 0.1] = 255
    labels[0, :, 20:24] = 255  # a strip between two classes
    labels[2] = 3  # one class alone
    expected = 1 + 2.5 * near_another_class(labels.numpy(), width)
    assert np.array_equal(boundary_weights(labels, 2.5, width).numpy(), expected)


def test_borders_and_ignored_pixels_are_no_boundary() -> None:
    labels = torch.full((1, 6, 6), 255)
    assert (boundary_weights(labels, 3.0, 2) == 1).all()
    labels[0, :4, :4] = 0
    assert (boundary_weights(labels, 3.0, 2) == 1).all()
    assert (boundary_weights(torch.zeros_like(labels), 3.0, 2) == 1).all()


def test_boundary_weighted_cross_entropy_and_its_gradient() -> None:
    """By numpy: the loss of each pixel by its weights, and (p - y) u w / sum(u w)."""
    logits = torch.randn(2, 4, 9, 11, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(4, (2, 3, 11)).repeat_interleave(3, 1)
    labels[1, 2:5] = 255
    weight = torch.tensor([0.5, 1.0, 2.0, 1.5])
    loss = cross_entropy(logits, labels, weight, boundary_weights(labels, 2.0, 1))
    found = torch.autograd.grad(loss, logits)[0].numpy()
    ids, valid = labels.numpy(), labels.numpy() != 255
    share = (1 + 2 * near_another_class(ids, 1)) * weight.numpy()[np.where(valid, ids, 0)] * valid
    share = share / share.sum()
    p = np.exp(logits.detach().numpy())
    p /= p.sum(1, keepdims=True)
    y = np.eye(4)[np.where(valid, ids, 0)].transpose(0, 3, 1, 2)
    assert loss.item() == pytest.approx((share * -np.log((p * y).sum(1))).sum(), rel=1e-5)
    np.testing.assert_allclose(found, (p - y) * share[:, None], rtol=1e-4, atol=1e-8)
    hard = ohem_cross_entropy(logits, labels, weight, boundary_weights(labels, 2.0, 1))
    kept = share * ((p * y).sum(1) < 0.7)
    assert hard.item() == pytest.approx((kept * -np.log((p * y).sum(1))).sum() / kept.sum(), 1e-5)
    empty = torch.full_like(labels, 255)
    nothing = cross_entropy(logits, empty, weight, boundary_weights(empty, 2.0, 1))
    assert nothing.item() == 0
    assert not torch.autograd.grad(nothing, logits)[0].any()


def test_half_precision_logits_are_computed_in_float32() -> None:
    logits, labels = 20 * torch.randn(1, 5, 8, 8), torch.randint(5, (1, 8, 8))
    low = ohem_cross_entropy(logits.bfloat16(), labels)
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, ohem_cross_entropy(logits.bfloat16().float(), labels))


def softmax(values: list[float]) -> list[float]:
    powers = [math.exp(value) for value in values]
    return [power / sum(powers) for power in powers]


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(sum(a * b) / math.sqrt(sum(a * a) * sum(b * b)))


def test_class_prototypes_equal_a_loop_over_pixels() -> None:
    features = torch.randn(2, 3, 4, 5)
    labels = torch.randint(4, (2, 4, 5))
    labels[labels == 2] = 255
    vectors, counts = class_prototypes(features, labels, 4, stride=1)
    for k in range(4):
        pixels = [features[n, :, y, x] for n, y, x in np.ndindex(2, 4, 5) if labels[n, y, x] == k]
        assert counts[k] == len(pixels)
        expected = torch.stack(pixels).mean(0) if pixels else torch.zeros(3)
        torch.testing.assert_close(vectors[k], expected)
    assert counts[2] == 0


def test_class_prototypes_take_the_label_in_the_middle_of_a_cell() -> None:
    labels = torch.full((1, 8, 8), 255)
    labels[0, 2, 2], labels[0, 2, 6] = 1, 3  # the centres, rounded up, of two cells of 4x4 pixels
    features = torch.arange(4.0).view(1, 1, 2, 2)
    vectors, counts = class_prototypes(features, labels, 4, stride=4)
    assert counts.tolist() == [0, 1, 0, 1]
    assert vectors[[1, 3], 0].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("size", "cells"),
    [
        ((720, 1280), (46, 80)),  # SARTM's map, of a multiple of 32 rows
        ((720, 1280), (45, 80)),  # a student's
        ((500, 500), (32, 32)),
        ((500, 500), (31, 31)),  # of an encoder that rounds down
        ((60, 80), (4, 6)),
        ((33, 65), (4, 6)),
    ],
)
def test_labels_are_padded_as_images_are(size: tuple[int, int], cells: tuple[int, int]) -> None:
    """A cell at stride 16 stands where it stands, whatever was padded, cell by cell."""
    labels, features = torch.randint(5, (2, *size)), torch.randn(2, 3, *cells)
    labels[labels == 4] = 255
    expected = torch.full((2, *cells), 255)
    sums, counts = torch.zeros(4, 3), torch.zeros(4)
    for n, y, x in np.ndindex(2, *cells):
        if 16 * y + 8 < size[0] and 16 * x + 8 < size[1]:
            expected[n, y, x] = label = int(labels[n, 16 * y + 8, 16 * x + 8])
            if label != 255:
                sums[label] += features[n, :, y, x]
                counts[label] += 1
    assert torch.equal(labels_at_stride(labels, cells, 16), expected)
    vectors, found = class_prototypes(features, labels, 4)
    assert torch.equal(found, counts)
    torch.testing.assert_close(vectors, sums / counts.clamp(min=1)[:, None])


def test_labels_of_another_image_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(480, 640\) pixels do not fit a map of \(50, 50\)"):
        labels_at_stride(torch.zeros(1, 480, 640, dtype=torch.long), (50, 50), 16)


@pytest.mark.parametrize("tau", [0.1, 1.0])
def test_language_distillation_equals_a_double_loop(tau: float) -> None:
    visual, text = torch.randn(5, 7), torch.randn(5, 3)
    p, t = visual.double().numpy(), text.double().numpy()
    total = 0.0
    for i in range(5):
        target = softmax([cosine(t[i], t[j]) / tau for j in range(5)])
        found = softmax([cosine(p[i], p[j]) / tau for j in range(5)])
        for j in range(5):
            total += target[j] * (math.log(target[j]) - math.log(found[j]))
    assert language_distillation(visual, text, tau=tau).item() == pytest.approx(
        total / 25, rel=1e-4
    )


def test_prototype_distillation_equals_a_double_loop() -> None:
    visual, memory = torch.randn(3, 4), torch.randn(3, 4)
    total = 0.0
    for p, g in zip(visual.tolist(), memory.tolist(), strict=True):
        for target, found in zip(softmax(g), softmax(p), strict=True):
            total += target * (math.log(target) - math.log(found))
    assert prototype_distillation(visual, memory).item() == pytest.approx(total / 12, rel=1e-4)


@pytest.mark.parametrize("loss", [language_distillation, prototype_distillation])
def test_gradients_of_the_distillation_terms(loss: Callable[..., torch.Tensor]) -> None:
    """By central differences in the visual vectors; the target receives none."""
    visual = torch.randn(4, 5, requires_grad=True)
    target = torch.randn(4, 5, requires_grad=True)
    loss(visual, target).backward()
    assert target.grad is None
    assert visual.grad is not None
    step = 1e-2
    for i, j in ((0, 0), (1, 3), (3, 4)):
        moved = []
        for sign in (1, -1):
            shifted = visual.detach().clone()
            shifted[i, j] += sign * step
            moved.append(loss(shifted, target.detach()).item())
        assert visual.grad[i, j].item() == pytest.approx(
            (moved[0] - moved[1]) / (2 * step), rel=0.02, abs=2e-5
        )


def test_gradient_from_a_teacher_is_the_difference_of_probabilities() -> None:
    student = torch.randn(1, 3, 2, 2, requires_grad=True)
    teacher = torch.randn(1, 3, 2, 2, requires_grad=True)
    teacher_distillation(student, teacher).backward()
    assert teacher.grad is None
    expected = (student.softmax(1) - teacher.softmax(1)) / 4
    torch.testing.assert_close(student.grad, expected.detach())


def test_distillation_without_classes_or_pairs_is_zero_with_gradients() -> None:
    features = torch.randn(1, 3, 2, 2, requires_grad=True)
    for labels in (torch.full((1, 2, 2), 255), torch.zeros(1, 2, 2, dtype=torch.long)):
        vectors, counts = class_prototypes(features, labels, 4, stride=1)
        here = counts > 0
        loss = language_distillation(vectors[here], torch.randn(int(here.sum()), 5))
        assert loss.item() == 0
        nothing = torch.zeros(4, dtype=torch.bool)
        total = loss + prototype_distillation(vectors[nothing], vectors[nothing])
        grad = torch.autograd.grad(total, features)[0]
        assert torch.equal(grad, torch.zeros_like(features))
    student = torch.randn(2, 3, 2, 2, requires_grad=True)
    unknown = torch.tensor([0.0, 1, 1])  # the teacher says nothing but a class without weight
    sure = torch.tensor([9.0, 0, 0]).view(1, 3, 1, 1).expand(2, 3, 2, 2)
    for loss in (
        teacher_distillation(student[:0], student[:0]),
        teacher_distillation(student, sure, unknown),
    ):
        assert loss.item() == 0
        assert torch.equal(torch.autograd.grad(loss, student)[0], torch.zeros_like(student))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_distillation_under_autocast_is_computed_in_float32(dtype: torch.dtype) -> None:
    features = 30 * torch.randn(2, 6, 4, 4)
    labels, text = torch.randint(4, (2, 4, 4)), torch.randn(4, 5)
    low = features.to(dtype)

    def terms(maps: torch.Tensor) -> torch.Tensor:
        vectors, _ = class_prototypes(maps, labels, 4, stride=1)
        return torch.stack(
            [
                language_distillation(vectors, text),
                prototype_distillation(vectors, vectors.flip(0)),
                teacher_distillation(maps, maps.flip(0)),
            ]
        )

    expected = terms(low.float())
    with torch.autocast("cpu", dtype):
        found = terms(low)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)


def test_teacher_distillation() -> None:
    """A weighted mean over pixels of the divergence; no gradient to the teacher."""
    student = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([1.0, 0.5, 3.0])
    t, s = teacher.detach().softmax(1), student.detach().softmax(1)
    total = norm = mean = 0.0
    for n, y, x in itertools.product(range(2), range(4), range(5)):
        divergence = sum(
            float(t[n, k, y, x] * (t[n, k, y, x] / s[n, k, y, x]).log()) for k in range(3)
        )
        w = float(weight[int(t[n, :, y, x].argmax())])
        total, norm, mean = total + w * divergence, norm + w, mean + divergence / 40
    loss = teacher_distillation(student, teacher, weight)
    assert loss.item() == pytest.approx(total / norm, rel=1e-5)
    assert teacher_distillation(student, teacher).item() == pytest.approx(mean, rel=1e-5)
    loss.backward()
    assert teacher.grad is None
    assert student.grad is not None
    step = student.detach() - 0.1 * student.grad
    assert teacher_distillation(step, teacher, weight) < loss
    assert teacher_distillation(teacher, teacher, weight).item() == pytest.approx(0, abs=1e-6)
