"""Class names that guide a training, and stay with its model."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

import samantic
from samantic.cli import main
from samantic.config.read import read_config
from samantic.data import CATALOG, PairedFolder
from samantic.learn.history import read_history, read_similarity
from samantic.scenes.write import write_scenes

WriteConfig = Callable[..., Path]


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """Vectors of seven of MFNet's class names; bump has none."""
    names = np.array(CATALOG["mfnet"].classes[1:-1])
    path = tmp_path / "vectors.npz"
    np.savez(path, names=names, embeddings=np.random.default_rng(0).normal(size=(7, 5)))
    return path


def alignment(run: Path, data: Path, text: np.ndarray) -> tuple[int, float]:
    """Pairs of classes, and the rank correlation of their cosines in text and in test frames.

    Features are gathered cell by cell; labels are those of the pixel in the middle of a cell.
    """
    model = samantic.load(run, device="cpu")
    cells: dict[int, list[np.ndarray]] = {}
    for sample in PairedFolder(data, "mfnet", "test"):  # type: ignore[attr-defined]
        features = model.output(*sample.batch()).features.semantic[0].numpy()
        height, width = sample.labels.shape
        for y, x in np.ndindex(*features.shape[1:]):
            if 16 * y + 8 < height and 16 * x + 8 < width:
                label = int(sample.labels[16 * y + 8, 16 * x + 8])
                cells.setdefault(label, []).append(features[:, y, x])
    means = {label: np.mean(found, axis=0) for label, found in cells.items() if label != 255}
    known = [label for label in sorted(means) if not np.isnan(text[label, label])]
    pairs = list(itertools.combinations(known, 2))
    seen = [
        means[i] @ means[j] / np.linalg.norm(means[i]) / np.linalg.norm(means[j]) for i, j in pairs
    ]
    return len(pairs), float(spearmanr(seen, [text[i, j] for i, j in pairs]).statistic)


def test_language_guides_a_run_and_stays_with_its_model(
    write_config: WriteConfig,
    vectors: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All distillation terms through the command: logged, drawn, stored, and not needed after."""
    data = tmp_path / "data"  # large enough for several classes to be in the middle of a cell
    splits = {"train": range(4), "val": range(4, 6), "test": range(6, 14)}
    write_scenes(data, "mfnet", splits, seed=3, size=(72, 112))
    path = write_config(
        data,
        model={"fusion": "figure"},
        text={"source": str(vectors)},
        loss={"language": 1.0, "prototype": 1.0, "cross_modal": 0.5},
        augment={"modality_dropout": 0.3},
        train={"validations": 4},
    )
    assert main(["train", str(path)]) == 0
    assert f"class names from {vectors}, without a vector: unlabelled, bump" in (
        capsys.readouterr().out
    )
    run = Path(read_config(path).out)
    history = read_history(run)
    logged = {key for row in history for key in row}
    assert {f"train/{term}" for term in ("language", "prototype", "cross_modal")} <= logged
    assert len([row for row in history if "val/alignment" in row]) == 4
    similarity = read_similarity(run / "similarity.npz")
    assert list(similarity) == ["text", "step_1", "step_2", "step_3", "step_4"]
    assert np.isnan(similarity["text"][8]).all()
    metrics = json.loads((run / "metrics.json").read_text())
    pairs, spearman = alignment(run, data, similarity["text"])
    assert pairs > 5
    assert metrics["text_alignment"]["pairs"] == pairs
    assert metrics["text_alignment"]["spearman"] == pytest.approx(spearman, abs=1e-3)
    assert (run / "report.html").read_text().count("<svg") == 4
    assert "bump (left out)" in (run / "model" / "README.md").read_text()
    vectors.unlink()  # what evaluation needs is in the model folder
    words = ["evaluate", str(run), "--data", str(data), "--layout", "mfnet", "--split", "test"]
    assert main([*words, "--out", str(tmp_path / "again")]) == 0
    again = json.loads((tmp_path / "again" / "metrics.json").read_text())
    assert again["text_alignment"] == metrics["text_alignment"]


def test_models_from_before_language_load(trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(trained / "model", folder)
    values = json.loads((folder / "config.json").read_text())
    del values["language"], values["terms"]
    (folder / "config.json").write_text(json.dumps(values))
    info = samantic.load(folder, device="cpu").info
    assert (info.language, info.terms) == (None, ())
