"""Latency against mIoU, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from samantic.errors import InputError
from samantic.files import write_text
from samantic.report.figures import latency_dots


def check_plot(path: Path) -> None:
    """Refuse a name of another kind of picture, before anything is measured.

    Raises:
        InputError: It does not end in .svg.
    """
    if path.suffix.lower() != ".svg":
        raise InputError(f"{path}: --plot writes SVG; give a name that ends in .svg")


def write_plot(path: Path, found: dict[str, Any]) -> None:
    """Draw what has an mIoU on its card.

    Raises:
        InputError: Nothing has.
    """
    points = {
        entry["name"]: (1000 * entry["seconds"]["median"], 100 * entry["miou"])
        for entry in found["entries"]
        if entry["miou"] is not None
    }
    if not points:
        raise InputError(
            f"{path}: not drawn, since no model's card tells an mIoU; evaluate the run first"
        )
    write_text(path, latency_dots(points))
