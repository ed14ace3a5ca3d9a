"""What an export needs, what it says without it, and what it tells nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import samantic
from samantic.cli import main
from samantic.export import job
from samantic.export.job import NEEDED
from samantic.measure.cost import cost_of, told_miou
from samantic.predict.model_folder import SHIPPED
from samantic.runtime.quiet import SWITCH

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


def test_a_method_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives the order that the command gives."""
    asked: list[Any] = []
    monkeypatch.setattr(job, "export", lambda *words: asked.append(words) or "proof")
    model = samantic.load("nano", device="cpu")
    assert model.export(tmp_path / "a", "openvino", "bf16", size=(64, 96), batch=2) == "proof"
    order = job.Order("openvino", "bf16", (64, 96), batch=2)
    assert asked == [(model, order, tmp_path / "a.xml")]
    with pytest.raises(samantic.InputError, match=r"a file for onnx ends in \.onnx"):
        model.export(tmp_path / "a.xml")


def test_a_file_says_what_it_costs_and_scores(exported: Path) -> None:
    made = samantic.load(exported).made  # type: ignore[attr-defined]  # of an exported file
    cost = cost_of(samantic.load("nano", device="cpu").deployed, (48, 64))
    assert (made["parameters"], made["operations"]) == (cost.parameters, cost.operations)
    assert made["miou"] == told_miou(SHIPPED / "nano")


MESSENGER = "from pathlib import Path; Path(__file__).with_name('asked').touch(); raise ImportError"

PROGRAM = """
import numpy as np
from onnx import TensorProto, helper
from samantic.export.openvino_file import quantised, to_openvino
x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in "xy")
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
opset = [helper.make_opsetid("", 18)]
model = to_openvino(helper.make_model(graph, opset_imports=opset, ir_version=10))
quantised(model, [{"x": np.ones((1, 3), np.float32)}])
"""


@pytest.mark.parametrize(("program", "asked"), [(PROGRAM, False), ("import openvino", True)])
def test_nothing_is_told_over_the_network(tmp_path: Path, program: str, asked: bool) -> None:
    """OpenVINO and NNCF report each use to their makers, unless their messenger is missing."""
    (tmp_path / "openvino_telemetry.py").write_text(MESSENGER)
    start = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    command = [sys.executable, "-c", start + program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "asked").exists() == asked


def test_onnx_runtime_tells_nothing(tmp_path: Path, exported: Path) -> None:
    """Where it reports its use, it keeps a file with the id of its session."""
    code = f"import samantic; samantic.load({str(exported)!r}).backend"
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    environment.pop(SWITCH, None)
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert list(tmp_path.iterdir()) == []


SIGNALLED = """
import os, signal, sys
import numpy as np
from onnx import TensorProto, helper
from samantic.export.openvino_file import quantised, to_openvino
from samantic.runtime.backends import OpenVino
from samantic.runtime.quiet import import_quietly

openvino = import_quietly("openvino")
x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in "xy")
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
opset = [helper.make_opsetid("", 18)]
model = to_openvino(helper.make_model(graph, opset_imports=opset, ir_version=10))
openvino.save_model(model, "m.xml")
signal.signal(signal.SIGUSR1, lambda *_: print("handled", flush=True))
first = OpenVino("m.xml", 1)
if sys.argv[1] == "files":
    second = OpenVino("m.xml", 1)
else:
    def measure(compiled, items):
        cores.append(openvino.Core().compile_model(model, "CPU"))
        if len(cores) > 1:
            del cores[0]
        return 0.0

    cores, one = [], {"x": np.ones((1, 3), np.float32)}
    quantised(model, [one], [(one, np.zeros(1))], measure, 0.5)
    cores.clear()
del first
os.kill(os.getpid(), signal.SIGUSR1)
"""


@pytest.mark.parametrize("use", ["files", "fewer bits"])
def test_a_signal_is_handled_after_openvino_was_used(tmp_path: Path, use: str) -> None:
    """The first file that is opened is the first that is freed."""
    command = [sys.executable, "-c", SIGNALLED, use]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("handled\n")
