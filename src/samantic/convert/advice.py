"""Advice for a folder that is not a data set yet: the command that converts it."""

from __future__ import annotations

import shlex
from pathlib import Path

from samantic.convert.formats import label_images, recognise
from samantic.convert.formats.label_images import marked_files
from samantic.convert.sequences import is_archive
from samantic.data.folders import is_image
from samantic.data.image_files import decode
from samantic.errors import InputError

KINDS = {"rgb": "--images", "thermal": "--thermal"}
"""Folders of a data set, and the option of `convert` that gives each."""


def conversion_advice(root: Path, labels: str) -> str:
    """A line with the command that converts a tool's labels; "" if there are none.

    Args:
        root: A data set that cannot be read, or a file of labels.
        labels: Folder or pattern of its labels.
    """
    try:
        for place in (root / labels, root):
            if place.exists() and (form := recognise(place)) is not None:
                return f"{place}: {form.TITLE}; convert it by: {_command(root, place, [])}"
        place = root / labels
        found = sorted(filter(is_image, place.iterdir())) if place.is_dir() else []
        if found and (what := _unread(found[0])):
            words = ["--classes", "NAMES", "--map", "FILE"]
            bare = place == root / "labels" and not any((root / kind).is_dir() for kind in KINDS)
            source = root if bare else place  # the root holds the images under another name
            return f"{place}: {what}; convert it by: {_command(root, source, words)}"
        if not found and "*" not in labels and root.is_dir() and marked_files(root):
            words = ["--classes", "NAMES"]
            return f"{root}: {label_images.TITLE}; convert it by: {_command(root, root, words)}"
        if root.is_dir() and (archive := next(filter(is_archive, sorted(root.iterdir())), None)):
            return f"{archive}: an archive; unpack it"
    except InputError as error:
        return str(error)
    return ""


def _unread(path: Path) -> str:
    """Why a label image holds no ids; "" if it does."""
    image = decode(path)
    if image.kind == "colour":
        return "label images in colours"
    if image.samples.dtype.itemsize > 1:
        return "label images of more than 8 bits"
    return "transparent label images" if image.opacity is not None else ""


def _command(root: Path, place: Path, words: list[str]) -> str:
    folder = root.parent if root.is_file() else root
    images = [
        word
        for kind, option in KINDS.items()
        if (folder / kind).is_dir()
        for word in (option, str(folder / kind))
    ]
    out = root.with_name(f"{root.resolve().stem}-pairs")
    return shlex.join(["samantic", "convert", str(place), *images, "--out", str(out), *words])
