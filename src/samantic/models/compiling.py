"""Compilation of a network's parts by torch.compile: fewer, larger kernels, the same weights."""

from __future__ import annotations

import importlib.util
import os
import shutil

from torch import nn

from samantic.errors import InputError

BACKEND = "inductor"
"""Options of torch.compile."""

COMPILERS = ("g++", "clang++", "c++", "cl")
"""C++ compilers; torch.compile needs one of them on a CPU."""


def compile_parts(network: nn.Module, device: str) -> None:
    """Compile a network's parts; compilation happens at the first call for each image size.

    Parts are compiled in place, and weights keep their names. Resuming and exporting therefore work
    as without compilation.

    Args:
        network: Its children are compiled; in a list or dictionary of modules, each module is.
        device: Type of the device, such as cpu or cuda.

    Raises:
        InputError: There is no compiler for the device.
    """
    check_compiler(device)
    for child in network.children():
        inner = isinstance(child, nn.ModuleDict | nn.ModuleList)
        for part in child.children() if inner else (child,):
            part.compile(backend=BACKEND)


def check_compiler(device: str) -> None:
    """Refuse a device for which torch.compile cannot generate code.

    Raises:
        InputError: There is no compiler for the device.
    """
    if BACKEND != "inductor":
        return
    if device == "cuda" and importlib.util.find_spec("triton") is None:
        raise InputError("train.compile: needs triton on a GPU; install it, or set it false")
    names = (os.environ["CXX"],) if "CXX" in os.environ else COMPILERS
    if device == "cpu" and not any(map(shutil.which, names)):
        raise InputError(
            f"train.compile: needs a C++ compiler on a CPU ({', '.join(names)}), and there is "
            "none; install one, or set it false"
        )
