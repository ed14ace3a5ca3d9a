"""Frames and splits without a labelled pixel, and the figures of a network's heads."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from jsonschema import Draft202012Validator
from PIL import Image

import samantic
from samantic.ablation.results import Result, to_csv
from samantic.ablation.tables import Row
from samantic.cli import main
from samantic.data import PairedFolder
from samantic.measure.evaluation import evaluate_predictor
from samantic.measure.record import nulls, read_confusion
from samantic.metrics import confusion_matrix, scores
from samantic.scenes.write import write_scenes
from tests.measure.test_evaluation import SCHEMA

WriteConfig = Callable[..., Path]


def constants(text: str) -> Any:
    raise AssertionError(f"{text} in a JSON file")


def read_strictly(path: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads(path.read_text(), parse_constant=constants)
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(metrics)
    return metrics


def erase(root: Path, split: str, keep: int = 0) -> list[str]:
    """Take the labels of all but some frames of a split."""
    names = (root / f"{split}.txt").read_text().split()[keep:]
    for name in names:
        path = root / "labels" / f"{name}.png"
        with Image.open(path) as labels:
            size = labels.size
        Image.new("L", size, 255).save(path)
    return names


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    splits = {"train": range(2), "val": range(2, 3), "test": range(3, 6)}
    write_scenes(root, "mfnet", splits, seed=3, size=(48, 64))
    return root


def words(root: Path, *models: Path) -> list[str]:
    data = ["--data", str(root), "--layout", "mfnet", "--split", "test"]
    return ["evaluate", *map(str, models), *data]


def test_a_split_without_a_label_measures_nothing(
    trained: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    erase(scenes, "test")
    out = tmp_path / "out"
    assert main([*words(scenes, trained), "--robustness", "--out", str(out)]) == 0
    metrics = read_strictly(out / "metrics.json")
    figures = ("miou", "miou_interval", "miou_present", "macc", "f1", "pixel_accuracy", "ece")
    assert {metrics[key] for key in (*figures, "boundary_iou")} == {None}
    assert {part["miou"] for part in metrics["protocols"]} == {None}
    assert metrics["unlabelled"] == metrics["frames"] == 3
    told = capsys.readouterr().out
    assert "no pixel of 3 pairs of 3 has a label: these frames are not measured" in told
    assert " nan" not in told
    page = (out / "report.html").read_text()
    assert "No pixel of 3 of the 3 frames has a label" in page
    assert "nan %" not in page


def test_frames_without_a_label_count_nowhere(
    trained: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = erase(scenes, "test", keep=1)
    out = tmp_path / "out"
    assert main([*words(scenes, trained), "--out", str(out)]) == 0
    metrics = read_strictly(out / "metrics.json")
    assert metrics["unlabelled"] == 2
    assert metrics["miou"] == pytest.approx(metrics["miou_interval"][0])
    assert None in {part["miou"] for part in metrics["per_subset"].values()}
    assert "no pixel of 2 pairs of 3 has a label" in capsys.readouterr().out
    data = PairedFolder(scenes, "mfnet", "test")
    evaluation = evaluate_predictor(samantic.load(trained), data, pictures=0, extremes=3)
    assert not {frame.name for frame in evaluation.frames} & set(names), "no extreme"


def test_models_are_compared_on_a_split_without_a_label(
    trained: Path, scenes: Path, tmp_path: Path
) -> None:
    erase(scenes, "test")
    (tmp_path / "other").symlink_to(trained)
    out = tmp_path / "out"
    assert main([*words(scenes, trained, tmp_path / "other"), "--out", str(out)]) == 0
    comparison = json.loads((out / "comparison.json").read_text(), parse_constant=constants)
    assert comparison["differences"]["other"] == {"difference": None, "interval": None}


def test_a_training_ends_well_where_the_test_split_has_no_label(
    scenes: Path, write_config: WriteConfig
) -> None:
    erase(scenes, "test")
    path = write_config(scenes)
    assert main(["train", str(path)]) == 0
    run = path.parent / "run"
    assert read_strictly(run / "metrics.json")["miou"] is None
    assert "## Evaluation" not in (run / "model" / "README.md").read_text()


def test_nulls() -> None:
    nan = float("nan")
    value = {"a": nan, "b": [0.5, nan], "c": {"d": nan, "e": [[nan, 1.0], [1.0]]}, "f": "nan"}
    assert nulls(value) == {"a": None, "b": None, "c": {"d": None, "e": [None, [1.0]]}, "f": "nan"}


def test_tables_of_ablations_know_figures_that_are_not_there() -> None:
    metrics: dict[str, Any] = {"miou": None, "miou_interval": None, "miou_present": None}
    metrics |= {"macc": None, "f1": None, "robustness": None, "text_alignment": None}
    result = Result(Row("a", {}, {}), {0: metrics}, None)
    assert result.figure("miou") == "no label"
    assert to_csv([result]).splitlines()[1].startswith("a,0,,,,,,")


def test_all_heads_are_measured_from_one_pass(trained: Path, mfnet: Path) -> None:
    """Each as a model that answers with this head would be."""
    predictor, data = samantic.load(trained), PairedFolder(mfnet, "mfnet", "test")
    passes = []
    predictor.network.register_forward_hook(lambda *_: passes.append(1))
    evaluation = evaluate_predictor(predictor, data)
    assert len(passes) == len(data)
    heads = evaluation.by_head()
    assert heads is not None
    assert list(heads) == ["mask", "auxiliary", "mean"]
    for head, matrices in heads.items():
        expected = torch.zeros(9, 9, dtype=torch.int64)
        for sample in data:
            out = predictor.output(*sample.batch())
            assert sample.labels is not None
            labels = out.probabilities(head)[0].argmax(0)
            expected += confusion_matrix(labels, sample.labels, 9)
        assert torch.equal(matrices.sum(0), expected), head
    assert torch.equal(heads["mask"], evaluation.matrices)
    assert not torch.equal(heads["auxiliary"], heads["mask"])


def test_heads_are_blended_over_tiles_each_by_itself(trained: Path, mfnet: Path) -> None:
    predictor, sample = samantic.load(trained, tile=48), PairedFolder(mfnet, "mfnet", "test")[0]
    images = sample.batch()
    found = predictor.classify(*images, ("mask", "auxiliary", "mean"))
    for index, head in enumerate(("mask", "auxiliary", "mean")):
        alone = predictor.classify(*images, (head,))  # type: ignore[arg-type]
        assert torch.equal(alone.confidence[0], found.confidence[index])
        assert torch.equal(alone.labels[0], found.labels[index])
    assert not torch.equal(found.confidence[0], found.confidence[1])


def test_figures_of_the_heads(
    trained: Path, mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words(mfnet, trained), "--out", str(tmp_path / "out")]) == 0
    metrics = read_strictly(tmp_path / "out" / "metrics.json")
    assert list(metrics["heads"]) == ["mask", "auxiliary", "mean"]
    assert metrics["heads"]["mask"]["miou"] == metrics["miou"]
    told = capsys.readouterr().out
    for title, head in (("mask head", "mask"), ("mean of the two heads", "mean")):
        line = next(line for line in told.splitlines() if line.startswith(f"mIoU, {title} "))
        assert f"{100 * metrics['heads'][head]['miou']:.2f}" in line
    assert "mIoU by head" in (tmp_path / "out" / "report.html").read_text()
    matrices = read_confusion(tmp_path / "out" / "confusion.npz")[1]
    assert metrics["miou"] == pytest.approx(scores(matrices.sum(0)).miou)


def test_a_network_with_one_head_has_no_figures_of_heads(
    mfnet: Path, write_config: WriteConfig
) -> None:
    path = write_config(mfnet, model={"auxiliary": "none"}, train={"steps": 1, "validations": 1})
    assert main(["train", str(path)]) == 0
    metrics = read_strictly(path.parent / "run" / "metrics.json")
    assert metrics["heads"] is None
    assert not math.isnan(metrics["miou"])
