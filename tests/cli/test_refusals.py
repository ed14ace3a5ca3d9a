"""Options and keys: none is abbreviated, none is taken twice, and no file is told in an error."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import samantic
from samantic.cli import joined, main
from samantic.config.read import read_config
from samantic.errors import InputError
from samantic.files import read_json, read_yaml
from samantic.models import devices

BASE = "out: x\ndata: {root: d}\n"


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What one line says of words that end with status 2, within two seconds."""
    start = time.perf_counter()
    try:
        status: Any = main(words)
    except SystemExit as stopped:
        status = stopped.code
    told = capsys.readouterr().err
    assert status == 2, told
    assert told.count("\n") == 1
    assert told.startswith("samantic: ")
    assert time.perf_counter() - start < 10
    return told


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["predict", "nano", "--rgb", "x", "--out", "y", "--thermal-scalin", "8-bit"],
         "--thermal-scaling"),
        (["predict", "nano", "--rgb", "x", "--out", "y", "--til", "64"], "--tile"),
        (["evaluate", "nano", "--data", "d", "--layout", "mfnet", "--split", "test", "--robust"],
         "--robustness"),
        (["check", "--data", "d", "--layout", "mfnet", "--stric"], "--strict"),
        (["synthesize", "--layout", "mfnet", "--out", "x", "--count", "3", "--seed", "0",
          "--siz", "40x40"], "--size"),
        (["demo", "--step", "3"], "--steps"),
        (["train", "CONFIG", "--resum"], "--resume"),
        (["train", "CONFIG", "--data.roo", "x"], "--data.root"),
        (["train", "CONFIG", "--train.step=3"], "--train.steps"),
        (["train", "CONFIG", "--augment.cro", "[64,64]"], "--augment.crop"),
        (["train", "CONFIG", "--learning-rate", "1"], "--train.learning_rate"),
        (["distill", "CONFIG", "--teacher.mode", "x"], "--teacher.model"),
        (["ablate", "t.yaml", "--config", "CONFIG", "--sed", "1"], "--seeds"),
        (["ablate", "t.yaml", "--config", "CONFIG", "--train.step", "1"], "--train.steps"),
    ],
)  # fmt: skip
def test_misspelt_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], meant: str
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(BASE)
    told = refused([str(path) if word == "CONFIG" else word for word in words], capsys)
    assert f"(did you mean {meant}?)" in told
    assert f"`samantic {words[0]} --help`" in told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--train.steps"], "--train.steps needs a value"),
        (["--train.steps", ""], "train.steps is ''"),
        (["--data.root", "--train.steps", "3"], "--data.root needs a value"),
        (["stray"], "unrecognised arguments: stray"),
        (["--train.steps=3", "4"], "unrecognised arguments: 4"),
        (["--config", "/etc/passwd"], "unrecognised arguments: --config"),
        (["--train", "/etc/passwd"], "train is '/etc/passwd'; it must be a mapping"),
        (["--print_config"], "unrecognised arguments: --print_config"),
        (["--train.learning-rate", "-1e-4"], "train.learning_rate is -0.0001; it must be a number"),
        (["--data.classes", "[car, no]"], "quote yes, no, on, off, null and numbers"),
        (["--train.steps", "{a: *b}"], "train.steps is '{a: *b}'"),
    ],
)
def test_words_that_no_key_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(BASE)
    assert message in refused(["train", str(path), *words], capsys)


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {k: 1}\n" + "".join(
    f"{new}: &{new} {{<<: [{', '.join([f'*{old}'] * 9)}]}}\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{BASE}train: {{stepz: 3}}\n", "unknown key train.stepz (did you mean train.steps?)"),
        (f"{BASE}trian: {{}}\n", "unknown key trian (did you mean train?)"),
        (f"{BASE}train: {{steps: 3, steps: 4}}\n", "line 3, column 19: steps is given twice"),
        (f"{BASE}out: y\n", "line 3, column 1: out is given twice; keep one"),
        (f"{BASE}train: 3\n", "train is 3; it must be a mapping of keys to values"),
        ("data: {root: d}\n", "out is missing; give it in the file, or as --out"),
        (f"{BASE}{LAUGHS}", "more than 100000 values, perhaps by aliases"),
        (f"{BASE}{MERGES}", "more than 100000 values, perhaps by aliases"),
        ("out: &x [*x]\n", "an alias (*) within what it stands for"),
        (f"out: {'[' * 5000}{']' * 5000}\n", "more than 50 levels"),
        (f"{BASE}train: {{steps: {'9' * 5000}}}\n", "a number or a date in it cannot be read"),
        ("out: 2020-13-45\n", "a number or a date in it cannot be read"),
        ("out: !!python/object/apply:os.getcwd []\n", "a tag (!) is not read"),
        ("out: a\0b\n", "a character that no text holds"),
        (f"out: {'x' * 2**21}\n", "MiB; no configuration file of more than 1 is read"),
    ],
)  # fmt: skip
def test_yaml_in_bounds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    told = refused(["train", str(path)], capsys)
    assert told.startswith(f"samantic: {path}: ")
    assert message in told
    assert len(told) < 400


def test_aliases_of_reason_are_read(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}\n")
    assert read_yaml(path, "file") == {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1, "y": 2}}
    path.write_bytes(b"\xef\xbb\xbf" + BASE.encode())
    assert read_config(path).out == "x"


SECRETS = [
    "hunter2:x:0:0:hunter2:/root:/bin/bash\nhunter2:*:1\n",
    "hunter2\n",
    "password: hunter2\nlogin: hunter2\n",
    "'hunter2': [\n",
    "a: *hunter2\n",
    "a: !hunter2 x\n",
    "%hunter2\n---\n",
    "HUNTER2: 1\nHUNTER2: 2\n",
    '{"names": hunter2}',
    "hunter2: \t- x\n\tb",
    "@hunter2",
]


@pytest.mark.parametrize("text", SECRETS)
def test_no_error_tells_what_a_file_holds(
    tmp_path: Path, mfnet: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    good = tmp_path / "good.yaml"
    good.write_text(yaml.safe_dump({"out": str(tmp_path / "r"), "data": {"root": str(mfnet)}}))
    vectors = tmp_path / "vectors.npz"
    vectors.write_text(text)
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(text)
    (model / "model.safetensors").write_text(text)
    for words in (
        ["train", str(path)],
        ["distill", str(path)],
        ["ablate", str(path), "--config", str(good)],
        ["ablate", str(path), "--config", str(path)],
        ["train", str(good), "--text.source", str(path), "--loss.language", "1"],
        ["train", str(good), "--text.source", str(vectors), "--loss.language", "1"],
        ["train", str(good), "--data.rig", str(path)],
        ["train", str(good), "--model.base", str(path)],
        ["train", str(good), "--model.base", str(model)],
        ["predict", str(model), "--rgb", str(path), "--out", str(tmp_path / "o")],
    ):
        assert "hunter2" not in refused(words, capsys).lower()


PLACES = [
    ["predict", "nano", "--rgb", "d"],
    ["check", "--data", "d"],
    ["calibrate", "--rgb", "d", "--thermal", "e"],
    ["convert", "d"],
    ["synthesize", "--layout", "pairs", "--count", "3", "--seed", "0"],
    ["evaluate", "nano", "--data", "d", "--layout", "pairs", "--split", "all"],
    ["ablate", "t.yaml", "--config", "c.yaml"],
    ["demo"],
]


@pytest.mark.parametrize("words", PLACES, ids=lambda words: words[0])
def test_a_file_where_a_folder_is_written(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "inside"):
        told = refused([*words, "--out", str(out)], capsys)
        assert f"argument --out: {tmp_path / 'file'} is no folder; give another folder" in told
    monkeypatch.setattr("os.access", lambda path, mode: False)
    told = refused([*words, "--out", str(tmp_path / "new")], capsys)
    assert f"argument --out: {tmp_path} may not be written to; give another folder" in told


def test_a_run_folder_that_is_a_file(
    mfnet: Path, write_config: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    told = refused(["train", str(write_config(mfnet)), "--out", str(tmp_path / "file")], capsys)
    assert told.endswith("file is no folder; give another --out\n")


@pytest.mark.parametrize(
    "words",
    [
        ["benchmark", "nano", "--out"],
        ["benchmark", "nano", "--plot"],
        ["export", "nano", "--format", "onnx", "--out"],
    ],
    ids=lambda words: f"{words[0]}{words[-1]}",
)
def test_a_folder_where_a_file_is_written(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert "is a folder; give another file" in refused([*words, str(tmp_path)], capsys)
    inside = str(tmp_path / "file" / "a.json")
    assert "is no folder; give another file" in refused([*words, inside], capsys)


def test_a_size_that_no_scene_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "a.onnx")
    told = refused(
        ["export", "nano-small", "--format", "onnx", "--size", "7x7", "--out", out], capsys
    )
    assert "at least 32 x 32 pixels, not 7 x 7; give a larger size" in told
    assert not list(tmp_path.iterdir())


def test_a_data_set_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", "no/data", "--layout", "pairs", "--split", "test"]
    told = refused(["evaluate", "nano-small", *words], capsys)
    assert told == "samantic: no/data: no such folder; correct the path of the data set\n"


def test_a_number_below_zero_is_a_value() -> None:
    words = ["predict", "nano", "--thermal-scaling", "-20,60", "-5", "--tile", "-1", "--x=1", "-.5"]
    given = ["predict", "nano", "--thermal-scaling=-20,60", "-5", "--tile=-1", "--x=1", "-.5"]
    assert joined(words) == given


def test_a_thermal_range_below_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["predict", "nano", "--thermal", str(tmp_path), "--out", str(tmp_path / "out")]
    told = refused([*words, "--thermal-scaling", "-20,60"], capsys)
    assert "no images in this folder" in told


def test_what_is_no_file_is_not_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe would be waited for, and a device read for ever."""
    import os

    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        assert "no file; give a configuration file" in refused(["train", str(path)], capsys)
        with pytest.raises(InputError, match="no file"):
            read_json(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 200_000, "nested too deeply"),
        ("9" * 5000, "a number is too long"),
        ('{"a": 1,}', "line 1, column"),
        ("", "line 1, column 1"),
    ],
)
def test_json_in_bounds(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_json(path)
    path.write_text(json.dumps([0] * 1000))
    with pytest.raises(InputError, match="MiB; no file of more than"):
        read_json(path, 1000)


@pytest.mark.parametrize("tile", [0, -1, 10, "x", True, 1e3, float("nan"), 10**9])
def test_a_tile_that_no_network_reads(tile: Any) -> None:
    with pytest.raises(InputError, match=r"tile is .*; it must be a whole number of pixels in 32"):
        samantic.load("nano", tile=tile)


@pytest.mark.parametrize("size", [5, -1, "own", True, 64.5, 10**9])
def test_a_size_that_no_network_reads(size: Any) -> None:
    with pytest.raises(InputError, match=r"size is .*; it must be a whole number of pixels in 32"):
        samantic.load("nano", size=size)


HERE: list[tuple[Any, list[str], str]] = [
    ("auto", [], "cpu"),
    ("CPU", [], "cpu"),
    ("cpu:0", [], "cpu"),
    (torch.device("cpu"), [], "cpu"),
    ("auto", ["cuda:0"], "cuda"),
    ("GPU", ["cuda:0"], "cuda"),
    ("0", ["cuda:0"], "cuda:0"),
    (1, ["cuda:0", "cuda:1"], "cuda:1"),
    ("Cuda:1", ["cuda:0", "cuda:1"], "cuda:1"),
    ("gpu:1", ["cuda:0", "cuda:1"], "cuda:1"),
    (torch.device("cuda", 1), ["cuda:0", "cuda:1"], "cuda:1"),
    ("mps", ["mps:0"], "mps"),
    ("cpu", ["mps:0"], "cpu"),
]


@pytest.mark.parametrize(("wanted", "gpus", "device"), HERE)
def test_devices_that_are_there(
    monkeypatch: pytest.MonkeyPatch, wanted: Any, gpus: list[str], device: str
) -> None:
    monkeypatch.setattr(devices, "available_gpus", lambda: gpus)
    assert str(devices.choose_device(wanted)) == device


ABSENT: list[tuple[Any, list[str]]] = [
    *((name, []) for name in ("cuda", "gpu", "0", 0, "mps", "cuda:7", "", "cuda:x", "meta", "cpu:1",
                              True, None, "vulkan", "-1", -1, torch.device("cuda"), "cuda:1:2")),
    *((name, ["cuda:0"]) for name in ("1", 1, "cuda:7", "mps", "gpu:1")),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "gpus"), ABSENT)
def test_devices_that_are_not_there(
    monkeypatch: pytest.MonkeyPatch, wanted: Any, gpus: list[str]
) -> None:
    """The line says what is there."""
    monkeypatch.setattr(devices, "available_gpus", lambda: gpus)
    there = "this machine has cpu, cuda:0" if gpus else "this machine has cpu, and no GPU"
    with pytest.raises(InputError, match=f"not there; {there}"):
        samantic.load("nano", device=wanted)


def test_devices_of_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], mfnet: Path
) -> None:
    monkeypatch.setattr(devices, "available_gpus", list)
    images = ["--rgb", str(mfnet / "images"), "--out", "y", "--device"]
    assert "device 'cuda:7': not there" in refused(["predict", "nano", *images, "cuda:7"], capsys)


def test_more_training_devices_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for gpus, most in (([], devices.SEVERAL), (["cuda:0"], 1)):
        monkeypatch.setattr(devices, "available_gpus", lambda gpus=gpus: gpus)
        devices.check_count("auto")
        devices.check_count(most)
        with pytest.raises(InputError, match=r"train\.devices is 1000; this machine has"):
            devices.check_count("1000")
