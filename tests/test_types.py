"""A type checker sees the types of the package in a user's script, and the mistakes in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SCRIPT = """
import numpy as np
import samantic

model = samantic.load("nano", thermal_scaling=(28000, 31500), threshold={"person": 0.6})
reveal_type(model)
found = model("rgb.png", np.zeros((480, 640), np.uint8))
reveal_type(found)
reveal_type(model(["a.png"], ["b.png"]))
reveal_type(found.labels)
reveal_type(found.probabilities)
part = found.instances(["person"])[0]
reveal_type(part.box)
reveal_type(part.thermal)
reveal_type(found.contours("person"))
reveal_type(model.classes)
reveal_type(model.predict_batch([("a.png", None)]))
found.lables
model.predict(rgb=3)
model("a.png", channels="bgrr")
samantic.load("nano", tile="large")
"""

TYPES = [
    "Predictor",
    "Prediction",
    "list[Prediction]",
    "ndarray[tuple[Any, ...], dtype[unsignedinteger[_8Bit]]]",
    "ndarray[tuple[Any, ...], dtype[floating[_32Bit]]]",
    "tuple[int, int, int, int]",
    "float | None",
    "list[ndarray[tuple[Any, ...], dtype[signedinteger[_32Bit]]]]",
    "tuple[str, ...]",
    "list[Prediction]",
]

TORCH = """
from typing import Any
class Tensor: ...
def __getattr__(name: str) -> Any: ...
"""

SETTINGS = """
[mypy]
strict = True
[mypy-samantic.*]
ignore_errors = True
[mypy-torch.*,transformers.*,lightning.*,torchmetrics.*,kornia.*,scipy.*]
follow_imports = skip
[mypy-torch]
follow_imports = normal
"""
"""Of torch only the type that signatures name is read: all of it takes half a minute."""


@pytest.mark.slow
def test_mypy_sees_the_types_in_a_script(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text(SCRIPT)
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.pyi").write_text(TORCH)
    (tmp_path / "mypy.ini").write_text(SETTINGS)
    command = [sys.executable, "-m", "mypy", "--no-error-summary", script.name]
    environment = os.environ | {"MYPYPATH": f".{os.pathsep}{ROOT / 'src'}"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    lines = [re.sub(r"\b(?:[a-z_]\w*\.)+(?=\w)", "", line) for line in done.stdout.splitlines()]
    assert [re.findall(r'type is "(.*)"', line)[0] for line in lines if "Revealed" in line] == TYPES
    errors = [line for line in lines if ": error: " in line]
    wrong = ["lables", '"int"', "overload", '"str"']
    assert len(errors) == len(wrong), done.stdout
    assert all(word in line for word, line in zip(wrong, errors, strict=False)), errors
