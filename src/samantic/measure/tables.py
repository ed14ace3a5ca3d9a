"""Metrics as text for terminals: tables, intervals, counts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from samantic.data.sensors import SENSORS, noun
from samantic.strings import padded, printable, width

UNKNOWN = "-"
"""Replaces a metric without any labelled pixel."""

HEADS = {"mask": "mask head", "auxiliary": "auxiliary head", "mean": "mean of the two heads"}
"""Names of the heads in tables, for a network with several."""


def scores_table(columns: dict[str, dict[str, Any]]) -> str:
    """Per-class IoU and its mean in per cent, as text.

    Args:
        columns: Scores by title, such as those of a model, or of a subset.
    """
    classes = next(iter(columns.values()))["iou"]
    lines = {name: [percent(c["iou"][name]) for c in columns.values()] for name in classes}
    means = {
        "mIoU": [percent(c["miou"], UNKNOWN) for c in columns.values()],
        "95 % interval": [interval(c["miou_interval"]) for c in columns.values()],
        "mIoU (present)": [percent(c["miou_present"], UNKNOWN) for c in columns.values()],
    }
    rows = [["IoU %", *columns], *([name, *cells] for name, cells in lines.items())]
    rows += [[name, *cells] for name, cells in means.items()]  # a class may have the name mIoU
    head, *body = _aligned(rows)
    return "\n".join([head, *body[: len(lines)], "-" * width(head), *body[len(lines) :]])


def means_table(metrics: dict[str, Any]) -> str:
    """The mIoU under each protocol of the data set, and the other means, in per cent, as text.

    Args:
        metrics: Content of metrics.json.
    """
    lines = {
        f"mIoU, {part['name']}": [percent(part["miou"], UNKNOWN), interval(part["interval"])]
        for part in metrics["protocols"]
    }
    for head, part in (metrics.get("heads") or {}).items():
        cells = [percent(part["miou"], UNKNOWN), interval(part["miou_interval"])]
        lines[f"mIoU, {HEADS[head]}"] = cells
    titles = {
        "macc": "mAcc",
        "f1": "F1",
        "pixel_accuracy": "pixel accuracy",
        "boundary_iou": "boundary IoU",
        "ece": "expected calibration error",
    }
    lines |= {title: [percent(metrics[key], UNKNOWN), ""] for key, title in titles.items()}
    return "\n".join(in_columns({"means %": ["", "95 %"]} | lines))


def robustness_table(models: dict[str, dict[str, Any]]) -> str:
    """MIoU in per cent under each disturbance, their means and expectations, as text.

    Args:
        models: Content of metrics.json by model, all under the same disturbances.
    """
    first = next(iter(models.values()))["robustness"]
    parts = [metrics["robustness"] for metrics in models.values()]
    lines = {
        n: ["no answer" if p[n] is None else percent(p[n]["miou"], UNKNOWN) for p in parts]
        for n in first
    }
    summaries = [metrics["robustness_summary"] for metrics in models.values()]
    for group in summaries[0]:
        if group != "expected":
            lines[f"mean: {group}"] = [percent(summary[group], UNKNOWN) for summary in summaries]
    for probability in summaries[0].get("expected", ()):
        values = [percent(summary["expected"][probability], UNKNOWN) for summary in summaries]
        lines[f"expected, p = {probability}"] = values
    return "\n".join(in_columns({"mIoU % disturbed": list(models)} | lines))


def tta_line(metrics: dict[str, Any]) -> str:
    """The cost and gain of test-time augmentation, in one line.

    Args:
        metrics: Content of metrics.json of a model that was measured with it.
    """
    tta = metrics["tta"]
    gain = tta["difference"]
    return (
        f"--tta {tta['kind']}: mIoU {percent(metrics['miou'], UNKNOWN)}, without "
        f"{percent(tta['without']['miou'], UNKNOWN)}, difference {points(gain['difference'])} "
        f"({interval(gain['interval'])}); {tta['views']} passes, {tta['times']:.1f} times as long"
    )


def in_columns(lines: dict[str, list[str]]) -> list[str]:
    """Lines of cells, aligned: titles to the left, cells to the right."""
    return _aligned([[title, *cells] for title, cells in lines.items()])


def _aligned(rows: list[list[str]]) -> list[str]:
    rows = [[printable(cell) for cell in row] for row in rows]
    margin, *widths = (max(map(width, column)) for column in zip(*rows, strict=True))
    return [
        padded(title, margin)
        + "".join("  " + padded(c, w, right=True) for c, w in zip(cells, widths, strict=True))
        for title, *cells in rows
    ]


def interval(bounds: Sequence[float] | None) -> str:
    """Bounds in per cent."""
    if bounds is None:
        return UNKNOWN
    low, high = (100 * value for value in bounds)
    return f"{low:.2f} to {high:.2f}"


def pair_count(count: int, sensors: Collection[str] = tuple(SENSORS)) -> str:
    """The number of pairs, or of images of one sensor, with its noun: `1 pair`, `2 images`."""
    return f"{count} {noun(sensors)}{'' if count == 1 else 's'}"


def points(difference: float | None) -> str:
    """A difference in points, signed."""
    return UNKNOWN if difference is None else f"{100 * difference:+.2f}"


def percent(value: float | None, without: str = "absent") -> str:
    """A share in per cent with two decimals, or `without` if there is none."""
    return without if value is None else f"{100 * value:.2f}"
