"""The nouns that the documents use each name one thing in the code."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

SRC = Path(__file__).parents[1] / "src" / "samantic"

NOUNS = {
    "AdaptConfig",
    "Camera",
    "Fusion",
    "Layout",
    "ModelInfo",
    "PairedFolder",
    "Predictor",
    "Prediction",
    "Sample",
    "Section",
    "Sensor",
    "Split",
    "Teacher",
}


def test_a_noun_names_one_thing() -> None:
    defined = defaultdict(list)
    for path in SRC.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                defined[node.name].append(path.name)
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    defined[ast.unparse(target)].append(path.name)
    assert {noun: len(defined[noun]) for noun in NOUNS} == dict.fromkeys(NOUNS, 1)
