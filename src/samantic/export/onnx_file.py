"""A module as an ONNX file."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from typing import Any

import torch

from samantic.export.module import Exported, ThermalType
from samantic.runtime.exported import OUTPUTS

OPSET = 18


def to_onnx(module: Exported, batch: int | None, thermal_type: ThermalType) -> Any:
    """Trace a module into an ONNX model.

    Args:
        module: The module, in evaluation mode.
        batch: Number of pairs in a batch; None for any number.
        thermal_type: Type of its thermal input.

    Returns:
        The `onnx.ModelProto`.
    """
    free = torch.export.Dim("pairs", min=1, max=1024)
    dynamic = (tuple({0: free} for _ in module.names),) if batch is None else None
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # torch.export warns about its own code
        program = torch.onnx.export(
            module,
            module.examples(batch or 2),
            dynamo=True,
            opset_version=OPSET,
            external_data=False,
            input_names=list(module.names),
            output_names=list(OUTPUTS),
            dynamic_shapes=dynamic,
            verbose=False,
        )
    assert program is not None  # noqa: S101  # torch returns it if no file name is given
    model = program.model_proto
    if thermal_type == "uint16" and "thermal" in module.names:
        _take_uint16(model)
    return model


def _take_uint16(model: Any) -> None:
    """Change the input `thermal`, traced as int32, to uint16, with a cast before its first use."""
    from onnx import TensorProto, helper

    traced = "thermal_int32"
    for node in model.graph.node:
        node.input[:] = [traced if name == "thermal" else name for name in node.input]
    wide = TensorProto.INT32
    model.graph.node.insert(0, helper.make_node("Cast", ["thermal"], [traced], to=wide))
    given = next(one for one in model.graph.input if one.name == "thermal")
    given.type.tensor_type.elem_type = TensorProto.UINT16


def half(model: Any) -> Any:
    """Convert an ONNX model's weights and maps to 16 bits; inputs and outputs keep their types.

    Layer norms, resizing and the scaling of thermal values keep 32 bits or more, which they need.
    """
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    kept = [*DEFAULT_OP_BLOCK_LIST, "LayerNormalization", "Softmax", "ReduceMax", "ArgMax"]
    return convert_float_to_float16(model, keep_io_types=True, op_block_list=kept)
