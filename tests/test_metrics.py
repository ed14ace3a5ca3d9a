from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, jaccard_score, recall_score

from samantic.metrics import confusion_matrix, iou, scores, to_json


@pytest.fixture
def pixels() -> tuple[torch.Tensor, torch.Tensor]:
    """Six classes; 4 is in neither, 5 is predicted but not in the truth; some pixels ignored."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(4, (3, 20, 30), generator=generator)
    random = torch.tensor([0, 1, 2, 3, 5])[torch.randint(5, labels.shape, generator=generator)]
    prediction = torch.where(torch.rand(labels.shape, generator=generator) < 0.7, labels, random)
    labels[torch.rand(labels.shape, generator=generator) < 0.1] = 255
    return prediction, labels


def test_confusion_matrix_equals_a_loop(pixels: tuple[torch.Tensor, torch.Tensor]) -> None:
    prediction, labels = pixels
    expected = np.zeros((6, 6), int)
    for p, y in zip(prediction.flatten().tolist(), labels.flatten().tolist(), strict=True):
        if y != 255:
            expected[y, p] += 1
    assert confusion_matrix(prediction, labels, 6).tolist() == expected.tolist()


def test_scores_equal_scikit_learn(pixels: tuple[torch.Tensor, torch.Tensor]) -> None:
    prediction, labels = pixels
    result = scores(confusion_matrix(prediction, labels, 6))
    valid = labels != 255
    y, p = labels[valid].numpy(), prediction[valid].numpy()
    ids = list(range(6))
    options = {"labels": ids, "average": None, "zero_division": 0}
    jaccard = jaccard_score(y, p, **options)
    assert math.isnan(result.iou[4])
    np.testing.assert_allclose(result.iou.nan_to_num(0).numpy(), jaccard, rtol=1e-12)
    assert result.iou[5] == 0
    assert result.miou == pytest.approx(jaccard.mean())
    assert result.miou_present == pytest.approx(jaccard[:4].mean())
    assert result.macc == pytest.approx(recall_score(y, p, **options).mean())
    assert result.f1 == pytest.approx(f1_score(y, p, **options).mean())
    assert result.pixel_accuracy == pytest.approx(accuracy_score(y, p))


def test_one_matrix_over_a_split_is_not_a_mean_over_frames() -> None:
    first = confusion_matrix(torch.tensor([1, 1, 0, 0]), torch.tensor([1, 1, 1, 1]), 2)
    second = confusion_matrix(torch.tensor([1, 0]), torch.tensor([1, 0]), 2)
    together = scores(first + second).miou
    assert together == pytest.approx((3 / 5 + 1 / 3) / 2)
    assert together != pytest.approx((scores(first).miou + scores(second).miou) / 2)


def test_everything_ignored() -> None:
    matrix = confusion_matrix(torch.zeros(4, dtype=torch.long), torch.full((4,), 255), 3)
    assert matrix.sum() == 0
    assert iou(matrix).isnan().all()
    result = scores(matrix)
    assert (result.miou, result.miou_present, result.pixel_accuracy) == (0, 0, 0)
    assert to_json(result, ("a", "b", "c"))["iou"] == {"a": None, "b": None, "c": None}
