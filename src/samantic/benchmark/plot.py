"""A plot of latency against mIoU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from samantic.errors import InputError
from samantic.files import write_text
from samantic.report.figures import latency_dots


def check_plot(path: Path) -> None:
    """Refuse a file name of another format, before anything is measured.

    Raises:
        InputError: The name does not end in .svg.
    """
    if path.suffix.lower() != ".svg":
        raise InputError(f"{path}: --plot writes SVG; give a name that ends in .svg")


def write_plot(path: Path, found: dict[str, Any]) -> None:
    """Plot the contenders whose model card has an mIoU.

    Raises:
        InputError: No card has one.
    """
    points = {
        entry["name"]: (1000 * entry["seconds"]["median"], 100 * entry["miou"])
        for entry in found["entries"]
        if entry["miou"] is not None
    }
    if not points:
        raise InputError(
            f"{path}: not drawn, since no model's card has an mIoU; evaluate the run first"
        )
    write_text(path, latency_dots(points))
