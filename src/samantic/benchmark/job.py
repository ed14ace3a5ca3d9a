"""A benchmark: its contenders, their times, and further facts about them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from samantic.benchmark.contenders import Contender, opened
from samantic.benchmark.entry import Entry
from samantic.benchmark.machine import PRODUCTS, describe, product_rate
from samantic.benchmark.memory import peak_memory
from samantic.benchmark.rounds import Times, in_rounds
from samantic.config.networks import SartmConfig
from samantic.errors import InputError
from samantic.export.job import ENDINGS, Order, export
from samantic.models.devices import choose_device
from samantic.predict.predictor import Predictor, load
from samantic.run.evaluate import model_name
from samantic.runtime.backends import thread_count
from samantic.runtime.exported import ExportedModel
from samantic.runtime.load import is_exported

BACKENDS = {
    "torch": ("fp32", "bf16", "fp16"),
    "onnx": ("fp32", "fp16"),
    "openvino": ("fp32", "fp16", "bf16"),
}
"""The backends that run a model, and the precisions of each."""

SIZE = (480, 640)


class Plan(NamedTuple):
    """What to measure.

    Attributes:
        models: Run folders, model folders, names of shipped models, hub ids, or exported files; the
            others are compared with the first.
        backends: Backends for models that are no files.
        precisions: Precisions for these models.
        size: Height and width of the images; None means those of the first file, or `SIZE`.
        batch: Pairs in a batch.
        threads: Number of threads; None means `thread_count`.
        device: Device on which PyTorch computes.
        rounds: How often each contender is timed.
        files: Whether reading images and writing labels and overlays counts too.
    """

    models: Sequence[str]
    backends: Sequence[str] = ("torch",)
    precisions: Sequence[str] = ("fp32",)
    size: tuple[int, int] | None = None
    batch: int = 1
    threads: int | None = None
    device: str = "cpu"
    rounds: int = 20
    files: bool = False


def benchmark(plan: Plan) -> dict[str, Any]:
    """Measure how fast models answer, in turns, and what they cost.

    Args:
        plan: What to measure.

    Returns:
        `machine`, `conditions`, `peak` (operations per second of a matrix product, by precision),
        and `entries` with the name, times and costs of each contender. docs/speed.md lists the
        keys.

    Raises:
        InputError: A model cannot be opened, or the plan is not possible.
    """
    device = choose_device(plan.device)
    threads = plan.threads or thread_count()
    _check(plan)
    size = plan.size or _first_size(plan.models)
    with tempfile.TemporaryDirectory() as temporary, _threads(threads):
        common = Entry("", "", "", size, plan.batch, threads, str(device))
        entries: dict[str, Entry] = {}
        for name, entry in _entries(plan, common, Path(temporary)):
            if name in entries:
                raise InputError(f"{entry.place}: another one is called {name} too; rename one")
            files = str(Path(temporary, "files", str(len(entries)))) if plan.files else None
            entries[name] = entry._replace(files=files)
        ready = {name: opened(entry) for name, entry in entries.items()}
        wanted = {e.precision for e in entries.values()} & set(PRODUCTS)
        machine = describe(device, threads)
        peak = {kind: product_rate(kind, device) for kind in sorted(wanted)}
        times = in_rounds({name: one.call for name, one in ready.items()}, plan.rounds)
        peak = {kind: max(rate, product_rate(kind, device)) for kind, rate in peak.items()}
        measured = [
            _measured(name, entry, ready[name], times[name], peak, peak_memory(entry))
            for name, entry in entries.items()
        ]
    conditions = {"size": list(size), "batch": plan.batch, "rounds": plan.rounds}
    conditions |= {"counts": "files, network and writing" if plan.files else "raw images to labels"}
    return {"machine": machine, "conditions": conditions, "peak": peak, "entries": measured}


def _check(plan: Plan) -> None:
    """Refuse a plan that is not possible, before anything is opened.

    Raises:
        InputError: The plan is not possible.
    """
    if all(is_exported(model) for model in plan.models):
        return
    for precision in plan.precisions:
        if precision == "int8":
            raise InputError(
                "--precision int8: its ranges need images; export the model with --precision int8 "
                "and --data, and give the file as MODEL or with --against"
            )
        without = [name for name in plan.backends if precision not in BACKENDS[name]]
        if without:
            raise InputError(
                f"--precision {precision}: not for --backend {without[0]}, which takes "
                f"{', '.join(BACKENDS[without[0]])}"
            )
    if "fp16" in plan.precisions and "torch" in plan.backends and plan.device == "cpu":
        raise InputError("--precision fp16: PyTorch computes it only on a GPU; give bf16 on a CPU")


def _first_size(models: Sequence[str]) -> tuple[int, int]:
    """The size of the first exported file."""
    file = next((Path(model) for model in models if is_exported(model)), None)
    if file is None:
        return SIZE
    found = ExportedModel(file)
    return found.height, found.width


def _entries(plan: Plan, common: Entry, folder: Path) -> Iterator[tuple[str, Entry]]:
    """The contenders by name: the requested models, and the bare passes of their bases."""
    bases: dict[str, None] = {}
    for model in plan.models:
        if is_exported(model):
            precision = ExportedModel(model).made["precision"]
            yield Path(model).name, common._replace(kind="file", place=model, precision=precision)
            continue
        predictor = load(model, "cpu")
        assert predictor.folder is not None  # noqa: S101  # the model was loaded from a folder
        name, config = model_name(predictor.folder), predictor.info.model
        if isinstance(config, SartmConfig):
            bases[config.base] = None
        for backend, precision in product(plan.backends, plan.precisions):
            title = f"{name} {backend} {precision}"
            entry = common._replace(kind="torch", place=model, precision=precision)
            if backend != "torch":
                place = _exported(predictor, backend, entry, folder / title)
                entry = entry._replace(kind="file", place=str(place))
            yield title, entry
    for base, precision in product(bases if not plan.files else (), plan.precisions):
        if precision in BACKENDS["torch"]:
            entry = common._replace(kind="bare", place=base, precision=precision)
            yield f"bare passes of {base} {precision}", entry


def _exported(predictor: Predictor, backend: str, entry: Entry, path: Path) -> Path:
    """Export a model to a file that only this benchmark uses."""
    place = path.with_name(path.name + ENDINGS[backend])  # type: ignore[index]
    order = Order(backend, entry.precision, entry.size, batch=entry.batch)  # type: ignore[arg-type]
    export(predictor, order, place)
    return place


def _measured(
    name: str,
    entry: Entry,
    one: Contender,
    times: Times,
    peak: dict[str, float],
    memory: int | None,
) -> dict[str, Any]:
    """The results of one contender."""
    most, fastest = peak.get(entry.precision), float(times.seconds.min())
    rate = None if one.cost is None else one.cost.total * entry.batch / fastest
    return {
        "name": name,
        "kind": entry.kind,
        "precision": entry.precision,
        "seconds": {"median": times.median, "p95": times.p95, "least": fastest},
        "cpu_seconds": float(np.median(times.cpu)),
        "ratio": times.ratio,
        "pairs_per_second": entry.batch / times.median,
        "peak_memory": memory,
        "parameters": None if one.cost is None else one.cost.parameters,
        "operations": None if one.cost is None else one.cost.operations,
        "share_of_peak": None if rate is None or most is None else rate / most,
        "file_size": one.size,
        "miou": one.miou,
    }


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let PyTorch compute with `count` threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
