"""Configurations made in Python are judged where they are made, as those of YAML are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from samantic.cli import main
from samantic.config import AdaptConfig, Config, DataConfig, DistillConfig, StudentConfig
from samantic.config.distill import TeacherConfig
from samantic.config.read import read_config, read_distill_config, to_yaml
from samantic.errors import InputError


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"thermal_scaling": "centi:0,40"}, "data.thermal_scaling: thermal scaling 'centi:0,40'"),
        ({"thermal_scaling": "40,0"}, "data.thermal_scaling: thermal scaling '40,0'"),
        ({"rig": [[1.0, 2.0], [3.0, 4.0]]}, "data.rig: needs thermal_to_rgb, a 3x3"),
        (
            {"rig": [[1, 0, float("inf")], [0, 1, 0], [0, 0, 1]]},
            "data.rig is .*a matrix of numbers",
        ),
        ({"rig": [[1, 2, 3], [2, 4, 6]]}, "data.rig: thermal_to_rgb is singular"),
        ({"rig": " "}, "data.rig is empty"),
        ({"classes": ["car", ""]}, "data.classes: the name of class 1 is empty"),
        ({"classes": ["car", "Car"]}, "data.classes: .* differ in letter case only"),
        (
            {"layout": "pairs", "classes": ["a", "b"], "colors": ["#000000"]},
            "data.colors: 1 colours for 2 classes",
        ),
        ({"layout": "pairs", "colors": ["#000000", "red"]}, "data.colors: 'red' is not a colour"),
        (
            {"layout": "pairs", "colors": ["#000000", "#000000"]},
            "data.colors: #000000 is the colour of class 0",
        ),
        ({"root": ""}, "data.root is empty"),
    ],
)
def test_data_is_judged_where_it_is_made(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DataConfig(**{"root": "x", **given})


@pytest.mark.parametrize(
    "given",
    [
        {"thermal_scaling": text}
        for text in ("dataset", "teacher", "frame", "inverted:counts:1,9", "flir-planck:0,40")
    ]
    + [{"rig": "resize"}, {"rig": [[2, 0, 1], [0, 2, 1]]}, {"classes": ["a", "b"]}],
)
def test_what_fits_is_taken(given: dict[str, Any]) -> None:
    DataConfig("x", **given)


def test_a_distillation_has_one_set_of_defaults(tmp_path: Path) -> None:
    made = DistillConfig("out", DataConfig("x"), TeacherConfig("nano"))
    path = tmp_path / "d.yaml"
    path.write_text(
        yaml.safe_dump({"out": "out", "data": {"root": "x"}, "teacher": {"model": "nano"}})
    )
    assert read_distill_config(path) == made
    assert (made.data.val, made.data.test, made.data.thermal_scaling) == (None, None, "teacher")
    path.write_text(to_yaml(made))
    assert read_distill_config(path) == made
    kept = DataConfig("x", val="val", test="test", thermal_scaling="8-bit")
    assert DistillConfig("out", kept, TeacherConfig("nano")).data == kept


def test_options_of_adaptation_without_a_method_take_the_networks(tmp_path: Path) -> None:
    made = Config("out", DataConfig("x"), StudentConfig(), AdaptConfig(rank=4))
    assert made.adapt == AdaptConfig("full", rank=4)
    path = tmp_path / "t.yaml"
    values = {
        "out": "out",
        "data": {"root": "x"},
        "model": {"network": "student"},
        "adapt": {"rank": 4},
    }
    path.write_text(yaml.safe_dump(values))
    assert read_config(path) == made
    path.write_text(to_yaml(made))
    assert read_config(path) == made
    assert Config("out", DataConfig("x"), adapt=AdaptConfig(rank=4)).adapt.method == "lora"
    with pytest.raises(InputError, match=r"adapt\.method lora does not fit"):
        Config("out", DataConfig("x"), StudentConfig(), AdaptConfig("lora"))


@pytest.mark.parametrize(
    "words",
    [
        ["demo", "--out", ""],
        ["predict", "nano", "--rgb", "x", "--out", " "],
        ["check", "--data", "x", "--layout", "pairs", "--out="],
        ["convert", "x", "--out", ""],
        ["calibrate", "--from", "x", "--out", ""],
        ["synthesize", "--layout", "pairs", "--out", ""],
        ["benchmark", "nano", "--out", ""],
        ["evaluate", "nano", "--data", "", "--layout", "pairs", "--split", "all"],
    ],
)
def test_an_empty_path_is_none(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert "is no path; give one, or leave the option out" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_empty_run_folder_is_none() -> None:
    with pytest.raises(InputError, match="out is empty; give the run folder"):
        Config("", DataConfig("x"))
    with pytest.raises(InputError, match="out is empty; give the run folder"):
        DistillConfig("", DataConfig("x"), TeacherConfig("nano"))
