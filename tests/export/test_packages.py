"""What an export needs, what it says without it, and what it tells nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from samantic.cli import main
from samantic.export import job
from samantic.export.job import NEEDED

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.mark.parametrize(
    ("words", "missing", "extra"),
    [
        (["--format", "onnx"], "onnxscript", "onnx"),
        (["--format", "openvino"], "openvino", "openvino"),
        (["--format", "onnx", "--precision", "int8", "--data", "x", "--layout", "mfnet",
          "--split", "train"], "nncf", "openvino"),
    ],
)  # fmt: skip
def test_a_package_that_is_missing_is_named(
    words: list[str],
    missing: str,
    extra: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(job, "find_spec", lambda name: None if name == missing else find_spec(name))
    assert main(["export", "nano", *words]) == 2
    told = capsys.readouterr().err
    assert told == f"samantic: export: needs {missing}; pip install 'samantic[{extra}]'\n"


def test_the_extras_have_what_is_needed() -> None:
    extras = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    for form, needed in NEEDED.items():
        names = [line.split(">=")[0] for line in extras[form]]
        assert set(needed) <= set(names), form
    assert "nncf" in "".join(extras["openvino"])


PROGRAM = """
import json
import onnx
from onnx import TensorProto, helper
from openvino_telemetry.utils.sender import TelemetrySender
sent = []
TelemetrySender.send = lambda *words: sent.append(str(words))
from samantic.export.openvino_file import quantised, to_openvino
value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3])
node = helper.make_node("Relu", ["x"], ["y"])
graph = helper.make_graph([node], "g", [value("x")], [value("y")])
opset = [helper.make_opsetid("", 18)]
model = to_openvino(helper.make_model(graph, opset_imports=opset, ir_version=10))
import numpy as np
quantised(model, [{"x": np.ones((1, 3), np.float32)}])
print(json.dumps([model.inputs[0].any_name, sent]))
"""


def test_nothing_is_told_over_the_network(tmp_path: Path) -> None:
    """OpenVINO's converter and NNCF report each use to their makers unless they are kept from it."""
    outside = {name: value for name, value in os.environ.items() if "CI" not in name.split("_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=False,
        env=outside | {"HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == ["x", []]
