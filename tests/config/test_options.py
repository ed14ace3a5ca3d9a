"""Every number of a configuration has bounds, which Python, YAML and the command line keep."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import yaml

from samantic.cli import main
from samantic.config import (
    AdaptConfig,
    AugmentConfig,
    Config,
    DataConfig,
    SartmConfig,
    StudentConfig,
    TextConfig,
    TrainConfig,
)
from samantic.config.distill import DistillConfig, MasksConfig, TeacherConfig, ViewConfig
from samantic.config.options import RANGES, arms, hints
from samantic.config.read import read_config, read_distill_config, to_yaml
from samantic.config.values import config_keys, section
from samantic.errors import InputError

RUNS: dict[Any, tuple[Any, dict[str, Any]]] = {
    Config: (read_config, {"out": "x", "data": {"root": "d"}}),
    DistillConfig: (
        read_distill_config,
        {"out": "x", "data": {"root": "d"}, "teacher": {"model": "t"}},
    ),
}


def has_numbers(hint: Any) -> bool:
    return hint in (int, float) or any(map(has_numbers, get_args(hint)))


NUMERIC = [
    (kind, key, hint)
    for kind in RUNS
    for key, hint in config_keys(kind).items()
    if has_numbers(hint)
]


def test_every_number_has_bounds() -> None:
    """Whoever adds a key adds its bounds to `RANGES`."""
    keys = {key for _, key, _ in NUMERIC}
    assert keys - RANGES.keys() == set()
    assert RANGES.keys() - keys == set()
    for bounds in RANGES.values():
        assert math.isfinite(bounds.low)
        assert bounds.low < bounds.high < 1e12


def test_every_section_is_checked() -> None:
    """The key in a message is the one in the file."""
    for kind in RUNS:
        for name, hint in hints(kind).items():
            for arm in arms(hint):  # a network's options are told their section
                inside = section(arm, {"base": "x"}, name) if "network" in hints(arm) else arm
                assert inside.section == name


def written(hint: Any, number: float) -> Any:
    """A value of a type, all of whose numbers are this one."""
    text = str(hint)
    if "list[list[float]]" in text:
        return [[number, 0, 0], [0, 1, 0]]
    return [number, number] if text.startswith(("tuple", "typing.Optional[tuple")) else number


def cases() -> list[Any]:
    found = []
    for kind, key, hint in NUMERIC:
        low, high, above = RANGES[key]
        whole = "int" in str(hint)
        step = 1 if whole else 1e-6
        cast = int if whole else float
        inside = [low + step if above else low, high]
        outside = [low if above else low - step, high + max(step, high * 1e-6), -math.inf]
        outside += [math.inf, math.nan, 10**30]
        found += [(kind, key, hint, cast(number), True) for number in inside]
        found += [
            (kind, key, hint, cast(number) if math.isfinite(number) else number, False)
            for number in outside
        ]
    return found


@pytest.mark.parametrize(("kind", "key", "hint", "number", "fits"), cases())
def test_bounds(tmp_path: Path, kind: Any, key: str, hint: Any, number: float, fits: bool) -> None:
    read, base = RUNS[kind]
    path = tmp_path / "config.yaml"
    values = yaml.safe_load(yaml.safe_dump(base))
    section, _, name = key.rpartition(".")
    part = values.setdefault(section, {}) if section else values
    part[name] = written(hint, number)
    if key == "augment.scale" and kind is DistillConfig:
        part["crop"] = [32, 32]
    if key in ("loss.language", "loss.prototype"):
        values["text"] = {"source": "x.npz"}
    path.write_text(yaml.safe_dump(values))
    text = str(part[name]).replace("inf", ".inf").replace("nan", ".nan")  # as YAML has them
    if fits:
        read(path)
        return
    part.pop(name)
    plain = tmp_path / "plain.yaml"
    if key == "loss.language":
        values.pop("text")
    plain.write_text(yaml.safe_dump(values))
    for call in (lambda: read(path), lambda: read(plain, [f"--{key}={text}"])):
        with pytest.raises(InputError) as caught:
            call()
        message = str(caught.value)
        assert f"{key} is " in message
        assert "it must be" in message
        assert str(RANGES[key].high) in message
        assert "\n" not in message


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AugmentConfig(modality_dropout=0.9), "augment.modality_dropout is 0.9"),
        (lambda: AugmentConfig(scale=(2, 1)), "augment.scale is (2, 1)"),
        (lambda: AdaptConfig(rank=0), "adapt.rank is 0; it must be a whole number in 1.."),
        (lambda: AdaptConfig(rank=True), "adapt.rank is True; it must be a whole number"),
        (lambda: AdaptConfig("lorra"), "adapt.method is 'lorra'; it must be one of lora, full"),  # type: ignore[arg-type]
        (lambda: TrainConfig(steps="3"), "train.steps is '3'; it must be a whole number"),  # type: ignore[arg-type]
        (lambda: TrainConfig(devices="0"), "train.devices is '0'; it must be auto, or how many"),
        (lambda: TrainConfig(devices="-3"), "train.devices is '-3'; it must be auto"),
        (lambda: TrainConfig(devices="x"), "train.devices is 'x'; it must be auto"),
        (
            lambda: TrainConfig(devices=0),
            "train.devices is 0; it must be a whole number",
        ),
        (lambda: TrainConfig(seed=10**5000), "train.seed is a number of thousands of digits"),
        (lambda: MasksConfig("files"), "masks.folder belongs to masks.source files"),
        (lambda: ViewConfig(scale=(0.5, 2)), "and 1 without augment.crop"),
        (lambda: Config("x", DataConfig("d"), SartmConfig(fusion="figure")), "model.fusion figure"),
        (lambda: DistillConfig("x", DataConfig("d"), TeacherConfig("t"), window=8), "window is 8"),
        (lambda: Config("x", {"root": "d"}), "data is {'root': 'd'}; it must be a mapping"),  # type: ignore[arg-type]
    ],
)
def test_python_is_told_what_a_file_is_told(make: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_path_is_a_text_wherever_one_is_wanted(tmp_path: Path) -> None:
    """As Python users give folders; what is written down can be read back."""
    model = StudentConfig(Path("efficientnet-lite0"))  # type: ignore[arg-type]
    assert model == StudentConfig("efficientnet-lite0")
    config = Config(tmp_path / "run", DataConfig(tmp_path), model)  # type: ignore[arg-type]
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml(config))
    assert read_config(path) == config
    with pytest.raises(InputError, match=r"text.prompt is 'x'; it must contain"):
        TextConfig(prompt=Path("x"))  # type: ignore[arg-type]


def test_an_array_is_no_text() -> None:
    with pytest.raises(InputError, match=r"model.base is array\(\[1, 2\]\); it must be a text"):
        StudentConfig(np.array([1, 2]))  # type: ignore[arg-type]


COMMANDS = [
    (
        ["ablate", "t.yaml", "--config", "c.yaml", "--jobs", "0"],
        "--jobs: '0' is not a whole number",
    ),
    (["ablate", "t.yaml", "--config", "c.yaml", "--seeds=-1"], "--seeds: '-1' is not a whole"),
    (["ablate", "t.yaml", "--config", "c.yaml", "--seeds", "1,1"], "'1,1' gives a seed twice"),
    (["ablate", "t.yaml", "--config", "c.yaml", "--seeds", "1,,2"], "--seeds: '' is not a whole"),
    *(
        (["synthesize", "--layout", "mfnet", "--out", "x", *words], message)
        for words, message in [
            (["--count", "0", "--seed", "0"], "--count: '0' is not a whole number in 3..100000"),
            (["--count=-5", "--seed", "0"], "--count: '-5' is not a whole number"),
            (["--count", str(10**12), "--seed", "0"], "--count: '1000000000000' is not a whole"),
            (["--count", "3", "--seed=-1"], "--seed: '-1' is not a whole number in 0..4294967295"),
            (["--count", "3", "--seed", "0", "--size", "99999x99999"], "--size: '99999' is not"),
            (["--count", "3", "--seed", "0", "--size", "0x0"], "--size: '0' is not a whole"),
            (
                ["--count", "3", "--seed", "0", "--size", "-4x4"],
                "--size: '-4x4' is not HEIGHTxWIDTH",
            ),
        ]
    ),
    (["demo", "--steps", "0"], "--steps: '0' is not a whole number in 1.."),
    (["demo", "--seed", "nan"], "--seed: 'nan' is not a whole number"),
    (["demo", "--eval-seed=-1"], "--eval-seed: '-1' is not a whole number"),
    (["predict", "nano", "--rgb", "x", "--out", "y", "--tile", "1e99"], "'1e99' is not a whole"),
]


@pytest.mark.parametrize(("words", "message"), COMMANDS)
def test_numbers_of_the_command_line(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    told = capsys.readouterr().err
    assert stopped.value.code == 2
    assert message in told
    assert told.count("\n") == 1
    assert told.startswith("samantic: argument --")


@pytest.mark.parametrize("part", ["[:150%]", "[90%:10%]", "[50%:50%]", "[:0%]", "[100%:]"])
def test_parts_of_a_split(mfnet: Path, part: str) -> None:
    from samantic.data.pairs import PairedFolder

    with pytest.raises(
        InputError, match=r"split 'train\[.*its percentages must rise within 0..100"
    ):
        PairedFolder(mfnet, "mfnet", f"train{part}")
    assert len(PairedFolder(mfnet, "mfnet", "train[50%:]")) == 3


def test_steps_of_a_training() -> None:
    """Those that are given, those of the epochs, or 100 epochs that are at least 1000 steps."""
    assert TrainConfig(steps=5, epochs=100).total_steps(784, 8) == 5
    assert TrainConfig(epochs=3).total_steps(7, 8) == 3
    assert TrainConfig(epochs=1).total_steps(2, 8) == 1
    assert TrainConfig().total_steps(7, 8) == 1000
    assert TrainConfig().total_steps(81, 8) == 1013
    assert TrainConfig().total_steps(784, 8) == 9800
