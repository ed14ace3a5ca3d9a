"""What an output was made with, so that none holds the labels of two models."""

from __future__ import annotations

import json
from typing import Any

from samantic.cluster.order import Order
from samantic.cluster.storage import is_there, put, read_bytes
from samantic.cluster.writing import FAILED
from samantic.errors import InputError

SETTINGS = "batch.json"
"""File in an output that says how its labels were made."""


def check_settings(order: Order) -> None:
    """Refuse an output of another model, other options or another form; note ours in a new one.

    Raises:
        InputError: It is one, or nothing can be written there.
    """
    place = order.output.at(SETTINGS)
    ours = {"form": order.form, "classes": list(order.classes), **order.made}
    if not is_there(place):
        try:
            put(place, f"{json.dumps(ours, indent=2)}\n".encode())
        except OSError as error:
            where = f"--output: {order.output.shown}"
            raise InputError(f"{where}: cannot be written ({error}); give another") from None
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


def clear_failures(order: Order) -> None:
    """Forget which pairs could not be labelled before: they are tried again."""
    place = order.output.at(FAILED)
    place.files.create_dir(place.path, recursive=True)
    place.files.delete_dir_contents(place.path)
