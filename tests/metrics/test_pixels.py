"""Boundary IoU, calibration and protocols against brute force and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import jaccard_score

from samantic.data import CATALOG
from samantic.metrics import (
    ALL_CLASSES,
    PRESENT_CLASSES,
    bootstrap,
    boundary_counts,
    boundary_iou,
    calibration_counts,
    calibration_error,
    class_intervals,
    confusion_matrix,
    protocol_miou,
    scores,
)


@pytest.fixture
def pixels() -> tuple[torch.Tensor, torch.Tensor]:
    """Blocks of five classes and a shifted prediction of them; a corner is ignored."""
    generator = torch.Generator().manual_seed(3)
    blocks = torch.randint(5, (6, 8), generator=generator)
    labels = blocks.repeat_interleave(10, 0).repeat_interleave(10, 1)
    prediction = labels.roll((2, 3), (0, 1)).clone()
    labels[:7, :9] = 255
    return prediction, labels


def on_boundary(ids: np.ndarray, y: int, x: int, distance: int) -> bool:
    height, width = ids.shape
    for dy in range(-distance, distance + 1):
        for dx in range(-distance, distance + 1):
            row, column = y + dy, x + dx
            inside = 0 <= row < height and 0 <= column < width
            if not inside or ids[row, column] != ids[y, x]:
                return True
    return False


def test_boundary_iou_equals_brute_force(pixels: tuple[torch.Tensor, torch.Tensor]) -> None:
    prediction, labels = pixels
    counts = boundary_counts(prediction, labels, 6)
    truth = labels.numpy()
    guess = np.where(truth == 255, 255, prediction.numpy())
    distance = round(0.02 * math.hypot(60, 80))
    assert distance == 2
    edges = [
        np.array([[on_boundary(ids, y, x, distance) for x in range(80)] for y in range(60)])
        for ids in (truth, guess)
    ]
    for label in range(6):
        first, second = (edges[0] & (truth == label)), (edges[1] & (guess == label))
        assert counts[:, label].tolist() == [(first & second).sum(), first.sum(), second.sum()]
    values = boundary_iou(counts)
    both, first, second = counts[:, 0].tolist()
    assert values[0].item() == pytest.approx(both / (first + second - both))
    assert math.isnan(values[5])
    whole = scores(confusion_matrix(prediction, labels, 6)).iou
    assert (values[:5] < whole[:5]).all(), "contours are harder than areas"


def test_boundary_iou_of_a_perfect_prediction_is_one(
    pixels: tuple[torch.Tensor, torch.Tensor],
) -> None:
    labels = pixels[1]
    assert boundary_iou(boundary_counts(labels, labels, 5)).tolist() == [1.0] * 5


def test_boundaries_of_a_small_image_are_one_pixel_wide() -> None:
    """2 % of the diagonal of 8x6 pixels is a fifth of a pixel."""
    labels = torch.zeros(6, 8, dtype=torch.int64)
    labels[:, 4:] = 1
    prediction = labels.roll(1, 1)
    counts = boundary_counts(prediction, labels, 2)
    for label in range(2):
        first, second = (
            np.array(
                [
                    [ids[y, x] == label and on_boundary(ids, y, x, 1) for x in range(8)]
                    for y in range(6)
                ]
            )
            for ids in (labels.numpy(), prediction.numpy())
        )
        assert counts[:, label].tolist() == [(first & second).sum(), first.sum(), second.sum()]
    assert (counts > 0).all()


def test_calibration_error_equals_its_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    confidence = torch.rand(30, 40, generator=generator)
    labels = torch.randint(3, (30, 40), generator=generator)
    prediction = torch.randint(3, (30, 40), generator=generator)
    labels[0] = 255
    c, y, p = (x[1:].flatten().double().numpy() for x in (confidence, labels, prediction))
    expected = 0.0
    for index in range(15):
        chosen = (c >= index / 15) & (c < (index + 1) / 15)
        gap = abs((y == p)[chosen].mean() - c[chosen].mean())
        expected += chosen.mean() * gap
    assert calibration_error(calibration_counts(confidence, prediction, labels)) == pytest.approx(
        expected, abs=1e-6
    )
    sure = calibration_counts(torch.ones(30, 40), labels, labels)
    assert calibration_error(sure) == 0
    assert math.isnan(calibration_error(torch.zeros(3, 15, dtype=torch.float64)))


def test_calibration_adds_up_over_images() -> None:
    confidence, labels = torch.rand(4, 6), torch.randint(2, (4, 6))
    prediction = torch.randint(2, (4, 6))
    halves = [
        calibration_counts(confidence[part], prediction[part], labels[part])
        for part in (slice(2), slice(2, 4))
    ]
    whole = calibration_counts(confidence, prediction, labels)
    torch.testing.assert_close(halves[0] + halves[1], whole)


def test_the_same_predictions_under_fmbs_three_protocols() -> None:
    """Thirteen classes of one IoU each, no bicycle: 66.4, and 61.7 if its NaN becomes 0."""
    matrix = torch.zeros(15, 15, dtype=torch.int64)
    present = [i for i in range(1, 15) if i != 13]
    for label in present:  # 664 hits, 336 misses taken for unlabelled: IoU 0.664
        matrix[label, label], matrix[label, 0] = 664, 336
    matrix[0, 0], matrix[0, 1] = 9000, 50
    thirteen, fourteen, fifteen = CATALOG["fmb"].protocols
    assert 100 * protocol_miou(matrix, thirteen) == pytest.approx(66.4)
    assert 100 * protocol_miou(matrix, fourteen) == pytest.approx(66.4 * 13 / 14)
    assert round(100 * protocol_miou(matrix, fourteen), 1) == 61.7
    truth = np.repeat(np.arange(15).repeat(15), matrix.flatten())
    guess = np.repeat(np.tile(np.arange(15), 15), matrix.flatten())
    options = {"labels": list(range(15)), "average": None, "zero_division": 0}
    jaccard = jaccard_score(truth, guess, **options)
    assert protocol_miou(matrix, fifteen) == pytest.approx(jaccard.mean())
    labelled = truth != 0
    ignoring = jaccard_score(truth[labelled], guess[labelled], **options)
    assert protocol_miou(matrix, thirteen) == pytest.approx(ignoring[present].mean())


def test_protocols_of_mfnet_and_pst900_equal_the_scores() -> None:
    matrix = torch.randint(1, 99, (9, 9), generator=torch.Generator().manual_seed(1))
    matrix[6] = 0  # no guardrail
    nine, present = CATALOG["mfnet"].protocols
    assert protocol_miou(matrix, nine) == pytest.approx(scores(matrix).miou)
    assert protocol_miou(matrix, present) == pytest.approx(scores(matrix).miou_present)
    (five,) = CATALOG["pst900"].protocols
    assert protocol_miou(matrix[:5, :5], five) == pytest.approx(scores(matrix[:5, :5]).miou)
    assert math.isnan(protocol_miou(torch.zeros(3, 3), PRESENT_CLASSES))
    assert math.isnan(protocol_miou(torch.zeros(3, 3), ALL_CLASSES))


def test_intervals_follow_the_protocol() -> None:
    generator = torch.Generator().manual_seed(2)
    matrices = torch.randint(1, 50, (20, 15, 15), generator=generator)
    matrices[:, 13], matrices[..., 13] = 0, 0
    thirteen, fourteen, _ = CATALOG["fmb"].protocols
    low, high = bootstrap(matrices, thirteen)
    assert low < protocol_miou(matrices.sum(0), thirteen) < high
    assert bootstrap(matrices, fourteen) == pytest.approx((low * 13 / 14, high * 13 / 14))


def test_class_intervals_equal_a_loop_over_resamples() -> None:
    matrices = torch.randint(1, 50, (8, 3, 3), generator=torch.Generator().manual_seed(4))
    matrices[1:, 2] = 0  # only the first image has the last class
    matrices[:, :, 2] *= 2
    draws = torch.randint(8, (50, 8), generator=torch.Generator().manual_seed(5))
    values = np.full((50, 3), np.nan)
    for row, draw in enumerate(draws.tolist()):
        total = sum(matrices[i].double() for i in draw)
        for k in range(3):
            if total[k].sum() > 0:
                values[row, k] = total[k, k] / (total[k].sum() + total[:, k].sum() - total[k, k])
    expected = np.nanquantile(values, [0.025, 0.975], axis=0).T
    found = class_intervals(matrices, samples=50, seed=5)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-9)
