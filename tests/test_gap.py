"""The script that says where a model loses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from samantic.data import PairedFolder
from samantic.measure.evaluation import evaluate_predictor
from samantic.metrics import scores
from samantic.predict.model_folder import load_model
from samantic.predict.predictor import Predictor
from tests.helpers import import_script

SCRIPT = Path(__file__).parents[1] / "training" / "gap.py"


@pytest.fixture
def gap(monkeypatch: pytest.MonkeyPatch) -> Any:
    return import_script(monkeypatch, SCRIPT)


def test_a_map_at_a_stride_holds_the_means_of_its_cells(gap: Any) -> None:
    maps = torch.randn(2, 3, 12, 16)
    cells = maps.numpy().reshape(2, 3, 3, 4, 4, 4).mean((3, 5))
    places = (np.arange(16) + 0.5) / 4 - 0.5
    rows = np.clip(places[:12], 0, 2)
    expected = np.zeros((2, 3, 12, 16))
    for y, at_y in enumerate(rows):
        for x, at_x in enumerate(np.clip(places, 0, 3)):
            for row in range(3):
                for column in range(4):
                    weight = max(0, 1 - abs(at_y - row)) * max(0, 1 - abs(at_x - column))
                    expected[:, :, y, x] += weight * cells[:, :, row, column]
    np.testing.assert_allclose(gap.at_stride(maps, 4).numpy(), expected, atol=1e-5)
    assert torch.equal(gap.at_stride(maps, 1), maps)
    assert gap.at_stride(torch.ones(1, 1, 13, 17), 8).eq(1).all()  # as large as it was


def test_labels_lose_what_is_smaller_than_a_cell(gap: Any) -> None:
    labels = torch.zeros(1, 32, 32, dtype=torch.long)
    labels[:, :, 16:] = 1
    labels[:, 5, 5] = 2  # a pixel
    labels[:, 20:, :4] = 255
    answers = dict(gap.of_labels(labels, 3, [1, 8]))
    assert torch.equal(
        answers["labels at stride 1"].argmax(1)[labels != 255], labels[labels != 255]
    )
    assert set(answers["labels at stride 8"].argmax(1).unique().tolist()) == {0, 1}


@pytest.mark.slow
def test_the_table_of_a_model(
    gap: Any,
    trained: Path,
    mfnet: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its own row is what is evaluated, and an image in its own size the same again."""
    words = [trained, "--data", mfnet, "--split", "val", "--strides", 1, 16, "--sizes", 48]
    monkeypatch.setattr("sys.argv", ["gap.py", *map(str, words)])
    gap.main()
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if "| " in line]
    told = {row[0].removeprefix("| ").split(", ")[-1]: row[1:] for row in rows[1:]}
    data = PairedFolder(mfnet, "mfnet", "val")
    whole = evaluate_predictor(Predictor(*load_model(trained), "cpu"), data)
    miou = f"{100 * scores(whole.matrix).miou:.2f}"
    assert told["labels at stride 1"][0] == f"{100 * len(present(whole.matrix)) / 9:.2f}"
    assert told["itself"][0] == told["logits at stride 1"][0] == told["short side 48"][0] == miou
    assert told["short side 48"][1] == "+0.00 (+0.00 to +0.00)"
    assert {"head mask", "head auxiliary", "head mean", "logits at stride 16"} <= told.keys()


def present(matrix: torch.Tensor) -> list[int]:
    """The classes that occur in the truth."""
    return matrix.sum(1).nonzero()[:, 0].tolist()
