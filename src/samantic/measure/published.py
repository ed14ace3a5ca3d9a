"""Published results for comparison: SARTM's Tables I to III.

Source: SARTM (arXiv 2505.01950), Tables I (PST900), II (MFNet) and III (FMB), in per cent, without
the entries that are copied wrongly there. Table I: the row of MRFS repeats MMSFormer's and is left
out. The class IoUs of ABMDRNet, DBCNet and MMSFormer average to 61.6, 65.1 and 85.4, which differ
from their published means, so only the published means are given here. Table III: SARTM's class
IoUs repeat SegMiF's, so only its mean is given here. The last two rows of MFNet are missing from
the paper's table; they exceed the paper's own method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from samantic.measure.tables import in_columns


@dataclass(frozen=True)
class Published:
    """A table of published IoU.

    Attributes:
        title: Number of the table and its source.
        pairs: Number of pairs of its test split.
        classes: Columns, with the data set's class names in this package.
        rows: By method: IoU of these classes in per cent, None where none is published; mIoU last.
    """

    title: str
    pairs: int
    classes: tuple[str, ...]
    rows: dict[str, tuple[float | None, ...]]

    def means(self) -> dict[str, float]:
        """The mIoU by method."""
        return {name: row[-1] for name, row in self.rows.items() if row[-1] is not None}


def _unknown(miou: float, classes: int) -> tuple[float | None, ...]:
    return (*[None] * classes, miou)


TABLES: dict[str, Published] = {
    "PST900": Published(
        "SARTM, Table I",
        288,
        ("background", "fire extinguisher", "backpack", "hand drill", "survivor"),
        {
            "MFNet": (98.6, 41.1, 64.2, 60.3, 20.7, 57.0),
            "RTFNet": (98.9, 36.4, 75.3, 52.0, 25.3, 57.6),
            "EGFNet": (99.2, 74.3, 83.0, 71.2, 64.6, 78.5),
            "ABMDRNet": _unknown(67.3, 5),
            "FEANet": _unknown(85.5, 5),
            "DBCNet": _unknown(74.5, 5),
            "CAINet": (99.5, 80.3, 88.0, 77.2, 78.6, 84.7),
            "EAEFNet": (99.5, 80.4, 87.7, 83.9, 75.6, 85.4),
            "GMNet": (99.4, 85.1, 83.8, 73.7, 78.3, 84.1),
            "MMSFormer": _unknown(87.5, 5),
            "CRM-RGBTSeg": (99.6, 79.5, 89.6, 89.0, 82.2, 88.0),
            "HAPNet": (99.6, 81.3, 92.0, 89.3, 82.4, 89.0),
            "SARTM": (99.7, 88.92, 92.97, 83.6, 84.19, 89.88),
        },
    ),
    "MFNet": Published(
        "SARTM, Table II",
        393,
        ("unlabelled", "car", "person", "bike", "curve", "car stop", "color cone", "bump"),
        {
            "MFNet": (96.9, 65.9, 58.9, 42.9, 29.9, 9.9, 25.2, 27.7, 39.7),
            "RTFNet": (98.5, 87.4, 70.3, 62.7, 45.3, 29.8, 29.1, 55.7, 53.2),
            "FuseSeg": (97.6, 87.9, 71.7, 64.6, 44.8, 22.7, 46.9, 47.9, 54.5),
            "EGFNet": (None, 87.6, 69.8, 58.8, 42.8, 33.8, 48.3, 47.1, 54.8),
            "ABMDRNet": (98.6, 84.8, 69.6, 60.3, 45.1, 33.1, 47.4, 50.0, 54.8),
            "FEANet": (98.3, 87.8, 71.1, 61.1, 46.5, 22.1, 55.3, 48.9, 55.3),
            "SegMiF": (98.1, 87.8, 71.4, 63.2, 47.5, 31.1, 48.9, 50.3, 56.1),
            "CAINet": (None, 88.5, 66.3, 68.7, 55.4, 31.5, 48.9, 60.7, 58.6),
            "EAEFNet": (None, 87.6, 72.6, 63.8, 48.6, 35.0, 52.4, 58.3, 58.9),
            "CMX": (98.3, 90.1, 75.2, 64.5, 50.2, 35.3, 54.2, 60.6, 59.7),
            "SARTM": (98.4, 91.32, 75.42, 65.22, 49.97, 49.47, 54.96, 55.53, 60.03),
            "Sigma-B": _unknown(61.3, 8),
            "CRM-RGBTSeg": _unknown(61.4, 8),
        },
    ),
    "FMB": Published(
        "SARTM, Table III",
        280,
        (
            "car",
            "person",
            "truck",
            "traffic lamp",
            "traffic sign",
            "building",
            "vegetation",
            "pole",
        ),
        {
            "GMNet": (79.3, 60.1, 22.2, 21.6, 69.0, 79.1, 83.8, 39.8, 49.2),
            "LASNet": (72.6, 48.6, 14.8, 2.9, 59.0, 75.4, 81.6, 36.7, 42.5),
            "EGFNet": (77.4, 63.0, 17.1, 25.2, 66.6, 77.2, 83.5, 41.5, 47.3),
            "FEANet": (73.9, 60.7, 32.3, 13.5, 55.6, 79.4, 81.2, 36.8, 46.8),
            "DIDFuse": (77.7, 64.4, 28.8, 29.2, 64.4, 78.4, 82.4, 41.8, 50.6),
            "ReCoNet": (75.9, 65.8, 14.9, 34.7, 66.6, 79.2, 81.3, 44.9, 50.9),
            "U2Fusion": (76.6, 61.9, 14.4, 28.3, 68.9, 78.8, 82.2, 42.2, 47.9),
            "TarDAL": (74.2, 56.0, 18.8, 29.6, 66.5, 79.1, 81.7, 41.9, 48.1),
            "SegMiF": (78.3, 65.4, 47.3, 43.1, 74.8, 82.0, 85.0, 49.8, 54.8),
            "U3M": (82.3, 65.97, 41.93, 46.22, 81.0, 81.3, 86.76, 48.76, 60.76),
            "MRFS": (76.1, 71.3, 34.4, 50.0, 75.8, 85.4, 86.9, 53.64, 61.1),
            "SARTM": _unknown(61.57, 8),
        },
    ),
}
"""The tables by the title of the data set."""


def with_ours(metrics: dict[str, Any]) -> tuple[list[str], list[list[str]]] | None:
    """The published table of a data set with our row at its end, as text.

    Args:
        metrics: Content of metrics.json.

    Returns:
        Header and lines; None where there is no such table.
    """
    known = TABLES.get(metrics["dataset"])
    if known is None or metrics.get("class_map"):  # the classes were mapped
        return None
    values = [metrics["iou"][name] for name in known.classes]
    ours = [None if value is None else 100 * value for value in (*values, metrics["miou"])]
    lines = [
        [name, *("-" if value is None else f"{value:.1f}" for value in row)]
        for name, row in (known.rows | {our_name(metrics): tuple(ours)}).items()
    ]
    return [known.title, *known.classes, "mIoU"], lines


def beside_published(metrics: dict[str, Any]) -> str | None:
    """`with_ours` in columns, with a line on comparability; None if there is no such table."""
    rows = with_ours(metrics)
    if rows is None:
        return None
    header, lines = rows
    text = in_columns({title: cells for title, *cells in (header, *lines)})
    return "\n".join([*text, comparable(metrics)])


def our_name(metrics: dict[str, Any]) -> str:
    """The name of the evaluated model's row; it says whether the row is comparable."""
    same = metrics["frames"] == TABLES[metrics["dataset"]].pairs
    return "this model" if same else "this model, other pairs"


def comparable(metrics: dict[str, Any]) -> str:
    """A sentence on the pairs behind the published rows and behind ours."""
    pairs, ours = TABLES[metrics["dataset"]].pairs, f"{metrics['frames']} of '{metrics['split']}'"
    if metrics["frames"] == pairs:
        return f"Published rows are of the {pairs} test pairs, ours of {ours}."
    return f"Not comparable: published rows are of the {pairs} test pairs, ours of {ours}."
