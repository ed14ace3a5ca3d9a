"""OpenVINO, NNCF and ONNX Runtime, kept from telling their makers of each use."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

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
