"""The tables of docs/speed.md: exported files and other networks against PyTorch, in turns.

    python benchmarks/speed.py make --folder speed --data mfnet_mini
    python benchmarks/speed.py time --folder speed --rounds 15 --threads 2
    python benchmarks/speed.py accuracy --folder speed --data mfnet_mini
    python benchmarks/speed.py smooth --data mfnet_mini --count 20 --first sartm-nano

`make` writes the contenders once: the shipped models as files of every precision, SARTM on SAM2's
tiny layout, and a SegFormer-B0 with four channels. The last two have random weights, which do not
affect the time. int8 is calibrated on frames of the split train; `accuracy` measures on the split
test. `smooth` makes int8 files with NNCF's defaults, with its options for transformers, and with
SmoothQuant in addition. It compares them on the split val, on whose frames they are calibrated too.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from transformers import Sam2Config, Sam2Model

import samantic
from samantic.benchmark.job import Plan, benchmark
from samantic.benchmark.table import benchmark_table
from samantic.config import AdaptConfig, SartmConfig, StudentConfig
from samantic.data import CATALOG
from samantic.export.job import ENDINGS, Order, export
from samantic.export.proof import from_folder, prove
from samantic.models.build import build
from samantic.predict.info import ModelInfo
from samantic.predict.model_folder import find_model, save_model
from samantic.run.split import Split
from samantic.runtime.exported import ExportedModel
from samantic.runtime.quiet import import_quietly

SHIPPED = ("nano", "sartm-nano")
FILES = (("onnx", "fp32"), ("openvino", "fp32"), ("openvino", "bf16"), ("openvino", "int8"))
FEWER_BITS = FILES[2:]
CARD = CATALOG["mfnet"]


def folder_of(folder: Path, name: str) -> str:
    """The name of a shipped model, or the folder of another one."""
    return name if name in SHIPPED else str(folder / name)


def make(folder: Path, data: Path, count: int) -> None:
    """Write the models and files that do not exist yet."""
    torch.manual_seed(0)
    base = folder / "sam2-tiny-layout"
    if not base.exists():
        Sam2Model(Sam2Config()).save_pretrained(base)
    made: dict[str, Any] = {
        "sartm-tiny": (SartmConfig(str(base)), AdaptConfig("lora")),
        "segformer-b0": (StudentConfig("segformer-b0"), AdaptConfig("full")),
    }
    for name, (model, adapt) in made.items():
        if not (folder / name).exists():
            info = ModelInfo(model, adapt, CARD.classes, CARD.palette, CARD.title)
            save_model(folder / name, build(model, adapt, len(CARD.classes)), info)
    for name in (*SHIPPED, *made):
        for form, precision in FILES:
            path = folder / f"{name}-{precision}{ENDINGS[form]}"  # type: ignore[index]
            if path.exists() or (name in made and precision == "int8") or name == "segformer-b0":
                continue
            split = Split(data, "mfnet", "train") if precision == "int8" else None
            order = Order(form, precision, data=split, most=count)  # type: ignore[arg-type]
            proof = export(samantic.load(folder_of(folder, name), device="cpu"), order, path)
            print(f"{path.name}: {proof.agreement:.3%} of labels agree on {proof.source}")


def measure_accuracy(folder: Path, data: Path, count: int, names: list[str]) -> None:
    """Print the mIoU of files of lower precision on the split test, and that of the model."""
    for name in names:
        model = samantic.load(name, device="cpu")
        sampled = from_folder(model, Split(data, "mfnet", "test"), find_model(name), count)
        for form, precision in FEWER_BITS:
            file = ExportedModel(folder / f"{name}-{precision}{ENDINGS[form]}")  # type: ignore[index]
            proof = prove(model, file, sampled)
            before, after = (100 * value for value in proof.miou or ())
            print(
                f"{file.path.name}: mIoU {after:.2f}, PyTorch {before:.2f}, "
                f"{after - before:+.2f}; {proof.agreement:.3%} of labels agree on {proof.source}",
                flush=True,
            )


def compare_smooth(data: Path, count: int, names: list[str]) -> None:
    """Print the agreement of int8 files from three settings of NNCF."""
    nncf = import_quietly("nncf")
    plain, kind = nncf.quantize, nncf.ModelType.TRANSFORMER
    off = nncf.AdvancedSmoothQuantParameters(matmul=-1, convolution=-1)
    advanced = nncf.AdvancedQuantizationParameters(smooth_quant_alphas=off)
    ways: dict[str, dict[str, Any]] = {
        "default": {},
        "transformer": {"model_type": kind, "advanced_parameters": advanced},
        "transformer and SmoothQuant": {"model_type": kind},
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, (way, options) in product(names, ways.items()):
            nncf.quantize = partial(plain, **options)
            order = Order("openvino", "int8", data=Split(data, "mfnet", "val"), most=count)
            proof = export(samantic.load(name, device="cpu"), order, Path(folder, "m.xml"))
            print(f"{name}, {way}: {proof.agreement:.3%} of labels agree on {proof.source}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=("make", "time", "accuracy", "smooth"))
    parser.add_argument("--folder", type=Path, default=Path("speed"))
    parser.add_argument("--data", type=Path, help="MFNet's layout, with lists train and test")
    parser.add_argument("--count", type=int, default=100, help="pairs that are looked at, at most")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--first", nargs="+", help="models to measure")
    options = parser.parse_args()
    folder = options.folder
    options.first = options.first or [*SHIPPED, *(["sartm-tiny"] if options.step == "time" else [])]
    if options.step == "make":
        make(folder, options.data, options.count)
    elif options.step == "accuracy":
        measure_accuracy(folder, options.data, options.count, options.first)
    elif options.step == "smooth":
        compare_smooth(options.data, options.count, options.first)
    for name in options.first if options.step == "time" else ():
        files = [
            str(path)
            for form, precision in FILES
            if (path := folder / f"{name}-{precision}{ENDINGS[form]}").exists()  # type: ignore[index]
        ]
        peers = [folder_of(folder, "segformer-b0")] if name == "nano" else []
        models = [folder_of(folder, name), *files, *peers]
        found = benchmark(Plan(models, threads=options.threads, rounds=options.rounds))
        print(f"{benchmark_table(found)}\n", flush=True)


if __name__ == "__main__":
    main()
