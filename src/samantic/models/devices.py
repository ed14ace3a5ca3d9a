"""Devices by name or number, and whether this machine has them."""

from __future__ import annotations

import os
import re

import torch

from samantic.config.options import quoted
from samantic.errors import InputError

Device = str | int | torch.device
"""A device: `auto` (a GPU if there is one), `cpu`, `gpu`, `cuda`, `cuda:1`, `mps`, ..., the number
of a GPU, or a torch.device."""

SEVERAL = 2
"""Largest number of processes that train on a CPU, whatever its number of cores."""


def choose_device(wanted: Device = "auto") -> torch.device:
    """A device of this machine; letter case does not matter.

    Raises:
        InputError: This machine does not have the device, or there is no such name.
    """
    name = str(wanted).strip().lower()
    gpus = available_gpus()
    if name == "auto":
        name = gpus[0].partition(":")[0] if gpus else "cpu"
    match = re.fullmatch(r"(?:([a-z]+)(?::|$))?([0-9]{1,9})?", name)
    if isinstance(wanted, bool) or not name or match is None:
        raise InputError(_not_there(wanted, gpus))
    kind, number = match[1] or "gpu", match[2]
    if kind == "cpu" and int(number or 0) == 0:
        return torch.device("cpu")
    if kind == "gpu" and gpus:
        kind = gpus[0].partition(":")[0]
    if f"{kind}:{int(number or 0)}" not in gpus:
        raise InputError(_not_there(wanted, gpus))
    return torch.device(kind if number is None else f"{kind}:{int(number)}")


def available_gpus() -> list[str]:
    """The GPUs of this machine, such as cuda:0."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None:
        return []
    return [f"{accelerator.type}:{i}" for i in range(torch.accelerator.device_count())]


def check_count(wanted: int | str) -> None:
    """Refuse to train on more devices than this machine has.

    Args:
        wanted: `auto`, or the number of devices.

    Raises:
        InputError: There are fewer.
    """
    gpus = available_gpus()
    most = len(gpus) if gpus else max(SEVERAL, os.cpu_count() or 1)
    if wanted != "auto" and int(wanted) > most:
        there = ", ".join(gpus) or f"no GPU, and up to {most} processes on its CPU"
        raise InputError(f"train.devices is {wanted}; this machine has {there}")


def _not_there(wanted: Device, gpus: list[str]) -> str:
    name = str(wanted) if isinstance(wanted, torch.device) else wanted
    there = ", ".join(["cpu", *gpus]) if gpus else "cpu, and no GPU"
    return f"device {quoted(name)}: not there; this machine has {there}; auto takes the best"
