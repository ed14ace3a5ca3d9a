"""Pairs of one's own may be panoramas: said in the configuration, stored with the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from samantic.cli import main
from samantic.config import DataConfig
from samantic.data.cards.catalog import dataset_spec
from samantic.errors import InputError
from samantic.scenes.write import write_scenes

NAMES = [*"abcdefghi"]


@pytest.mark.parametrize(
    ("given", "projection"),
    [({}, None), ({"panorama": True}, "equirectangular"), ({"panorama": False}, "perspective")],
)
def test_pairs_say_what_they_are(given: dict[str, bool], projection: str | None) -> None:
    data = DataConfig("x", "pairs", classes=["a", "b"], **given)
    assert dataset_spec(data).projection == projection


def test_other_layouts_have_their_own() -> None:
    assert dataset_spec(DataConfig("x", "densepass", panorama=True)).projection == "equirectangular"
    with pytest.raises(InputError, match=r"data.panorama: images of layout mfnet are perspective"):
        dataset_spec(DataConfig("x", "mfnet", panorama=True))


def test_a_model_remembers_that_it_learnt_from_panoramas(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    root = tmp_path / "own"
    splits = {"train": range(4), "val": range(4, 6), "test": range(6, 8)}
    write_scenes(root, "pairs", splits, seed=2, size=(64, 96))
    data = {"root": str(root), "layout": "pairs", "classes": NAMES, "workers": 0, "panorama": True}
    config = write_config(root, data=data, train={"steps": 1, "validations": 1})
    assert main(["train", str(config)]) == 0
    stored = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert stored["projection"] == "equirectangular"
