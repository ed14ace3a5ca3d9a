"""`samantic evaluate`: the same figures as after training, and beside what goes wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

import samantic
from samantic.cli import main
from samantic.data import PairedFolder
from samantic.errors import InputError
from samantic.measure.disturbances import SUITE
from samantic.measure.record import read_confusion
from samantic.metrics import confusion_matrix, scores


def test_evaluate_gives_the_same_number(trained: Path, mfnet: Path, tmp_path: Path) -> None:
    before = (trained / "metrics.json").read_bytes()
    words = ["evaluate", str(trained), "--data", str(mfnet), "--layout", "mfnet"]
    assert main([*words, "--split", "test", "--out", str(tmp_path / "again")]) == 0
    again = json.loads((tmp_path / "again" / "metrics.json").read_text())
    assert again["miou"] == pytest.approx(json.loads(before)["miou"], abs=1e-6)
    assert (trained / "metrics.json").read_bytes() == before


def test_evaluation_is_one_confusion_matrix(trained: Path, mfnet: Path) -> None:
    model = samantic.load(trained, device="cpu")
    data = PairedFolder(mfnet, "mfnet", "test")
    total = torch.zeros(9, 9, dtype=torch.int64)
    for index, files in enumerate(data.files):
        labels = data[index].labels
        assert labels is not None
        with torch.no_grad():
            sample = data[index]
            assert sample.rgb is not None
            assert sample.thermal is not None
            out = model.network(sample.rgb[None], sample.thermal[None])
        total += confusion_matrix(out.logits[0].argmax(0), labels, 9)
        assert files.name == data[index].name
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["miou"] == pytest.approx(scores(total).miou, abs=1e-9)


def test_default_output_of_evaluate(
    trained: Path,
    mfnet: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["evaluate", str(trained), "--data", str(mfnet), "--layout", "mfnet", "--split", "val"]
    assert main(words) == 0
    out = tmp_path / "runs" / "evaluate" / f"tiny-{mfnet.name}-val"
    assert (out / "report.html").exists()
    assert main(words) == 0, "the same may be measured again"
    other = Path(shutil.copytree(mfnet, tmp_path / "elsewhere" / mfnet.name))
    before = (out / "metrics.json").read_bytes()
    capsys.readouterr()
    assert main([*words[:3], str(other), *words[4:]]) == 2
    error = capsys.readouterr().err
    assert f"holds an evaluation made from other inputs (data {mfnet.resolve()}, now" in error
    assert (out / "metrics.json").read_bytes() == before
    assert main([*words, "--panorama"]) == 2
    assert "(panorama false, now true); give another --out" in capsys.readouterr().err
    assert main([*words[:-1], "../../x"]) == 2
    assert not (tmp_path / "x").exists()


def test_results_of_unknown_inputs_stay(
    trained: Path, mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "metrics.json").write_text("{}")
    words = ["--data", str(mfnet), "--layout", "mfnet", "--split", "val", "--out", str(tmp_path)]
    copy = shutil.copytree(trained, tmp_path / "copy")
    for models in ([trained], [trained, copy]):
        assert main(["evaluate", *map(str, models), *words]) == 2
        assert "holds metrics.json, and no inputs.json says what" in capsys.readouterr().err


def test_evaluation_without_a_modality(
    trained: Path, mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", str(trained), "--data", str(mfnet), "--layout", "mfnet", "--split", "test"]
    assert main([*words, "--robustness", "--out", str(tmp_path / "out")]) == 0
    assert "rgb missing" in capsys.readouterr().out
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    model, data = samantic.load(trained, device="cpu"), PairedFolder(mfnet, "mfnet", "test")
    total = torch.zeros(9, 9, dtype=torch.int64)
    for index in range(len(data)):
        sample = data[index]
        assert sample.thermal is not None
        assert sample.labels is not None
        with torch.no_grad():
            out = model.network(thermal=sample.thermal[None])
        total += confusion_matrix(out.logits[0].argmax(0), sample.labels, 9)
    assert metrics["robustness"]["rgb missing"]["miou"] == pytest.approx(scores(total).miou)
    assert list(metrics["robustness"]) == list(SUITE)
    names, matrices = read_confusion(tmp_path / "out" / "confusion.npz")
    assert names == [files.name for files in data.files]
    low, high = metrics["miou_interval"]
    assert scores(matrices.sum(0)).miou == metrics["miou"]
    assert low - 1e-9 <= metrics["miou"] <= high + 1e-9


def test_evaluation_does_not_overwrite_a_run(
    trained: Path, mfnet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (trained / "metrics.json").read_bytes()
    words = ["evaluate", str(trained), "--data", str(mfnet), "--layout", "mfnet", "--split", "val"]
    assert main([*words, "--out", str(trained)]) == 2
    assert "holds a run and its own metrics; give another --out" in capsys.readouterr().err
    assert (trained / "metrics.json").read_bytes() == before


def test_models_that_skip_different_pairs_are_not_paired(
    exported: Path, mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file takes images of one size; the difference of others' figures would say nothing."""
    root = tmp_path / "data"
    shutil.copytree(mfnet, root)
    name = (root / "test.txt").read_text().split()[0]
    for kind in ("images", "labels"):
        with Image.open(root / kind / f"{name}.png") as image:
            cut = image.crop((0, 0, 60, 40))
        cut.save(root / kind / f"{name}.png")
    data = ["--data", str(root), "--layout", "mfnet", "--split", "test", "--skip-bad"]
    words = ["evaluate", "nano", str(exported), *data, "--out", str(tmp_path / "o")]
    assert main(words) == 2
    told = f"nano and nano.onnx: differences need the same pairs, but nano.onnx skips {name}: "
    assert told in capsys.readouterr().err
    assert not (tmp_path / "o" / "comparison.json").exists()


def test_confusion_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_confusion(tmp_path / "confusion.npz")
