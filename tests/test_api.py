"""The public contract stands: names, signatures, keys and options are those of `api.txt`."""

from __future__ import annotations

import difflib
from importlib import import_module
from pathlib import Path

import pytest
from tools.api import listing
from tools.reference import MODULES, page, public_names

RECORD = Path(__file__).with_name("api.txt")
UPDATE = "python -m tools.api > tests/api.txt"


def test_the_contract_is_as_recorded() -> None:
    recorded, found = RECORD.read_text().splitlines(), listing().splitlines()
    changes = list(difflib.unified_diff(recorded, found, "recorded", "found", n=1, lineterm=""))
    cure = f"users depend on these names; where the change is meant, `{UPDATE}` records it"
    assert not changes, "\n".join([cure, *changes])


@pytest.mark.parametrize(
    ("module", "names"),
    {
        "samantic": "load Predictor Prediction InputError",
        "samantic.models": "SARTM QVLoRA FeatureRectification FeatureFusion MaskHead AuxiliaryHead",
        "samantic.metrics": "confusion_matrix iou",
        "samantic.data": "PairedFolder CATALOG",
    }.items(),
)
def test_what_is_promised_is_recorded(module: str, names: str) -> None:
    """The record cannot be regenerated without these."""
    assert set(names.split()) <= set(public_names(module))
    assert all(getattr(import_module(module), name) is not None for name in names.split())


def test_methods_that_a_parent_provides_are_promised_too() -> None:
    """What users call may stand in a class that the public one extends."""
    entry = RECORD.read_text().split("class Predictor(")[1].split("\nload(")[0]
    assert {"predict", "predict_batch"} <= {
        line.split("(")[0].strip() for line in entry.split("\n")
    }
    assert "### Predictor.predict\n" in page("samantic")


def test_every_module_of_the_contract_is_recorded() -> None:
    headings = [line[2:] for line in RECORD.read_text().splitlines() if line.startswith("# ")]
    assert headings == [*MODULES, "command line"]
