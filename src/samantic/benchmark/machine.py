"""The machine of a benchmark: its description, and its speed of matrix products."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

PACKAGES = ("samantic", "torch", "onnxruntime", "openvino")
"""Packages whose versions affect speed."""

SIDES = {"cpu": (512, 1024)}
"""Sides of the square matrices by kind of device; the fastest product counts."""

LARGE = (4096, 8192)
"""Sides of the matrices on other devices."""

PATIENCE = 0.4
"""Seconds for which products of one size are repeated; the fastest counts."""

PRODUCTS = ("fp32", "bf16", "int8")
"""Precisions whose products torch computes on every device. fp16 is not among them: a CPU without
instructions for it takes a hundred times as long."""


def describe(device: torch.device, threads: int) -> dict[str, Any]:
    """The facts, besides the model, on which speed depends."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        name = _processor() or platform.processor() or platform.machine()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "device": f"{device}: {name}",
        "threads": threads,
        "load": None if load is None else round(load, 2),
        "system": platform.platform(),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _processor() -> str | None:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, None)


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # an extra that is not installed
            continue
    return found


def product_rate(precision: str, device: torch.device) -> float:
    """Operations per second of the fastest product of two square matrices.

    Args:
        precision: A key of `PRODUCTS`; int8 accumulates in int32.
        device: Device of the computation.
    """
    best = 0.0
    for side in SIDES.get(device.type, LARGE):
        multiply, start = _product(precision, device, side), perf_counter()
        while (begun := perf_counter()) < start + PATIENCE:
            multiply()
            wait(device)
            best = max(best, 2 * side**3 / (perf_counter() - begun))
    return best


def _product(precision: str, device: torch.device, side: int) -> Callable[[], Tensor]:
    shape = (side, side)
    if precision == "int8":
        ids = [torch.randint(-127, 128, shape, dtype=torch.int8, device=device) for _ in range(2)]
        return partial(torch._int_mm, *ids)
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    return partial(torch.matmul, *(torch.randn(shape).to(device, kind) for _ in range(2)))


def wait(device: torch.device) -> None:
    """Wait until a device has finished its work."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
