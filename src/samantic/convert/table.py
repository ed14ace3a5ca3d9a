"""The result of a conversion as text for a terminal."""

from __future__ import annotations

import shlex
from pathlib import Path

from samantic.config.classes import IGNORE
from samantic.convert.labels import Converted
from samantic.strings import aligned, printable

START = [
    *("--train.start", "nano"),
    *("--model.network", "student", "--model.base", "efficientnet-lite0"),
]
"""Options of a training that starts from the model that comes with the package."""

HEADER = ["id", "class", "from", "objects", "pixels", "share, %"]


def conversion_table(done: Converted) -> str:
    """The classes and their sources, skipped entries, and the command to check the result."""
    total = int(done.pixels.sum())
    ids = [*range(len(done.classes)), *([IGNORE] if done.pixels[IGNORE] else [])]
    rows = [_row(done, label, total) for label in ids]
    pictures = f"{done.pictures} picture{'s' * (done.pictures != 1)}"
    lines = [f"{done.title}: {pictures}", "", *aligned([HEADER, *rows]), ""]
    lines += [f"note: {printable(line)}" for line in done.lines]
    lines.append(_written(done))
    return "\n".join(line.rstrip() for line in lines)


def _row(done: Converted, label: int, total: int) -> list[str]:
    found = done.objects[label]
    names = [name for name in found if name]
    source = ", ".join(names[:5]) + f" and {len(names) - 5} more" * (len(names) > 5)
    if label == done.rest:
        source = ", ".join(filter(None, [source, "no object"]))
    name = done.classes[label] if label < len(done.classes) else "does not count"
    pixels = int(done.pixels[label])
    count = str(sum(found.values()))
    return [str(label), name, source, count, str(pixels), f"{100 * pixels / max(total, 1):.3f}"]


def _written(done: Converted) -> str:
    """The command to check the result, or a note on missing images."""
    classes = ",".join(done.classes)
    words = ["samantic", "check", "--data", str(done.out), "--layout", "pairs"]
    words += ["--classes", classes] + ["--rgb", "rgb"] * (not done.thermal)
    command = shlex.join(words)
    if done.images:
        training = ["samantic", "train", str(done.out / "data.yaml"), *START]
        training += ["--out", str(Path("runs", done.out.resolve().name))]
        return (
            f"written to {done.out}, with data.yaml for a training; look at it:\n{command}\n"
            f"and train on it, starting from nano:\n{shlex.join(training)}"
        )
    return (
        f"labels written to {done.out}, without images; give these by --images, or name them in\n"
        f"{shlex.join(words[:-1] if not done.thermal else words)} FOLDER"
    )
