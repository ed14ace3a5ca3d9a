"""The contenders of a benchmark: models in PyTorch, exported files, and bare passes of a base."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image

from samantic.benchmark.bare import BarePasses
from samantic.benchmark.entry import Entry
from samantic.benchmark.machine import wait
from samantic.data.camera import RawPair
from samantic.errors import InputError
from samantic.export.module import thermal_type_of
from samantic.export.proof import generated
from samantic.measure.cost import Cost, cost_of, told_miou
from samantic.predict.asking import PairPredictor
from samantic.predict.predictor import load
from samantic.runtime.exported import ExportedModel


class Contender(NamedTuple):
    """A contender that is ready to run.

    Attributes:
        call: Predicts the pairs, and returns when the work is done.
        model: The model, for measurements with files; None for bare passes.
        cost: Parameters and operations for a pair; None if unknown.
        size: Bytes of its files; None for bare passes.
        miou: mIoU on its model card; None if the card has none.
    """

    call: Callable[[], object]
    model: PairPredictor | None
    cost: Cost | None
    size: int | None
    miou: float | None


def opened(entry: Entry) -> Contender:
    """Open a contender and prepare pairs of generated scenes for it.

    Raises:
        InputError: It cannot be opened, or does not accept such pairs.
    """
    match entry.kind:
        case "file":
            return _file(entry)
        case "bare":
            return _bare(entry)
        case _:
            return _torch(entry)


def pairs_for(model: PairPredictor, entry: Entry) -> list[RawPair]:
    """Generated pairs in the form that a model's cameras give."""
    scaling = model.camera.scaling
    kind, thermal_size = thermal_type_of(scaling, None), entry.size
    if isinstance(model, ExportedModel) and "thermal" in model.backend.inputs:
        shape, dtype = model.backend.inputs["thermal"]
        kind, thermal_size = dtype.name, (shape[1], shape[2])  # type: ignore[assignment]
    return generated(entry.batch, entry.size, thermal_size, kind, scaling).pairs


def _torch(entry: Entry) -> Contender:
    """A model in PyTorch, from raw values to labels."""
    model = load(entry.place, entry.device)
    assert model.folder is not None  # noqa: S101  # the model was loaded from a folder
    pairs = pairs_for(model, entry)
    sensors = zip(("rgb", "thermal"), zip(*pairs, strict=True), strict=True)
    given = {
        name: torch.stack([torch.from_numpy(image) for image in images]).to(model.device)
        for name, images in sensors
        if name in model.network.modalities
    }
    from_files = _through_files(model, pairs, entry)

    def call() -> None:
        with torch.inference_mode(), autocast(entry):
            if from_files is None:
                model.deployed(**given)
            else:
                from_files()
        wait(model.device)

    files = (path.stat().st_size for path in model.folder.glob("*.safetensors"))
    return Contender(
        call, model, cost_of(model.deployed, entry.size), sum(files), told_miou(model.folder)
    )


def autocast(entry: Entry) -> Any:
    """The context in which PyTorch computes in an entry's precision."""
    kinds = {"bf16": torch.bfloat16, "fp16": torch.float16}
    if entry.precision not in kinds:
        return nullcontext()
    return torch.autocast(torch.device(entry.device).type, kinds[entry.precision])


def _file(entry: Entry) -> Contender:
    """An exported file."""
    path = Path(entry.place)
    model = ExportedModel(path, entry.threads)
    _check(model, entry)
    pairs = pairs_for(model, entry)
    inputs, from_files = model.inputs_of(pairs), _through_files(model, pairs, entry)
    made = model.made
    cost = Cost(made["parameters"], made["operations"]) if "operations" in made else None
    return Contender(
        from_files or (lambda: model.backend.run(inputs, ("labels", "confidence"))),
        model,
        cost,
        sum(file.stat().st_size for file in model.files),
        made.get("miou"),
    )


def _check(model: ExportedModel, entry: Entry) -> None:
    """Refuse an entry for which a file was not exported.

    Raises:
        InputError: The file was exported for another size or number of pairs.
    """
    (height, width), (tall, wide) = (model.height, model.width), entry.size
    if (height, width) != (tall, wide):
        raise InputError(
            f"{model.path}: takes images of {height}x{width}, not {tall}x{wide}; give --size "
            f"{height}x{width}, or export it anew"
        )
    if model.fixed not in (None, entry.batch):
        raise InputError(
            f"{model.path}: takes {model.fixed} pairs at a time, not {entry.batch}; give --batch "
            f"{model.fixed}, or export it anew"
        )


def _through_files(
    model: PairPredictor, pairs: list[RawPair], entry: Entry
) -> Callable[[], object] | None:
    """Read pairs from files, predict them, write labels and overlays; None without files."""
    if entry.files is None:
        return None
    folder = Path(entry.files)
    folder.mkdir(parents=True, exist_ok=True)
    places: list[tuple[Path, Path]] = []
    for i, (rgb, thermal) in enumerate(pairs):
        assert rgb is not None  # noqa: S101  # generated pairs have both
        assert thermal is not None  # noqa: S101
        ending = "tiff" if thermal.dtype.kind == "f" else "png"
        places.append((folder / f"{i}_rgb.png", folder / f"{i}_thermal.{ending}"))
        for image, path in zip((rgb, thermal), places[-1], strict=True):
            Image.fromarray(image).save(path)

    def call() -> None:
        for i, answer in enumerate(model.predict_batch(places, len(places))):
            answer.save(folder / "out", str(i))

    return call


def _bare(entry: Entry) -> Contender:
    """Two encoder passes and one decoder pass of a base."""
    passes = BarePasses(entry.place).to(entry.device)
    images = [torch.rand(entry.batch, c, *entry.size, device=entry.device) for c in (3, 1)]

    def call() -> None:
        with torch.inference_mode(), autocast(entry):
            passes(*images)
        wait(torch.device(entry.device))

    return Contender(call, None, None, None, None)
