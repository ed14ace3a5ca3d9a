"""Convert an ONNX model to OpenVINO, quantised on request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samantic.runtime.quiet import import_quietly, keep_signal_stack, openvino_core

Inputs = dict[str, NDArray[Any]]


def to_openvino(onnx_model: Any) -> Any:
    """Convert an ONNX model to an `openvino.Model`."""
    return openvino_core().read_model(onnx_model.SerializeToString())


def quantised(
    model: Any,
    calibration: list[Inputs],
    check: list[tuple[Inputs, NDArray[np.int64]]] | None = None,
    measure: Callable[[Any, Any], float] | None = None,
    most_drop: float | None = None,
) -> Any:
    """Quantise the convolutions and matrix products of a model to 8 bits.

    Args:
        model: An OpenVINO or ONNX model.
        calibration: Inputs of one pair each, from which the ranges of values are estimated.
        check: Inputs and labels on which the drop is measured.
        measure: Returns a metric of a compiled model on some of `check`; larger is better.
        most_drop: Largest allowed drop of the metric; layers keep a higher precision until it
            holds. None quantises all layers.
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
