"""Keep OpenVINO, NNCF and ONNX Runtime from sending usage data, and from crashing at exit."""

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
"""The package through which OpenVINO and NNCF send usage data."""

SWITCH = "ORT_DISABLE_TELEMETRY"
"""Environment variable that stops ONNX Runtime, from 1.32 on, from sending; read at its import."""


def import_quietly(name: str) -> Any:
    """Import `openvino`, `nncf` or `onnxruntime` so that it sends nothing.

    If the process has imported the package before, it is not changed.
    """
    sys.modules.setdefault(MESSENGER, None)  # type: ignore[arg-type]  # its import now fails
    os.environ.setdefault(SWITCH, "1")
    return import_module(name)


@cache
def openvino_core() -> Any:
    """The only `openvino.Core` of this process, which lives until the process ends.

    OpenVINO's CPU plugin (2026.4) installs its own stack for signal handlers, and restores the
    earlier stack when it is unloaded. If plugins are unloaded in the order in which they were
    loaded, the restored stack has been freed already. The next signal with a handler, such as
    Ctrl-C, then kills the process. Each core has its own plugin, so there is only one core.
    """
    core = import_quietly("openvino").Core()
    core.get_property("CPU", "FULL_DEVICE_NAME")  # the plugin is loaded at its first use
    return core


@contextmanager
def keep_signal_stack() -> Iterator[None]:
    """Restore the stack of signal handlers after the block, whichever plugins it loads."""
    openvino_core()  # its stack is never freed
    if sys.platform != "linux":  # OpenVINO changes the stack on Linux only
        yield
        return
    stack, sigaltstack = _Stack(), ctypes.CDLL(None).sigaltstack
    sigaltstack(None, ctypes.byref(stack))
    try:
        yield
    finally:
        sigaltstack(ctypes.byref(stack), None)


class _Stack(ctypes.Structure):
    """The structure `stack_t` of Linux."""

    _fields_: ClassVar = [
        ("ss_sp", ctypes.c_void_p),
        ("ss_flags", ctypes.c_int),
        ("ss_size", ctypes.c_size_t),
    ]
