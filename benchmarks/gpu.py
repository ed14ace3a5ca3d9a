"""Pairs/s, memory and share of the peak on a GPU: eager, compiled, and as CUDA graphs.

    python benchmarks/gpu.py --out gpu.jsonl
    python benchmarks/gpu.py --out gpu.jsonl --table

The first line measures for eight minutes at most and continues from the results in the file; the
second line prints them. SARTMs have SAM2.1's layouts and random weights, which do not affect the
time; LoRA is merged. All compute in bf16 (autocast). A cell runs in its own process, from raw
images on the device to labels; compilation is timed separately.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any, NamedTuple

import torch
from memory import SHAPES, build_sam

import samantic
from samantic.benchmark.machine import describe, product_rate, wait
from samantic.config import AdaptConfig, SartmConfig, StudentConfig
from samantic.config.scaling import parse_scaling
from samantic.data import CATALOG
from samantic.measure.cost import cost_of
from samantic.models import SARTM
from samantic.models.build import build
from samantic.predict.deployed import Deployed
from samantic.predict.info import ModelInfo

STUDENTS = ("nano", "segformer-b0")
NETWORKS = ("tiny", "base-plus", "large", *STUDENTS)
WAYS = {"eager": None, "compiled": "default", "graphs": "reduce-overhead"}
"""How the network runs, and the mode of torch.compile; reduce-overhead uses CUDA graphs."""

CARD = CATALOG["mfnet"]


class Cell(NamedTuple):
    """The settings that one process measures."""

    network: str
    size: str
    batch: int
    way: str
    device: str
    seconds: float


def deployed(name: str, device: torch.device) -> Deployed:
    """A network with its preprocessing and postprocessing."""
    torch.manual_seed(0)
    if name == "nano":
        found: Deployed = samantic.load("nano", device=str(device)).deployed
        return found
    adapt = AdaptConfig("lora", 16) if name in SHAPES else AdaptConfig("full")
    config: Any = StudentConfig(name) if name in STUDENTS else SartmConfig("random-micro")
    classes = len(CARD.classes)
    info = ModelInfo(config, adapt, CARD.classes, CARD.palette, CARD.title)
    if name in SHAPES:
        network: Any = SARTM(build_sam(SHAPES[name]), classes, adapt=adapt)
    else:
        network = build(config, adapt, classes)
    return Deployed(network.to(device), info, parse_scaling("8-bit"), None)


def measure(cell: Cell) -> dict[str, Any]:
    """The measurements of a cell."""
    device = torch.device(cell.device)
    height, width = map(int, cell.size.split("x"))
    model = deployed(cell.network, device)
    operations = cost_of(model, (height, width)).total * cell.batch
    mode = WAYS[cell.way]
    run: Callable[..., Any] = model if mode is None else torch.compile(model, mode=mode)
    rgb = torch.randint(256, (cell.batch, height, width, 3), dtype=torch.uint8, device=device)
    thermal = rgb[..., 0].contiguous()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
        start = perf_counter()
        for _ in range(3):
            run(rgb, thermal)
        wait(device)
        ready = perf_counter() - start
        times = list(timed(lambda: run(rgb, thermal), device, cell.seconds))
    memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    rate = operations / min(times)
    return {
        "pairs_per_second": cell.batch / sorted(times)[len(times) // 2],
        "calls": len(times),
        "ready": ready,
        "memory": memory,
        "operations": operations,
        "share_of_peak": rate / product_rate("bf16", device),
        "machine": describe(device, torch.get_num_threads()),
    }


def timed(call: Callable[[], Any], device: torch.device, seconds: float) -> Iterator[float]:
    """Times of calls, for `seconds` seconds and at least three calls."""
    end, count = perf_counter() + seconds, 0
    while count < 3 or perf_counter() < end:
        start = perf_counter()
        call()
        wait(device)
        yield perf_counter() - start
        count += 1


def attempt(cell: Cell, given: Any) -> None:
    """Measure in a new process; an error there is reported in one line."""
    try:
        given.put(measure(cell))
    except (RuntimeError, MemoryError) as error:  # too little memory, or no compiler
        given.put({"failed": str(error).splitlines()[0][:200]})


def measured(cell: Cell, left: float) -> dict[str, Any] | None:
    """The measurements of a cell; None if the remaining time was too short."""
    spawn = multiprocessing.get_context("spawn")
    given: Any = spawn.SimpleQueue()
    process = spawn.Process(target=attempt, args=(cell, given))
    process.start()
    process.join(left)
    if process.is_alive():
        process.kill()
        process.join()
        return None
    return given.get() if process.exitcode == 0 else {"failed": f"exit {process.exitcode}"}


def known(path: Path) -> list[dict[str, Any]]:
    """The results in a file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def table(found: list[dict[str, Any]]) -> str:
    """The results as Markdown."""
    lines = [
        "| network | size | batch | way | pairs/s | memory, GB | of bf16 peak | ready, s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in found:
        place = f"| {one['network']} | {one['size']} | {one['batch']} | {one['way']} |"
        if "failed" in one:
            lines.append(f"{place} {one['failed']} | | | |")
            continue
        memory = "" if one["memory"] is None else f"{one['memory'] / 1e9:.1f}"
        share = f"{100 * one['share_of_peak']:.0f} %"
        figures = f" {one['pairs_per_second']:.1f} | {memory} | {share} | {one['ready']:.0f} |"
        lines.append(place + figures)
    devices = {one["machine"]["device"] for one in found if "machine" in one}
    return "\n".join([*lines, "", *sorted(devices)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="JSON lines, which are continued")
    parser.add_argument("--table", action="store_true", help="print what --out holds")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, metavar="NAME")
    parser.add_argument("--sizes", nargs="+", default=["480x640", "1024x1024"], metavar="HxW")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=2.0, help="that a cell is timed for")
    parser.add_argument("--limit", type=float, default=480.0, help="seconds until it stops")
    options = parser.parse_args()
    end = monotonic() + options.limit
    cells = product(options.networks, options.sizes, options.batches, options.ways)
    done = {tuple(one[key] for key in Cell._fields[:4]) for one in known(options.out)}
    for what in () if options.table else cells:
        if what in done:
            continue
        figures = measured(Cell(*what, options.device, options.seconds), end - monotonic())
        if figures is None:
            print(f"{options.limit:.0f} s are over; run it again to go on")
            break
        with options.out.open("a") as file:
            print(json.dumps(dict(zip(Cell._fields, what, strict=False)) | figures), file=file)
    print(table(known(options.out)))


if __name__ == "__main__":
    main()
