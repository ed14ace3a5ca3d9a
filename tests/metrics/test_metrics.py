from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.metrics import accuracy_score, f1_score, jaccard_score, recall_score

from samantic.metrics import (
    bootstrap,
    class_intervals,
    confusion_matrix,
    iou,
    paired_difference,
    rank_correlation,
    scores,
    to_json,
)


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
    assert all(math.isnan(value) for value in result[1:])
    assert to_json(result, ("a", "b", "c"))["iou"] == {"a": None, "b": None, "c": None}
    assert all(math.isnan(bound) for bound in bootstrap(matrix[None]))
    assert all(math.isnan(value) for value in paired_difference(matrix[None], matrix[None]))


def test_one_image_has_no_interval() -> None:
    """Resamples of one image are all the same: a width of zero would claim that it is sure."""
    one = images(1, 0.8)
    assert all(math.isnan(bound) for bound in bootstrap(one))
    assert class_intervals(one).isnan().all()
    difference, low, high = paired_difference(one, images(1, 0.5))
    assert not math.isnan(difference)
    assert math.isnan(low)
    assert math.isnan(high)


def test_resamples_without_a_label_leave_an_interval_of_the_others() -> None:
    """Of two images one has no label: a quarter of the resamples know nothing."""
    labelled = images(1, 0.8)
    matrices = torch.cat([labelled, torch.zeros_like(labelled)])
    miou = scores(labelled[0]).miou
    assert bootstrap(matrices) == pytest.approx((miou, miou))
    assert paired_difference(matrices, matrices) == (0, 0, 0)


def images(count: int, right: float, seed: int = 0) -> torch.Tensor:
    """Confusion matrices of images of three classes, of which the last one is rare."""
    generator = np.random.default_rng(seed)
    matrices = []
    for index in range(count):
        labels = generator.integers(3 if index % 5 == 0 else 2, size=200)
        wrong = generator.random(200) > right
        prediction = np.where(wrong, generator.integers(3, size=200), labels)
        matrices.append(confusion_matrix(torch.tensor(prediction), torch.tensor(labels), 3))
    return torch.stack(matrices)


def resampled_miou(matrices: torch.Tensor, draw: list[int]) -> float:
    """mIoU of one resample, class by class; a class that it lacks is left out."""
    total = sum(matrices[i].double() for i in draw)
    values = [
        float(total[k, k] / (total[k].sum() + total[:, k].sum() - total[k, k]))
        for k in range(len(total))
        if total[k].sum() > 0
    ]
    whole = matrices.sum((0, 2))
    return sum(values) / len(values) * float((whole > 0).double().mean())


def test_bootstrap_equals_a_loop_over_resamples() -> None:
    matrices = images(12, 0.8)
    generator = torch.Generator().manual_seed(7)
    draws = torch.randint(12, (60, 12), generator=generator)
    values = [resampled_miou(matrices, draw) for draw in draws.tolist()]
    expected = np.quantile(values, [0.025, 0.975])
    assert bootstrap(matrices, samples=60, seed=7) == pytest.approx(expected.tolist(), abs=1e-9)


def test_bootstrap_of_several_trainings_equals_a_loop() -> None:
    """The mean of their mIoU on each resample; likewise of the difference to one other."""
    several, other = torch.stack([images(12, 0.9, 1), images(12, 0.6, 2)]), images(12, 0.7, 3)
    draws = torch.randint(12, (60, 12), generator=torch.Generator().manual_seed(7)).tolist()
    values = np.array(
        [np.mean([resampled_miou(model, draw) for model in several]) for draw in draws]
    )
    expected = np.quantile(values, [0.025, 0.975]).tolist()
    assert bootstrap(several, samples=60, seed=7) == pytest.approx(expected, abs=1e-9)
    less = values - [resampled_miou(other, draw) for draw in draws]
    expected = np.quantile(less, [0.025, 0.975]).tolist()
    found = paired_difference(several, other, samples=60, seed=7)
    assert found[1:] == pytest.approx(expected, abs=1e-9)


def test_interval_narrows_with_images_and_holds_the_figure() -> None:
    widths = []
    for count in (10, 160):
        matrices = images(count, 0.8)
        low, high = bootstrap(matrices)
        assert low < scores(matrices.sum(0)).miou < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_paired_difference_is_sharper_than_two_intervals() -> None:
    better, worse = images(40, 0.84), images(40, 0.80)
    difference, low, high = paired_difference(better, worse)
    expected = scores(better.sum(0)).miou - scores(worse.sum(0)).miou
    assert difference == pytest.approx(expected)
    assert low < difference < high
    assert paired_difference(worse, worse) == (0, 0, 0)
    several = torch.stack([better, worse])
    assert paired_difference(several, worse)[0] == pytest.approx(expected / 2)
    with pytest.raises(ValueError, match="40 and 39 images cannot be paired"):
        paired_difference(better, worse[:39])


def test_rank_correlation_equals_scipy() -> None:
    first, second = torch.rand(6, 6), torch.rand(6, 6)
    first[2], first[:, 2] = torch.nan, torch.nan
    keep = [(i, j) for i in range(6) for j in range(i + 1, 6) if 2 not in (i, j)]
    expected = spearmanr([first[p] for p in keep], [second[p] for p in keep]).statistic
    assert rank_correlation(first, second) == pytest.approx(float(expected), abs=1e-6)
    assert math.isnan(rank_correlation(torch.eye(2), torch.eye(2)))
