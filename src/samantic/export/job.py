"""Export a trained model: trace it, convert it, compare its answers, and only then write it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

import samantic
from samantic.errors import InputError
from samantic.export.module import Exported, ThermalType, thermal_type_of
from samantic.export.onnx_file import half, to_onnx
from samantic.export.openvino_file import quantised, to_openvino
from samantic.export.proof import Proof, Sampled, from_folder, generated, prove, refuse_unlike
from samantic.files import replacing, write_json
from samantic.measure.cost import cost_of, told_miou
from samantic.metrics import confusion_matrix, scores
from samantic.predict.info import stored_info
from samantic.predict.predictor import Predictor
from samantic.progress import open_progress
from samantic.run.split import Split
from samantic.runtime.backends import METADATA
from samantic.runtime.exported import ExportedModel
from samantic.runtime.quiet import import_quietly

Format = Literal["onnx", "openvino"]
Precision = Literal["fp32", "fp16", "bf16", "int8"]

ENDINGS: dict[Format, str] = {"onnx": ".onnx", "openvino": ".xml"}
NEEDED = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "openvino"),
}
"""Packages that each format needs."""

SCENES = 8
"""Number of generated scenes that check a file if no data is given."""


class Order(NamedTuple):
    """What to export.

    Attributes:
        format: `onnx` or `openvino`.
        precision: `fp32`, `fp16` (weights), `bf16` (OpenVINO only) or `int8`.
        size: Height and width of the images.
        thermal_size: Height and width of thermal images, if the cameras are not aligned; None means
            `size`.
        thermal_type: Type of thermal values; None means the type that fits the model's scaling.
        batch: Number of pairs in a batch; None for any number.
        data: Labelled pairs that check the file and calibrate int8; with None, generated scenes
            check the file.
        most: Largest number of pairs of `data` that are used.
        most_drop: Largest allowed drop of int8 in points of mIoU; None for no limit.
    """

    format: Format
    precision: Precision = "fp32"
    size: tuple[int, int] = (480, 640)
    thermal_size: tuple[int, int] | None = None
    thermal_type: ThermalType | None = None
    batch: int | None = None
    data: Split | None = None
    most: int = 32
    most_drop: float | None = None


def export(predictor: Predictor, order: Order, out: Path) -> Proof:
    """Write a model as one file after checking its answers; FILE.json records the check.

    Args:
        predictor: The model, loaded from a folder.
        order: What to export.
        out: NAME.onnx or NAME.xml; OpenVINO also writes NAME.bin.

    Raises:
        InputError: The model cannot be exported so, or the file's answers differ from the model's.
    """
    _check(predictor, order)
    kind = thermal_type_of(predictor.camera.scaling, order.thermal_type)
    module = Exported(predictor, order.size, order.thermal_size, kind).eval()
    sampled = _sampled(predictor, order, kind)
    made = _made(predictor, order, kind)
    bar = open_progress("export", "step", total=2 + (order.precision == "int8"))
    with bar, _temporary(out) as temporary:
        model = to_onnx(module, order.batch, kind)
        if order.format == "openvino":
            model = to_openvino(model)
        elif order.precision == "fp16":
            model = half(model)
        _save(model, temporary, made)
        bar.update()
        if order.precision == "int8":
            model = _of_8_bits(model, ExportedModel(temporary), sampled, order)
            _save(model, temporary, made)
            bar.update()
        proof = prove(predictor, ExportedModel(temporary), sampled)
        bar.update()
        refuse_unlike(proof, order.precision, order.most_drop)
    write_json(out.with_name(f"{out.name}.json"), made | {"proof": proof._asdict()})
    return proof


def ending_of(path: Path, form: Format) -> Path:
    """The path with the ending of a format; a path without an ending gets it.

    Raises:
        InputError: The path has another ending.
    """
    if path.suffix not in ("", ENDINGS[form]):
        raise InputError(f"{path}: a file for {form} ends in {ENDINGS[form]}; change --out")
    return path.with_suffix(ENDINGS[form])


def _check(predictor: Predictor, order: Order) -> None:
    """Refuse orders that cannot be exported, before the slow steps start.

    Raises:
        InputError: The order cannot be exported.
    """
    needed = NEEDED[order.format] + (("nncf",) if order.precision == "int8" else ())
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        extra = "openvino" if "nncf" in missing else order.format
        raise InputError(f"export: needs {' and '.join(missing)}; pip install 'samantic[{extra}]'")
    if predictor.tta is not None:
        raise InputError("export: a file computes one view; leave out --tta")
    if order.format == "onnx" and order.precision == "bf16":
        raise InputError("--precision bf16: only for OpenVINO; give --format openvino")
    if order.precision == "int8" and order.data is None:
        raise InputError(
            "--precision int8: needs typical images to calibrate the ranges of 8 bits; "
            "give --data FOLDER --layout LAYOUT --split SPLIT"
        )
    if order.most_drop is not None and (order.precision, order.format) != ("int8", "openvino"):
        raise InputError("--max-drop: only for --precision int8 with --format openvino")
    if order.thermal_size is not None and predictor.camera.rig is None:
        raise InputError("--thermal-size: the cameras are aligned, so thermal has RGB's size")
    if predictor.camera.rig is not None and len(predictor.network.modalities) > 1:
        sizes = order.thermal_size or order.size, order.size
        predictor.camera.rig.check(*sizes, "--thermal-size", "--size")


def _sampled(predictor: Predictor, order: Order, kind: ThermalType) -> Sampled:
    """The pairs that check the file, all of one size."""
    thermal_size = order.thermal_size or order.size
    if order.data is None:
        scaling = predictor.camera.scaling
        return generated(SCENES, order.size, thermal_size, kind, scaling)
    assert predictor.folder is not None  # noqa: S101  # the model was loaded from a folder
    return from_folder(predictor, order.data, predictor.folder, order.most)


def _made(predictor: Predictor, order: Order, kind: ThermalType) -> dict[str, Any]:
    """The metadata of a file."""
    info = replace(
        predictor.info,
        camera=predictor.camera,
        eval_size=predictor.size,
        projection="equirectangular" if predictor.panorama else "perspective",
    )
    cost = cost_of(predictor.deployed, order.size)
    return {
        "model": stored_info(info),
        "fingerprint": predictor.fingerprint,
        "format": order.format,
        "precision": order.precision,
        "size": list(order.size),
        "thermal_type": kind,
        "batch": order.batch,
        "parameters": cost.parameters,
        "operations": cost.operations,
        "miou": None if predictor.folder is None else told_miou(predictor.folder),
        "licence": f"weights learnt from {info.dataset}: the terms of that data hold",
        "samantic": samantic.__version__,
        "torch": torch.__version__,
    }


@contextmanager
def _temporary(out: Path) -> Iterator[Path]:
    """A temporary path beside `out`; on success its file or files are renamed to `out`."""
    with ExitStack() as stack:
        if out.suffix == ".xml":
            stack.enter_context(replacing(out.with_suffix(".bin")))
        yield stack.enter_context(replacing(out))


def _save(model: Any, path: Path, made: dict[str, Any]) -> None:
    """Write an ONNX or OpenVINO model with its metadata."""
    if path.suffix == ".onnx":
        import onnx

        onnx.helper.set_model_props(model, {METADATA: json.dumps(made)})
        onnx.save(model, path)
        return
    model.set_rt_info(json.dumps(made), [METADATA])
    model.set_rt_info(made["precision"], ["precision"])
    import_quietly("openvino").save_model(model, path, compress_to_fp16=made["precision"] == "fp16")


def _of_8_bits(model: Any, file: ExportedModel, sampled: Sampled, order: Order) -> Any:
    """Quantise the model with the sampled pairs, and with their labels if a drop is bounded."""
    inputs = [file.inputs_of([pair]) for pair in sampled.pairs]
    if order.most_drop is None:
        return quantised(model, inputs)
    assert sampled.labels is not None  # noqa: S101  # they come with `order.data`
    classes = len(file.info.classes)

    def miou(compiled: Any, items: Any) -> float:
        total = torch.zeros(classes, classes, dtype=torch.int64)
        for given, truth in items:
            labels = torch.from_numpy(compiled(given)["labels"][0]).long()
            total += confusion_matrix(labels, torch.from_numpy(truth), classes)
        return scores(total).miou

    labelled = list(zip(inputs, sampled.labels, strict=True))
    return quantised(model, inputs, labelled, miou, order.most_drop / 100)
