"""A row in the table of sensors leaves the networks of two sensors and their training as they are.

The table is read when modules are imported, so that this needs a process of its own.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

ROW = """
from samantic.data.sensors import SENSORS, Sensor
SENSORS["depth"] = Sensor("depth", "depth", 1, {})
"""

ANSWERS = """
import torch
import samantic
from samantic.config import AdaptConfig, LossConfig, SartmConfig
from samantic.data.augment import modality_dropout
from samantic.data.sensors import presence
from samantic.learn.class_terms import ClassTerms
from samantic.models.build import build

torch.manual_seed(0)
images = torch.rand(4, 3, 32, 40), torch.rand(4, 1, 32, 40)
both = torch.tensor([presence(["rgb", "thermal"])]).repeat(4, 1)
present = modality_dropout(both, 0.4)
print(present[:, :2].tolist())
full, terms = AdaptConfig("full"), ClassTerms(LossConfig(cross_modal=1.0), 3, 8, None)
late, paper = (
    build(SartmConfig("random-micro", fusion), full, 3).eval() for fusion in ("late", "paper")
)
for network in (samantic.load("nano", device="cpu").network, late, paper):
    print(network(*images, present).logits.sum().item())
out = late(*images, both, single_modality=True)
print(terms(out, torch.zeros(4, 32, 40, dtype=torch.long), both)["cross_modal"].item())
"""


def test_networks_of_two_sensors_do_not_see_a_third_row(capsys: pytest.CaptureFixture[str]) -> None:
    exec(ANSWERS, {})  # noqa: S102  # here the table has two rows
    two = capsys.readouterr().out
    assert len(two.splitlines()) == 5
    three = subprocess.run(
        [sys.executable, "-c", ROW + ANSWERS], check=True, capture_output=True, text=True
    )
    assert three.stdout == two
