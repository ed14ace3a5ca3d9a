"""The effect of disturbances on a model, as a section of its report."""

from __future__ import annotations

from typing import Any, NamedTuple

from markupsafe import Markup

from samantic.measure.disturbances import MISALIGNED
from samantic.report.figures import disturbance_dots, misalignment_curve
from samantic.report.pages import interval, percent

NO_ANSWER = "cannot answer"
"""Replaces a number: the model does not predict under this disturbance."""


class Robustness(NamedTuple):
    """The content of the section on disturbances.

    Attributes:
        note: A text on what was done.
        figures: mIoU by misalignment, and under every other disturbance.
        means: Header and lines of the means over disturbances; no lines if there are none.
        values: Header and lines of every disturbance.
    """

    note: str
    figures: list[Markup]
    means: list[list[str]]
    values: list[list[str]]


def robustness_of(metrics: dict[str, Any]) -> Robustness | None:
    """The section on disturbances; None if none was measured, or no pixel has a label.

    Args:
        metrics: Content of metrics.json.
    """
    disturbed: dict[str, dict[str, Any] | None] | None = metrics["robustness"]
    if not disturbed or metrics["miou"] is None:
        return None
    shifts = {
        MISALIGNED[name]: None if part is None else part["miou"]
        for name, part in disturbed.items()
        if name in MISALIGNED
    }
    others = {
        name: None
        if part is None
        else (part["miou"], *(part["miou_interval"] or 2 * [part["miou"]]))
        for name, part in disturbed.items()
        if name not in MISALIGNED
    }
    figures = []
    if any(value is not None for value in shifts.values()):
        figures.append(misalignment_curve({0: metrics["miou"]} | shifts))
    if any(value is not None for value in others.values()):
        figures.append(disturbance_dots(metrics["miou"], others))
    return Robustness(
        _note(disturbed),
        figures,
        _means(metrics["robustness_summary"]),
        _values(metrics["miou"], disturbed),
    )


def _note(disturbed: dict[str, dict[str, Any] | None]) -> str:
    note = "The same frames, disturbed before the model sees them."
    unanswered = [name for name, part in disturbed.items() if part is None]
    if unanswered:
        note += (
            f" The model {NO_ANSWER} under: {', '.join(unanswered)}; there it scores 0 in means."
        )
    return note


def _means(summary: dict[str, Any] | None) -> list[list[str]]:
    """A line for each mean, and one for each probability that a camera fails."""
    lines = [["mean over", "mIoU, %"]]
    for name, value in (summary or {}).items():
        if name == "expected":
            rates = {f"{100 * float(rate):g} %": part for rate, part in value.items()}
            lines += [
                [f"expected, each camera failing with {rate}", percent(part, NO_ANSWER)]
                for rate, part in rates.items()
            ]
        else:
            lines.append([name, percent(value, NO_ANSWER)])
    return lines


def _values(miou: float, disturbed: dict[str, dict[str, Any] | None]) -> list[list[str]]:
    """Every value with its interval and its change."""
    lines = [["disturbance", "mIoU, %", "95 % interval", "change"]]
    for name, part in disturbed.items():
        if part is None:
            lines.append([name, NO_ANSWER, "", ""])
        else:
            change = f"{100 * (part['miou'] - miou):+.1f}"
            lines.append([name, percent(part["miou"]), interval(part["miou_interval"]), change])
    return lines
