from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from samantic.config import AdaptConfig, Config, DataConfig, SartmConfig, StudentConfig
from samantic.config.distill import DistillConfig, TeacherConfig
from samantic.config.read import help_of, read_config, read_distill_config, to_yaml
from samantic.errors import InputError

BASE = "out: x\ndata: {root: d}\n"
STUDENT = f"{BASE}model: {{network: student}}\n"
ROOT = Path(__file__).parents[2]
DISTILLED = sorted(ROOT.glob("configs/goodsam_*.yaml"))
CONFIGS = sorted({*ROOT.glob("configs/*.yaml")} - {*DISTILLED})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("out: runs/x\ndata: {root: data}\nadapt: full\n")
    return path


def test_defaults_and_shorthand(path: Path) -> None:
    config = read_config(path)
    assert config == Config("runs/x", DataConfig("data"), adapt=config.adapt)
    assert config.adapt.method == "full"
    assert config.augment.crop == (480, 640)


def test_overrides(path: Path) -> None:
    words = ["--adapt", "lora", "--adapt.random-ok", "--train.learning-rate", "3e-4"]
    words += ["--augment.crop=[64,96]", "--data.classes", "[a, b]", "--train.steps=7"]
    config = read_config(path, words)
    assert config.adapt.method == "lora"
    assert config.adapt.random_ok is True
    assert config.train.learning_rate == 3e-4
    assert config.train.steps == 7
    assert config.augment.crop == (64, 96)
    assert config.data.classes == ["a", "b"]


def test_a_student_has_other_defaults(tmp_path: Path, path: Path) -> None:
    """In a file and on the command line; what is said stays, and the rest is SARTM's."""
    model = StudentConfig("segformer-b0", "early")
    plain = tmp_path / "plain.yaml"
    plain.write_text("out: runs/x\ndata: {root: data}\nmodel: {network: student}\n")
    for config in (read_config(plain), read_config(path, ["--model.network", "student"])):
        assert (config.model, config.adapt.method) == (model, "full")
    said = read_config(plain, ["--model.fusion", "thermal", "--model.base=nvidia/mit-b0"])
    assert said.model == replace(model, fusion="thermal", base="nvidia/mit-b0")
    plain.write_text("out: runs/x\ndata: {root: data}\n")
    assert read_config(plain).model == SartmConfig()
    assert read_config(plain).adapt.method == "lora"


@pytest.mark.parametrize("network", ["sartm", "student"])
def test_written_out_and_read_back(path: Path, tmp_path: Path, network: str) -> None:
    words = ["--train.steps", "3", "--data.classes", "[a, b]", "--model.network", network]
    config = read_config(path, words)
    again = tmp_path / "again.yaml"
    again.write_text(to_yaml(config))
    assert read_config(again) == config


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("out: x\ndata: {root: d}\nmodle: {}\n", [], "modle"),
        ("out: x\ndata: {root: d, rot: 3}\n", [], "rot"),
        ("out: x\ndata: {}\n", [], "data.root"),
        ("out: x\ndata: {root: d}\n", ["--train.steps", "many"], "train.steps"),
        ("out: x\ndata: {root: d}\n", ["--model.fusion", "none"], "model.fusion"),
        ("out: x\ndata: {root: d}\n", ["--what", "3"], "--what"),
        (
            "out: x\ndata: {root: d}\n",
            ["--train.steps", "0"],
            "train.steps is 0; it must be",
        ),
        (
            "out: x\ndata: {root: d}\n",
            ["--augment.scale", "[2, 1]"],
            "augment.scale is (2.0",
        ),
        ("out: x\ndata: {root: d}\n", ["--loss.language", "1"], "loss.language needs text.source"),
        ("out: x\ndata: {root: d}\n", ["--model.fusion", "figure"], "figure needs loss.language"),
        (
            "out: x\ndata: {root: d}\n",
            ["--loss.tau", "0"],
            "loss.tau is 0.0; it must be",
        ),
        (
            "out: x\ndata: {root: d}\n",
            ["--text.prompt", "a"],
            "it must contain {}",
        ),
        (
            BASE,
            ["--model.fusion", "early"],
            "early does not fit model.network sartm on facebook/sam2.1-hiera",
        ),
        (
            STUDENT,
            ["--model.fusion", "late"],
            "late does not fit model.network student on segformer-b0, which tak",
        ),
        (
            STUDENT,
            ["--model.fusion", "paper"],
            "student on segformer-b0, which takes early, rgb, thermal",
        ),
        (STUDENT, ["--model.auxiliary", "fpn"], "model.auxiliary fpn does not fit"),
        (STUDENT, ["--model.decoder", "frozen"], "student on segformer-b0, which takes trained"),
        (STUDENT, ["--model.prediction", "mean"], "model.prediction mean does not fit"),
        (STUDENT, ["--adapt", "lora"], "adapt.method lora does not fit model.network student"),
        (STUDENT, ["--model.network", "teacher"], "model.network"),
        ("- a\n- b\n", [], "a configuration is a YAML mapping"),
        ("out: [", [], "not valid YAML"),
    ],
)
def test_bad_configurations(tmp_path: Path, text: str, words: list[str], message: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_config(path, words)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such configuration file"):
        read_config(tmp_path / "none.yaml")


@pytest.mark.parametrize("shipped", CONFIGS, ids=lambda p: p.stem)
def test_shipped_configurations_parse(shipped: Path) -> None:
    assert read_config(shipped).out.startswith("runs/")


@pytest.mark.parametrize("shipped", DISTILLED, ids=lambda p: p.stem)
def test_shipped_distillations_parse(shipped: Path) -> None:
    assert read_distill_config(shipped).out.startswith("runs/")


def test_documented_distillations_parse(tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs/distil.md").read_text(), re.M | re.S)
    assert len(blocks) == 2
    for index, block in enumerate(blocks):
        path = tmp_path / f"{index}.yaml"
        path.write_text(block)
        assert read_distill_config(path).data.layout == "pairs"


def test_a_distillation_needs_no_labels_and_takes_the_teachers_scaling(tmp_path: Path) -> None:
    """Where a configuration names no labelled split there is none."""
    path = tmp_path / "distill.yaml"
    path.write_text("out: x\ndata: {root: d}\nteacher: {model: t}\n")
    config = read_distill_config(path)
    data = DataConfig("d", val=None, test=None, thermal_scaling="teacher")
    assert config == DistillConfig("x", data, TeacherConfig("t"))
    words = ["--data.val", "val", "--teacher.update=joint", "--augment.roll", "false"]
    words += ["--window", "64", "--student.fusion", "thermal"]
    config = read_distill_config(path, words)
    assert (config.data.val, config.data.test) == ("val", None)
    assert (config.teacher.update, config.augment.roll, config.window) == ("joint", False, 64)
    assert config.student.network == "student"
    assert config.student.fusion == "thermal"
    again = tmp_path / "again.yaml"
    again.write_text(to_yaml(config))
    assert read_distill_config(again) == config


def test_python_and_files_have_the_same_defaults(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    for base, fusion in ((None, "early"), ("efficientnet-lite0", "two-stream")):
        said = "" if base is None else f", base: {base}"
        path.write_text(f"{BASE}model: {{network: student{said}}}\n")
        model = StudentConfig() if base is None else StudentConfig(base)
        assert read_config(path) == Config("x", DataConfig("d"), model)
        assert (model.fusion, Config("x", DataConfig("d"), model).adapt.method) == (fusion, "full")
        path.write_text(f"{BASE}teacher: {{model: t}}\nstudent: {{base: {model.base}}}\n")
        assert read_distill_config(path).student == model
    with pytest.raises(InputError, match=r"adapt\.method lora does not fit model\.network student"):
        Config("x", DataConfig("d"), StudentConfig(), AdaptConfig("lora"))
    with pytest.raises(InputError, match=r"model\.fusion early does not fit model\.network sartm"):
        SartmConfig(fusion="early")


def test_files_that_name_what_a_student_has_no_choice_of_still_load(tmp_path: Path) -> None:
    """As those that older versions wrote; a choice that it has not is refused."""
    path = tmp_path / "config.yaml"
    old = "auxiliary: none, decoder: trained, prediction: mask, context: sum"
    path.write_text(f"{BASE}model: {{network: student, {old}}}\nadapt: {{rank: 8}}\n")
    assert read_config(path).model == StudentConfig()
    assert read_config(path).adapt == AdaptConfig("full", rank=8)
    path.write_text(f"{BASE}teacher: {{model: t}}\nstudent: {{fusion: paper}}\n")
    with pytest.raises(InputError, match=r"student\.fusion paper does not fit student\.network"):
        read_distill_config(path)


def test_help_lists_the_keys_of_both_networks() -> None:
    text = help_of(Config)
    for line in ("model, network sartm: ", "model, network student: "):
        assert text.count(line) == 1
    assert "default two-stream on an EfficientNet, else early" in " ".join(text.split())
    assert "student: A student" in help_of(DistillConfig)
