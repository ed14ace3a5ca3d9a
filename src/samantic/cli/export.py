"""The verb `export`."""

from __future__ import annotations

import argparse
from pathlib import Path

from samantic.cli.options import (
    LAYOUTS,
    MODEL,
    camera_choice,
    camera_options,
    class_options,
    data_card,
    file,
    file_options,
    place,
    sides,
    whole,
)
from samantic.errors import InputError
from samantic.strings import printable

HELP = "write a model as one file for ONNX Runtime, OpenVINO or TensorRT, and compare the two"


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("model", metavar="MODEL", help=MODEL)
    sub.add_argument("--format", choices=("onnx", "openvino"), required=True)
    sub.add_argument(
        "--precision",
        choices=("fp32", "fp16", "bf16", "int8"),
        default="fp32",
        help="number format (default fp32); bf16 is for OpenVINO, int8 needs --data",
    )
    sub.add_argument(
        "--size", type=sides, default=(480, 640), metavar="HxW", help="image size (default 480x640)"
    )
    sub.add_argument(
        "--thermal-size",
        type=sides,
        metavar="HxW",
        help="size of thermal images that a rig aligns with RGB",
    )
    sub.add_argument(
        "--thermal-type",
        choices=("uint8", "uint16", "float32"),
        help="type of the thermal values (default: what the model's thermal scaling expects)",
    )
    sub.add_argument(
        "--batch", type=whole(1, 1024), metavar="N", help="pairs at a time (default: any number)"
    )
    sub.add_argument("--out", type=file, help="file to write to (default NAME.onnx or NAME.xml)")
    _data_options(sub)
    class_options(sub)
    file_options(sub)
    camera_options(sub)


def _data_options(sub: argparse.ArgumentParser) -> None:
    """Options for the labelled pairs that compare model and file, and calibrate int8."""
    group = sub.add_argument_group("comparison and int8")
    group.add_argument(
        "--data", type=place, help="labelled data, to compare file and model and to calibrate int8"
    )
    group.add_argument("--layout", choices=LAYOUTS, help="how the files of --data lie")
    group.add_argument("--split", help="split of --data")
    group.add_argument(
        "--count",
        type=whole(1, 10_000),
        default=32,
        metavar="N",
        help="number of pairs of --data (default 32)",
    )
    group.add_argument(
        "--max-drop",
        type=float,
        metavar="POINTS",
        help="largest loss of mIoU by int8; layers return to higher precision until it is kept",
    )


def run(options: argparse.Namespace) -> None:
    from samantic.export import export
    from samantic.export.job import Order, ending_of
    from samantic.export.table import proof_table
    from samantic.predict.predictor import load
    from samantic.run.evaluate import model_name
    from samantic.run.split import Split

    data = None
    if options.data is not None:
        if options.layout is None or options.split is None:
            raise InputError("--data: say how the files lie, with --layout and --split")
        data = Split(options.data, data_card(options), options.split)
    predictor = load(options.model, "cpu", **camera_choice(options))
    assert predictor.folder is not None  # noqa: S101  # the model was loaded from a folder
    out = ending_of(options.out or Path(model_name(predictor.folder)), options.format)
    order = Order(
        options.format,
        options.precision,
        options.size,
        options.thermal_size,
        options.thermal_type,
        options.batch,
        data,
        options.count,
        options.max_drop,
    )
    proof = export(predictor, order, out)
    print(printable(f"{out}: {options.format}, {options.precision}"))
    print(proof_table(proof))
