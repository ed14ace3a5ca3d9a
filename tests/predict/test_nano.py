"""The models that ship: nano, a student, and sartm-nano, SARTM on sam-nano."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import samantic
from samantic.cli import main
from samantic.data import CATALOG, PairedFolder
from samantic.measure.evaluation import evaluate_predictor
from samantic.metrics import scores
from samantic.models.students import two_stream
from samantic.predict.model_folder import (
    CARD,
    SHIPPED,
    WEIGHTS,
    find_model,
    load_model,
    read_text_vectors,
)
from samantic.scenes.write import write_scenes

NANO = SHIPPED / "nano"


def test_it_is_small_and_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of one's own of the same name goes before it."""
    assert find_model("nano") == NANO
    assert (NANO / WEIGHTS).stat().st_size < 16e6
    monkeypatch.delattr(two_stream, "imagenet_weights")  # it needs no other weights
    _, info = load_model("nano")
    assert info.classes == CATALOG["mfnet"].classes
    monkeypatch.chdir(tmp_path)
    assert find_model("nano") == NANO
    (tmp_path / "nano").mkdir()
    for file in NANO.iterdir():
        (tmp_path / "nano" / file.name).symlink_to(file)
    assert find_model("nano") == Path("nano")


def test_sartm_nano_holds_what_its_base_does_not() -> None:
    assert (SHIPPED / "sartm-nano" / WEIGHTS).stat().st_size < 4e6
    network, info = load_model("sartm-nano")
    assert (info.model.network, info.model.base, info.adapt.method) == ("sartm", "sam-nano", "lora")
    updates = [p for name, p in network.named_parameters() if name.endswith(("b_q", "b_v"))]
    assert updates
    assert all(p.any() for p in updates)
    text = read_text_vectors(find_model("sartm-nano"), info)
    assert text is not None
    assert len(text.vectors) == len(info.classes)


@pytest.mark.parametrize("name", ["nano", "sartm-nano"])
def test_it_finds_what_is_warm(tmp_path: Path, name: str) -> None:
    """The command on generated scenes: more people where there are some than elsewhere."""
    words = ["--out", str(tmp_path / "data"), "--count", "10", "--seed", "3", "--size", "240x320"]
    assert main(["synthesize", "--layout", "mfnet", *words]) == 0
    files = ["--rgbt", str(tmp_path / "data" / "images"), "--out", str(tmp_path / "out")]
    assert main(["predict", name, *files]) == 0
    data = PairedFolder(tmp_path / "data", "mfnet", "train")
    model = samantic.load(name, device="cpu")
    inside, outside = [], []
    for sample in data:  # type: ignore[attr-defined]  # a Dataset with a length is iterable
        labels = model.classify(*sample.batch()).labels[0, 0]
        person = labels == 2
        truth = sample.labels == 2
        inside += person[truth].tolist()
        outside += person[~truth].tolist()
    assert np.mean(inside) > 5 * np.mean(outside)


@pytest.mark.parametrize("name", ["nano", "sartm-nano"])
def test_a_row_and_a_column_less_change_little(tmp_path: Path, name: str) -> None:
    """Most of what it finds, it finds in images of 239x319 pixels, which no stride divides."""
    write_scenes(tmp_path, "mfnet", {"test": range(3)}, seed=3, size=(240, 320))
    model = samantic.load(name, device="cpu")
    alike, total = 0, 0
    for sample in PairedFolder(tmp_path, "mfnet", "test"):  # type: ignore[attr-defined]
        rgb, thermal = sample.batch()
        whole = model.classify(rgb, thermal).labels[0, 0]
        less = model.classify(rgb[..., :239, :319], thermal[..., :239, :319]).labels[0, 0]
        found = whole[:239, :319] > 0
        alike += int((less == whole[:239, :319])[found].sum())
        total += int(found.sum())
    assert alike > 0.9 * total


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["nano", "sartm-nano"])
def test_the_card_tells_the_truth(realdata: Path, name: str) -> None:
    """Its figure on the 40 test frames, within what rounding changes."""
    data = PairedFolder(realdata / "mfnet_mini", "mfnet", "test")
    evaluation = evaluate_predictor(samantic.load(name, device="cpu"), data)
    miou = float(scores(evaluation.matrices.sum(0)).miou)
    told = re.search(r"^\| (0\.\d{4}) \(", (SHIPPED / name / CARD).read_text(), re.MULTILINE)
    assert told is not None
    assert miou == pytest.approx(float(told[1]), abs=1e-3)
    assert miou > 0.25


@pytest.mark.parametrize("name", ["nano", "nano-small", "sartm-nano"])
def test_it_knows_how_sure_it_is_of_its_own_kind(name: str) -> None:
    _, info = load_model(name)
    assert info.confidence is not None
    low, high = info.confidence
    assert 0.9 < low < high < 1
    card = (SHIPPED / name / CARD).read_text()
    assert f"between {low:.3f} and {high:.3f}" in card
