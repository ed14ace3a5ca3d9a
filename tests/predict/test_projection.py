"""Whether images are panoramas is known to the data card and the model; --panorama overrides."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import samantic
from samantic.cli import main
from samantic.data.cards.catalog import CATALOG
from samantic.files import read_json
from samantic.predict.info import read_info
from samantic.run.split import Split, settled


def changed(trained: Path, folder: Path, **values: Any) -> Path:
    """A copy of a model whose config.json says something else; None takes a key out."""
    shutil.copytree(trained / "model", folder)
    path = folder / "config.json"
    merged = json.loads(path.read_text()) | values
    path.write_text(json.dumps({k: v for k, v in merged.items() if v is not None}))
    return folder


def test_cards_know_their_projection() -> None:
    around = {name for name, card in CATALOG.items() if card.projection == "equirectangular"}
    assert around == {"densepass", "wildpass", "stanford2d3d"}
    assert [name for name, card in CATALOG.items() if card.projection is None] == ["pairs"]


def test_a_model_keeps_that_of_its_data(trained: Path) -> None:
    assert json.loads((trained / "model" / "config.json").read_text())["projection"]
    assert read_info(trained / "model").projection == "perspective"
    assert not samantic.load(trained).panorama
    assert samantic.load(trained, panorama=True).panorama


@pytest.mark.parametrize(
    ("dataset", "projection"), [("DensePASS", "equirectangular"), ("mine", "perspective")]
)
def test_models_of_older_versions_have_that_of_their_data_set(
    trained: Path, tmp_path: Path, dataset: str, projection: str
) -> None:
    model = changed(trained, tmp_path / "old", dataset=dataset, projection=None)
    assert read_info(model).projection == projection
    assert samantic.load(model).panorama == (projection == "equirectangular")


def test_what_is_no_projection_is_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = changed(trained, tmp_path / "odd", projection="fisheye")
    words = ["predict", str(model), "--rgb", str(tmp_path), "--out", str(tmp_path / "out")]
    (tmp_path / "a.png").write_bytes(b"")
    assert main(words) == 2
    assert "projection must be one of perspective, equirectangular" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "expected"), [([], True), (["--panorama"], True), (["--no-panorama"], False)]
)
def test_predict_takes_it_from_the_model(
    trained: Path, mfnet: Path, tmp_path: Path, flags: list[str], expected: bool
) -> None:
    """A forgotten --panorama gives no seam."""
    model = changed(trained, tmp_path / "around", projection="equirectangular")
    words = ["predict", str(model), "--rgbt", str(mfnet / "images"), "--out", str(tmp_path / "out")]
    assert main([*words, *flags]) == 0
    assert read_json(tmp_path / "out" / "summary.json")["panorama"] is expected


def test_evaluate_takes_it_from_the_data(
    trained: Path, mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = changed(trained, tmp_path / "around", projection="equirectangular")
    words = ["evaluate", str(model), "--data", str(mfnet), "--layout", "mfnet", "--split", "test"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    assert read_json(tmp_path / "out" / "metrics.json")["panorama"] is False
    lines = [line for line in capsys.readouterr().err.splitlines() if "equirectangular" in line]
    assert len(lines) == 1
    assert "perspective images, but the model learnt from equirectangular ones" in lines[0]
    assert main([*words, "--panorama", "--out", str(tmp_path / "asked")]) == 0
    assert read_json(tmp_path / "asked" / "metrics.json")["panorama"] is True
    assert "equirectangular" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("layout", "projection", "asked", "expected"),
    [
        ("densepass", "perspective", None, True),
        ("densepass", "perspective", False, False),
        ("mfnet", "equirectangular", None, False),
        ("pairs", "equirectangular", None, True),
        ("pairs", "perspective", None, False),
        ("pairs", "perspective", True, True),
    ],
)
def test_a_split_knows_it(
    trained: Path,
    tmp_path: Path,
    layout: Any,
    projection: str,
    asked: bool | None,
    expected: bool,
) -> None:
    """As asked, as the data card says, or else as the model learnt."""
    card = CATALOG[layout]
    names = list(card.classes or ("a", "b"))
    colours = [[i, i, i] for i in range(len(names))]
    terms: list[Any] = []
    model = changed(
        trained,
        tmp_path / "model",
        classes=names,
        palette=colours,
        terms=terms,
        projection=projection,
    )
    card = replace(card, classes=tuple(names))
    assert settled(Split(tmp_path, card, "test", panorama=asked), [model]).panorama is expected
