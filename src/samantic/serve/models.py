"""The models of a server, and their descriptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samantic.data.sensors import SENSORS
from samantic.display.palette import display_colours
from samantic.predict.asking import PairPredictor
from samantic.runtime.exported import ExportedModel
from samantic.runtime.load import load


@dataclass(frozen=True)
class Served:
    """A loaded model.

    Attributes:
        name: Its name in requests.
        model: The model.
        cameras: The cameras that it reads.
        told: Its entry in `/models`.
    """

    name: str
    model: PairPredictor
    cameras: tuple[str, ...]
    told: dict[str, Any]


def load_models(names: Sequence[str], options: dict[str, Any]) -> dict[str, Served]:
    """Load models by their names in requests.

    Args:
        names: As for `samantic.load`.
        options: Further arguments of `samantic.load`.

    Raises:
        InputError: There is no such model, or an option does not apply to it.
    """
    return {
        short: _served(short, load(name, **options))
        for short, name in zip(short_names(names), names, strict=True)
    }


def short_names(names: Sequence[str]) -> list[str]:
    """Names of models in requests: names of files and run folders; equal names are numbered.

    Example:
        >>> short_names(["nano", "runs/a/model", "b/nano"])
        ['nano', 'a', 'nano-2']
    """
    found: list[str] = []
    for name in names:
        place = Path(name).resolve() if set(name) <= set("./") else Path(name)
        is_inside = place.name == "model" and place.parent.name
        short = base = place.parent.name if is_inside else place.name
        number = 1
        while short in found:
            short = f"{base}-{(number := number + 1)}"
        found.append(short)
    return found


def _served(name: str, model: PairPredictor) -> Served:
    colours = display_colours(model.classes)
    facts = _exported(model) if isinstance(model, ExportedModel) else _folder(model)
    told = {
        "name": name,
        "cameras": list(facts.pop("cameras")),
        "classes": [
            {"id": label, "name": title, "color": "#{:02x}{:02x}{:02x}".format(*colours[label])}
            for label, title in enumerate(model.classes)
        ],
        "fingerprint": model.fingerprint,
        **facts,
    }
    return Served(name, model, tuple(told["cameras"]), told)


def _exported(model: ExportedModel) -> dict[str, Any]:
    return {
        "cameras": [name for name in SENSORS if name in model.backend.inputs],
        "parameters": model.made.get("parameters"),
        "size": [model.height, model.width],
        "miou": model.made.get("miou"),
    }


def _folder(model: PairPredictor) -> dict[str, Any]:
    from samantic.measure.cost import told_miou
    from samantic.predict.predictor import Predictor

    assert isinstance(model, Predictor)  # noqa: S101  # the only other kind of model
    assert model.folder is not None  # noqa: S101  # the model was loaded from a folder
    network = model.deployed.network
    return {
        "cameras": [name for name in SENSORS if name in network.modalities],
        "parameters": sum(p.numel() for p in network.parameters()),
        "size": None,
        "miou": told_miou(model.folder),
    }
