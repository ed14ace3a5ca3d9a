"""An ONNX model as an OpenVINO one, with fewer bits where that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samantic.runtime.quiet import import_quietly, keep_signal_stack, openvino_core

Inputs = dict[str, NDArray[Any]]


def to_openvino(onnx_model: Any) -> Any:
    """The `openvino.Model` of an ONNX model."""
    return openvino_core().read_model(onnx_model.SerializeToString())


def quantised(
    model: Any,
    calibration: list[Inputs],
    check: list[tuple[Inputs, NDArray[np.int64]]] | None = None,
    measure: Callable[[Any, Any], float] | None = None,
    most_drop: float | None = None,
) -> Any:
    """A model whose convolutions and products compute with 8 bits.

    Args:
        model: An OpenVINO or ONNX model.
        calibration: Inputs of one pair each, by which the ranges of values are chosen.
        check: Inputs and labels by which a drop is measured.
        measure: The figure of a compiled model on some of these, the more the better.
        most_drop: By how much it may fall; layers keep higher precision until it holds. None lets
            all layers have 8 bits.
    """
    nncf = import_quietly("nncf")
    nncf.set_log_level("ERROR")
    data = nncf.Dataset(calibration)
    options = {"preset": nncf.QuantizationPreset.MIXED, "subset_size": len(calibration)}
    with keep_signal_stack():
        if most_drop is None:
            return nncf.quantize(model, data, **options)
        return nncf.quantize_with_accuracy_control(
            model,
            data,
            nncf.Dataset(check, lambda item: item[0]),
            validation_fn=measure,
            max_drop=most_drop,
            **options,
        )
