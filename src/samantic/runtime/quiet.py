"""OpenVINO, NNCF and ONNX Runtime, kept from telling their makers of each use, and from dying."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any, ClassVar

MESSENGER = "openvino_telemetry"
"""The package through which OpenVINO and NNCF send what they are used for."""

SWITCH = "ORT_DISABLE_TELEMETRY"
"""The variable that keeps ONNX Runtime, from 1.32 on, from sending; it is read at its import."""


def import_quietly(name: str) -> Any:
    """Import `openvino`, `nncf` or `onnxruntime` so that it sends nothing.

    A process that has imported it before keeps it.
    """
    sys.modules.setdefault(MESSENGER, None)  # type: ignore[arg-type]  # an import of it fails
    os.environ.setdefault(SWITCH, "1")
    return import_module(name)


@cache
def openvino_core() -> Any:
    """The one `openvino.Core` of this process, which stays until its end.

    OpenVINO's CPU plugin (2026.4) gives signal handlers a stack of its own, and when it leaves, the
    stack that was there before. Where plugins leave in the order in which they came, that one is
    freed already, and the next signal that has a handler, such as Ctrl-C, kills the process. Each
    core has a plugin, so there is one core.
    """
    core = import_quietly("openvino").Core()
    core.get_property("CPU", "FULL_DEVICE_NAME")  # the plugin comes with its first use
    return core


@contextmanager
def keep_signal_stack() -> Iterator[None]:
    """Leave the stack of signal handlers as it was, whatever plugins come and go meanwhile."""
    openvino_core()  # its stack is never freed
    if sys.platform != "linux":  # where alone OpenVINO changes it
        yield
        return
    stack, sigaltstack = _Stack(), ctypes.CDLL(None).sigaltstack
    sigaltstack(None, ctypes.byref(stack))
    try:
        yield
    finally:
        sigaltstack(ctypes.byref(stack), None)


class _Stack(ctypes.Structure):
    """`stack_t` of Linux."""

    _fields_: ClassVar = [
        ("ss_sp", ctypes.c_void_p),
        ("ss_flags", ctypes.c_int),
        ("ss_size", ctypes.c_size_t),
    ]
