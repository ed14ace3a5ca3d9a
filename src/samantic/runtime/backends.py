"""Backends that run an exported file: ONNX Runtime or OpenVINO, on the CPU."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from samantic.errors import InputError
from samantic.predict.info import EXPORTED
from samantic.runtime.quiet import import_quietly, openvino_core

Arrays = Mapping[str, NDArray[Any]]

METADATA = "samantic"
"""Key of the metadata of a file that describes its model, as JSON."""

HINTS = {"bf16": "bf16", "fp32": "f32", "fp16": "f32", "int8": "f32"}
"""Precision in which OpenVINO computes a file; without it, OpenVINO would choose."""

QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Files with the CPU time of a container: microseconds of a period (or `max`), and the period."""


class Backend(Protocol):
    """An opened file, ready to run.

    Attributes:
        metadata: The file's description of its model.
        inputs: Shape and type of each input; the first axis is the number of pairs, -1 for any.
    """

    metadata: str
    inputs: dict[str, tuple[tuple[int, ...], np.dtype[Any]]]

    def run(self, given: Arrays, wanted: Sequence[str]) -> list[NDArray[Any]]:
        """Compute outputs by name."""
        ...


def thread_count() -> int:
    """Number of threads: OMP_NUM_THREADS, or the CPUs that this process may use.

    In a container, its share of the host's CPUs counts.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota, _, period = QUOTA.read_text().partition(" ") if QUOTA.is_file() else ("max", "", "")
    if quota != "max":
        allowed = min(allowed or 1, math.ceil(int(quota) / int(period)))
    return max(1, allowed or 1)


def open_backend(path: Path, threads: int | None = None) -> Backend:
    """Open an exported file.

    Args:
        path: NAME.onnx, or NAME.xml with NAME.bin beside it.
        threads: Number of threads; None means `thread_count`.

    Raises:
        InputError: There is no such file, it is broken, or its backend is not installed.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; export a model with `samantic export`")
    kind = EXPORTED.get(path.suffix, "")
    if not kind:
        raise InputError(f"{path}: not an exported file; give one that ends in .onnx or .xml")
    package = {"onnx": "onnxruntime", "openvino": "openvino"}[kind]
    threads = threads or thread_count()
    try:
        return OnnxRuntime(path, threads) if kind == "onnx" else OpenVino(path, threads)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != package:
            raise
        raise InputError(f"{path}: needs {package}; pip install samantic[{kind}]") from None
    except (RuntimeError, ValueError, OSError) as error:
        raise InputError(f"{path}: not readable ({' '.join(str(error).split())[:120]})") from None


class OnnxRuntime:
    """An ONNX file in ONNX Runtime.

    Raises:
        RuntimeError: The file is broken.
    """

    def __init__(self, path: Path, threads: int) -> None:
        onnxruntime = import_quietly("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self.session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the only common base of ONNX Runtime's own classes
            raise RuntimeError(str(error)) from None
        self.metadata = self.session.get_modelmeta().custom_metadata_map.get(METADATA, "")
        kinds = {"tensor(uint8)": "u1", "tensor(uint16)": "u2", "tensor(bool)": "?"}
        self.inputs = {
            one.name: (
                tuple(side if isinstance(side, int) else -1 for side in one.shape),
                np.dtype(kinds.get(one.type, "f4")),
            )
            for one in self.session.get_inputs()
        }

    def run(self, given: Arrays, wanted: Sequence[str]) -> list[NDArray[Any]]:
        found: list[NDArray[Any]] = self.session.run(list(wanted), dict(given))
        return found


class OpenVino:
    """An OpenVINO file, computed in the precision that it was exported for.

    Raises:
        RuntimeError: The file is broken.
    """

    def __init__(self, path: Path, threads: int) -> None:
        core = openvino_core()
        model = core.read_model(path)
        has = model.has_rt_info([METADATA])
        self.metadata = str(model.get_rt_info([METADATA]).astype(str)) if has else ""
        precision = model.get_rt_info(["precision"]).astype(str) if has else "fp32"
        config = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": HINTS.get(precision, "f32"),
            "PERFORMANCE_HINT": "LATENCY",
        }
        self.request = core.compile_model(model, "CPU", config).create_infer_request()
        self.inputs = {
            one.any_name: (
                tuple(side.get_length() if side.is_static else -1 for side in one.partial_shape),
                np.dtype(one.element_type.to_dtype()),
            )
            for one in model.inputs
        }

    def run(self, given: Arrays, wanted: Sequence[str]) -> list[NDArray[Any]]:
        self.request.infer(dict(given))
        return [np.array(self.request.get_tensor(name).data) for name in wanted]
