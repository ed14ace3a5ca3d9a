"""What a run's curves say, on curves of known course."""

from __future__ import annotations

import math

import numpy as np
import pytest

from samantic.report.figures import curves
from samantic.report.trend import trend_of

STEPS = range(10, 1001, 10)


def history(loss: object, miou: object, validations: int = 20) -> list[dict[str, float]]:
    """Rows of a run of 1000 steps, with noise."""
    rng = np.random.default_rng(0)
    rows = [{"step": s, "train/loss": loss(s / 1000) * rng.uniform(0.9, 1.1)} for s in STEPS]
    every = 1000 // validations
    return rows + [{"step": s, "val/miou": miou(s / 1000)} for s in range(every, 1001, every)]


def falling(t: float) -> float:
    return 0.2 + math.exp(-4 * t)


def rising(t: float) -> float:
    return 0.6 * t


def test_a_run_that_diverges() -> None:
    found = trend_of(history(lambda t: falling(t) if t < 0.6 else 10 * t, rising))
    assert found.kind == "divergence"
    assert found.step == 600
    assert "lower train.learning_rate" in found.text


@pytest.mark.parametrize("peak", [0.3, 0.5, 0.65])
def test_a_run_that_overfits(peak: float) -> None:
    found = trend_of(history(falling, lambda t: 0.5 - 0.4 * abs(t - peak)))
    assert found.kind == "overfit"
    assert found.step == round(1000 * peak)
    assert "from 50.0 to" in found.text


def test_a_run_on_a_plateau() -> None:
    rng = np.random.default_rng(1)
    found = trend_of(history(falling, lambda t: min(0.5, 1.25 * t) - rng.uniform(0, 0.004)))
    assert (found.kind, found.step) == ("plateau", 400)


def test_a_run_that_is_not_done() -> None:
    assert trend_of(history(falling, rising)).kind == "rising"
    late = trend_of(history(falling, lambda t: min(0.6 * t, 0.51)))
    assert late.kind == "rising", "three validations are not yet a plateau of twenty"


def test_noise_of_a_validation_is_no_overfitting() -> None:
    found = trend_of(history(falling, lambda t: 0.5 - 0.015 * (t > 0.5)))
    assert found.kind == "plateau"


def test_a_loss_that_stands_still_is_no_overfitting() -> None:
    found = trend_of(history(lambda t: 1 + 0.2 * t, lambda t: 0.5 - 0.4 * abs(t - 0.5)))
    assert found.kind == "plateau"


@pytest.mark.parametrize("rows", [[], history(falling, rising, 4), history(falling, rising)[:10]])
def test_too_few_figures_say_nothing(rows: list[dict[str, float]]) -> None:
    assert trend_of(rows) == ("unknown", None, "")


def test_charts_are_marked() -> None:
    rows = history(falling, lambda t: min(0.5, 1.25 * t))
    assert all("plateau since step 400" in chart for chart in curves(rows))
    assert not any("since" in chart for chart in curves(history(falling, rising)))


def test_equal_curves_are_drawn_once() -> None:
    rows = history(falling, rising)
    both = [
        row | {key + "_mask": value for key, value in row.items() if "val" in key} for row in rows
    ]
    for chart, twice in zip(curves(rows), curves(both), strict=True):
        assert twice.count("<path") == chart.count("<path")
    differ = [
        row | {"val/miou_auxiliary": row["val/miou"] / 2} for row in rows if "val/miou" in row
    ]
    assert curves(rows + differ)[1].count("<path") > curves(rows)[1].count("<path")
