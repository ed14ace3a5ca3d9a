"""Help that leads with what matters; messages that say everything at once, as it is typed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import samantic
from samantic.cli import VERBS, main
from samantic.config import Config, DataConfig
from samantic.config.read import DISTILL_FIRST, FIRST
from samantic.errors import InputError
from samantic.spelling import asked, option, remedy

CONFIG = """
out: {out}
data: {{root: {root}, layout: pairs, classes: [a, b, c], workers: 0}}
model: {{base: random-micro}}
adapt: full
augment: {{crop: [32, 32]}}
train: {{steps: 1, batch_size: 2, validations: 1}}
"""


@pytest.fixture
def rig(tmp_path: Path) -> Path:
    """Pairs of two cameras: RGB of one size, 16-bit thermal of another."""
    root = tmp_path / "rig"
    rng = np.random.default_rng(0)
    images = {
        "rgb": lambda: rng.integers(0, 255, (48, 80, 3), np.uint8),
        "thermal": lambda: rng.integers(29000, 31000, (40, 64)).astype(np.uint16),
        "labels": lambda: rng.integers(0, 3, (48, 80), np.uint8),
    }
    for kind, draw in images.items():
        (root / kind).mkdir(parents=True)
        for i in range(6):
            Image.fromarray(draw()).save(root / kind / f"{i}.png")
    for split, names in {"train": "012", "val": "3", "test": "45"}.items():
        (root / f"{split}.txt").write_text("\n".join(names))
    return root


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The line that a refused command ends with."""
    capsys.readouterr()
    assert main(words) == 2
    shown = capsys.readouterr()
    line = next((x for x in shown.out.splitlines() if x.startswith("error: ")), shown.err.strip())
    assert "\n" not in line
    return line


def pasted(line: str) -> list[str]:
    """The words of the command that a line offers."""
    words = shlex.split(line[line.index("`samantic ") :].strip("`"))
    return words[1:]


def test_bare_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was done, so the status is that of bad arguments."""
    assert main([]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("usage: samantic")
    assert all(f"    {verb}" in shown for verb in VERBS)


@pytest.mark.parametrize(("verb", "first"), [("train", FIRST), ("distill", DISTILL_FIRST)])
def test_help_begins_with_the_keys_that_matter(
    verb: str, first: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    texts = []
    for option_ in ("--help", "--help-all"):
        with pytest.raises(SystemExit) as done:
            main([verb, option_])
        assert done.value.code == 0
        texts.append(capsys.readouterr().out)
    short, full = texts
    assert len(first) == 10
    head, _, others = short.partition("others, which --help-all explains:")
    assert [head.index(f"  --{key}\n") for key in first if key != "model.base"] == sorted(
        head.index(f"  --{key}\n") for key in first if key != "model.base"
    )
    assert all(f"--{key}" in full for key in first)
    for key in ("augment.color", "train.seed", "loss.class_balance"):
        assert f"--{key}" in others
        assert f"  --{key}\n" not in short
        assert f"  --{key}\n" in full
    assert len(short.splitlines()) < 0.5 * len(full.splitlines())


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("predict", "--thermal-scaling frame --rig resize"),
        ("evaluate", "--thermal-scaling frame --rig resize"),
        ("check", "--thermal-scaling frame --rig resize"),
        ("train", "--data.thermal-scaling frame --data.rig resize"),
    ],
)
def test_two_changes_are_said_at_once(
    rig: Path,
    trained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    verb: str,
    options: str,
) -> None:
    """The line ends with the command to paste, which works; nothing is begun before."""
    out, config = tmp_path / "out", tmp_path / "c.yaml"
    config.write_text(CONFIG.format(root=rig, out=out))
    data = ["--data", str(rig), "--layout", "pairs", "--classes", "a,b,c", "--out", str(out)]
    mapped = ["--map", "a=car,b=person,c=bike"]
    words = {
        "predict": [
            "predict",
            str(trained),
            "--rgb",
            f"{rig}/rgb",
            "--thermal",
            f"{rig}/thermal",
            *data[-2:],
        ],
        "evaluate": ["evaluate", str(trained), *data, "--split", "test", *mapped],
        "check": ["check", *data],
        "train": ["train", str(config)],
    }[verb]
    line = told(words, capsys)
    assert "deeper than 8 bits, and 64x40 pixels, but" in line
    assert pasted(line) == [*words, *options.split()]
    if verb != "check":
        assert not out.exists() or not list(out.glob("*.ckpt"))
    assert main(pasted(line)) == 0


def test_cameras_of_other_shapes_are_calibrated_not_stretched(
    rig: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """16:9 and 5:4 are not one view: the line leads to `calibrate`, whose file it then takes."""
    for path in (rig / "rgb").iterdir():
        Image.open(path).resize((96, 54)).save(path)
    words = ["predict", str(trained), "--rgb", f"{rig}/rgb", "--thermal", f"{rig}/thermal"]
    words += ["--out", str(tmp_path / "out")]
    for more in ([], ["--thermal-scaling", "frame"]):
        line = told([*words, *more], capsys)
        assert f"by `samantic calibrate --rgb {rig}/rgb --thermal {rig}/thermal`" in line
        assert pasted(line.partition("as in ")[2])[-2:] == ["--rig", "runs/calibrate/rig.yaml"]
        assert "resize" not in line
    with pytest.raises(InputError, match=r"calibrate --rgb RGB --thermal THERMAL`.* and rig=\"run"):
        samantic.load(trained)(np.zeros((54, 96, 3), np.uint8), np.zeros((40, 64), np.uint16))


def test_one_change_keeps_what_was_typed(
    rig: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(trained), "--rgb", f"{rig}/rgb", "--thermal", f"{rig}/thermal"]
    words += ["--thermal-scaling", "28000,32000", "--out", str(tmp_path / "out")]
    line = told(words, capsys)
    assert "64x40 pixels, but" in line
    assert "data.rig" not in line
    assert pasted(line) == [*words, "--rig", "resize"]
    words = ["predict", str(trained), "--thermal-scaling=8-bit", "--thermal", f"{rig}/thermal"]
    words += ["--out", str(tmp_path / "out")]
    line = told(words, capsys)
    expected = [word for word in words if not word.startswith("--thermal-scaling")]
    assert pasted(line) == [*expected, "--thermal-scaling", "frame"]


def test_python_is_told_arguments(rig: Path, trained: Path) -> None:
    with pytest.raises(InputError, match='thermal_scaling="frame" and rig="resize"'):
        samantic.load(trained).predict(rig / "rgb" / "0.png", rig / "thermal" / "0.png")


def test_a_pair_that_is_odd_alone_does_not_stop_the_others(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind, shape in (("rgb", (40, 48, 3)), ("thermal", (40, 48))):
        (tmp_path / kind).mkdir()
        for i in range(4):
            size = (shape[0] - 8, *shape[1:]) if (kind, i) == ("thermal", 0) else shape
            Image.fromarray(np.zeros(size, np.uint8)).save(tmp_path / kind / f"{i}.png")
    words = ["predict", str(trained), "--out", str(tmp_path / "out")]
    words += ["--rgb", f"{tmp_path}/rgb", "--thermal", f"{tmp_path}/thermal"]
    assert main(words) == 1
    assert "0.png: 48x32 pixels, but" in capsys.readouterr().err
    assert len(list((tmp_path / "out" / "labels").iterdir())) == 3


def test_splits_that_are_missing_are_said_at_once(
    rig: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(CONFIG.format(root=rig, out=tmp_path / "out"))
    (rig / "val.txt").unlink()
    (rig / "test.txt").unlink()
    words = ["train", str(config), "--data.thermal-scaling", "frame", "--data.rig", "resize"]
    line = told(words, capsys)
    assert "without a val split set data.val null" in line
    assert "without a test split set data.test null" in line
    assert pasted(line) == [*words, "--data.val", "null", "--data.test", "null"]
    assert main(pasted(line)) == 0


@pytest.mark.parametrize(
    ("text", "words", "parts"),
    [
        ("train: {steps: 3}\n", [], ["out is missing", "data.root is missing"]),
        (
            "ot: x\ndata: {rot: d}\n",
            [],
            ["unknown keys ot (did you mean out?), data.rot (did you mean data.root?)"],
        ),
        (
            "out: x\ndata: {root: d, eval_size: 2}\ntrain: {epochs: -1, seed: a}\n",
            ["--augment.flip", "7"],
            [
                *("data.eval_size is 2;", "train.epochs is -1;"),
                *("train.seed is 'a';", "augment.flip is 7.0;"),
            ],
        ),
        (
            "out: x\ndata: {root: d}\n",
            ["--dta.root", "y", "--train.stps=4", "z"],
            ["--dta.root", "--train.stps (did you mean --train.steps?), z"],
        ),
    ],
)
def test_keys_are_refused_at_once(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    words: list[str],
    parts: list[str],
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    line = told(["train", str(path), *words], capsys)
    assert all(part in line for part in parts), line


def test_many_unknown_keys_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("out: x\n" + "".join(f"zz{i}: 1\n" for i in range(40)))
    assert "zz4, 35 more" in told(["train", str(path)], capsys)


def test_options_in_python_are_checked_at_once() -> None:
    with pytest.raises(InputError, match=r"data.layout is 'x';.*; data.workers is -1;"):
        DataConfig(root="d", layout="x", workers=-1)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"data\.rig is 3"):
        Config("out", DataConfig("root", rig=3))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("where", "spelled", "command"),
    [
        ("verb", "--thermal-scaling", "`samantic predict nano --thermal-scaling 'a b'`"),
        ("configuration", "--data.thermal-scaling", "--data.thermal-scaling 'a b'`"),
        ("python", "thermal_scaling", 'thermal_scaling="a b"'),
    ],
)
def test_options_are_spelled_as_they_are_typed(where: Any, spelled: str, command: str) -> None:
    with asked(where, ["predict", "nano"]):
        assert option("data.thermal_scaling") == spelled
        assert remedy({"data.thermal_scaling": "a b"}).endswith(command)
    assert option("data.eval_size") == "eval_size"
