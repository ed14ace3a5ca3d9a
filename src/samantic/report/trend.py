"""Whether a training has converged, by its curves and a rule that docs/evaluation.md explains."""

from __future__ import annotations

from itertools import pairwise
from statistics import median
from typing import Literal, NamedTuple

Kind = Literal["divergence", "overfit", "plateau", "rising", "unknown"]

TENTHS = 10
"""Number of parts of a run, each with its median training loss."""

LEAST_LOSSES, LEAST_VALIDATIONS = 2 * TENTHS, 5
"""Smallest number of logged losses for a decision."""

GROWN = 1.5
"""The loss diverges if its last part exceeds its lowest part by more than this factor."""

DROP, GAIN = 0.02, 0.005
"""Smallest loss, and smallest gain, of mIoU that exceed the noise of a validation."""

LATE = 0.3
"""Smallest share of the validations after the start of a plateau."""


class Trend(NamedTuple):
    """The trend of the curves.

    Attributes:
        kind: Kind of the trend.
        step: Step of its start; None if it has no start.
        text: A sentence.
    """

    kind: Kind
    step: int | None
    text: str


def trend_of(history: list[dict[str, float]]) -> Trend:
    """Judge a run by its training loss and the mIoU of its validations.

    Let l_1 .. l_10 be the medians of the loss in the tenths of the run, and m_1 .. m_n the mIoU of
    n validations, the best at b:

    - divergence: l_10 > 1.5 min l;
    - overfit: every validation of the last quarter, at least two, lies more than 0.02 below m_b,
      and l_10 is below the loss of b's tenth;
    - plateau: p, the first with m_p >= m_b - 0.005, has at least 0.3 n validations, and three,
      after it;
    - rising: anything else.

    The first that applies counts. Divergence needs at least 20 losses, overfit and plateau need at
    least 5 validations.

    Args:
        history: Logged metrics in order, each row with a `step`.
    """
    losses = [(int(row["step"]), row["train/loss"]) for row in history if "train/loss" in row]
    miou = [(int(row["step"]), row["val/miou"]) for row in history if "val/miou" in row]
    parts = _tenths(losses)
    found = _divergence(parts) if parts else None
    if found is None and len(miou) >= LEAST_VALIDATIONS:
        found = _overfit(miou, parts) or _plateau(miou)
        found = found or Trend(
            "rising", None, "The validation mIoU still rises: more steps may give a better model."
        )
    return found or Trend("unknown", None, "")


def _tenths(losses: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """The last step and the median loss of each tenth of a run; empty for a short run."""
    if len(losses) < LEAST_LOSSES:
        return []
    bounds = [round(i * len(losses) / TENTHS) for i in range(TENTHS + 1)]
    parts = [losses[a:b] for a, b in pairwise(bounds)]
    return [(part[-1][0], median(loss for _, loss in part)) for part in parts]


def _divergence(parts: list[tuple[int, float]]) -> Trend | None:
    step, least = min(parts, key=lambda part: part[1])
    last = parts[-1][1]
    if not last > GROWN * max(least, 0.0):
        return None
    return Trend(
        "divergence",
        step,
        f"The training loss diverges after step {step}, from {least:.3g} to {last:.3g}: lower "
        "train.learning_rate, or look at the pairs.",
    )


def _overfit(miou: list[tuple[int, float]], parts: list[tuple[int, float]]) -> Trend | None:
    step, best = max(miou, key=lambda one: one[1])
    last = miou[-max(2, len(miou) // 4) :]
    if any(value >= best - DROP for _, value in last) or not parts:
        return None
    then = next((loss for end, loss in parts if end >= step), parts[-1][1])
    if not parts[-1][1] < then:
        return None
    mean = sum(value for _, value in last) / len(last)
    return Trend(
        "overfit",
        step,
        f"The run overfits after step {step}: the validation mIoU falls from {100 * best:.1f} to "
        f"{100 * mean:.1f} while the training loss falls on. The model of step {step} is kept; "
        "fewer steps or more augmentation would do.",
    )


def _plateau(miou: list[tuple[int, float]]) -> Trend | None:
    best = max(value for _, value in miou)
    place = next(i for i, (_, value) in enumerate(miou) if value >= best - GAIN)
    if len(miou) - 1 - place < max(3, LATE * len(miou)):
        return None
    step = miou[place][0]
    return Trend(
        "plateau",
        step,
        f"The validation mIoU has been on a plateau since step {step}: more steps of this training "
        "would hardly help.",
    )
