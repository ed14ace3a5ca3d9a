"""The settings of an output, so that no output mixes the labels of two models."""

from __future__ import annotations

import json
from typing import Any

from pyarrow.fs import FileType

from samantic.cluster.order import Order
from samantic.cluster.storage import is_there, put, read_bytes
from samantic.cluster.writing import FAILED
from samantic.errors import InputError

SETTINGS = "batch.json"
"""File in an output that records the settings of its labels."""


def check_settings(order: Order) -> None:
    """Refuse an output of another model, other options or another form, and a path that is a file.

    Raises:
        InputError: The output does not fit.
    """
    output = order.output
    if output.files.get_file_info(output.path).type == FileType.File:
        raise InputError(f"--output: {output.shown}: a file; give a folder")
    place, ours = output.at(SETTINGS), _settings(order)
    if not is_there(place):
        return
    try:
        before: Any = json.loads(read_bytes(place))
        keys = {**before, **ours}
    except (ValueError, TypeError):
        raise InputError(f"{place.shown}: not written by samantic batch; remove it") from None
    for key in keys:
        if before.get(key) != ours.get(key):
            where = f"{order.output.shown}: holds labels"
            if key in ("model", "classes"):
                raise InputError(f"{where} of another model; give another --output")
            raise InputError(
                f"{where} made with {key} {json.dumps(before.get(key))}, not "
                f"{json.dumps(ours.get(key))}; give another --output"
            )


def begin_output(order: Order) -> None:
    """Record the settings of a new output, and remove the list of earlier failures.

    Raises:
        InputError: The output cannot be written.
    """
    settings, failed = order.output.at(SETTINGS), order.output.at(FAILED)
    try:
        if not is_there(settings):
            put(settings, f"{json.dumps(_settings(order), indent=2)}\n".encode())
        failed.files.create_dir(failed.path, recursive=True)
        failed.files.delete_dir_contents(failed.path)
    except OSError as error:
        where = f"--output: {order.output.shown}"
        raise InputError(f"{where}: cannot be written ({error}); give another") from None


def _settings(order: Order) -> dict[str, Any]:
    """The settings that all labels of an output share."""
    return {"form": order.form, "classes": list(order.classes), **order.made}
