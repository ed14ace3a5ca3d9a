"""OpenVINO and NNCF, kept from telling their makers of each use."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

MESSENGER = "openvino_telemetry"
"""The package through which they send what they are used for; without it they send nothing."""


def import_quietly(name: str) -> Any:
    """Import `openvino` or `nncf` as if their messenger were not installed.

    A process that has imported it before keeps it.
    """
    sys.modules.setdefault(MESSENGER, None)  # type: ignore[arg-type]  # an import of it fails
    return import_module(name)
