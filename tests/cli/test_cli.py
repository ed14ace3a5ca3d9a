"""The real command in a process of its own: help, exit statuses, one line on stderr."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from samantic.cli import main

COMMAND = Path(sys.executable).with_name("samantic")


def run(*words: object) -> subprocess.CompletedProcess[str]:
    command = [str(COMMAND), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_help_is_fast() -> None:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        done = run("--help")
        times.append(time.perf_counter() - start)
        assert done.returncode == 0
    for verb in ("demo", "synthesize", "train", "distill", "evaluate", "predict"):
        assert verb in done.stdout
    assert min(times) < 0.5


@pytest.mark.parametrize("verb", ["demo", "synthesize", "train", "distill", "evaluate", "predict"])
def test_help_of_every_verb(verb: str) -> None:
    done = run(verb, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: samantic {verb}")
    if verb == "train":
        assert "--train.learning_rate" in done.stdout
        assert "Peak learning rate" in done.stdout


def test_version() -> None:
    assert run("--version").stdout.strip() == "0.1.0"


def test_synthesize_writes_the_layout(tmp_path: Path) -> None:
    words = ("--count", 5, "--seed", 1, "--size", "40x56")
    for layout, folder in (("mfnet", "images"), ("pairs", "thermal")):
        done = run("synthesize", "--layout", layout, "--out", tmp_path / layout, *words)
        assert done.returncode == 0, done.stderr
        assert "train 3, val 1, test 1 scenes" in done.stdout
        with Image.open(next((tmp_path / layout / folder).iterdir())) as image:
            assert image.size == (56, 40)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("predict", "nowhere/at/all", "--rgb", "x", "--out", "y"), "no such"),
        (("evaluate", "m", "--data", "d", "--layout", "mfnet", "--split", "test"), "no model here"),
        (("train", "nowhere.yaml"), "no such configuration file"),
        (("demo", "--seed", "3", "--eval-seed", "3"), "unseen scenes need another"),
    ],
)
def test_bad_input(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(list(words)) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert told.startswith("samantic: ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "segment pairs"),
        (("fly",), "invalid choice"),
        (("predict", "m", "--rgb", "x", "--out", "y", "--what", "3"), "unrecognised arguments"),
        (
            ("synthesize", "--layout", "mfnet", "--out", "x", "--count", "5", "--seed", "0",
             "--size", "big"),
            "HEIGHTxWIDTH",
        ),
    ],
)  # fmt: skip
def test_bad_arguments(words: tuple[str, ...], message: str) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_bad_value_is_one_line() -> None:
    done = run("synthesize", "--layout", "mfnet", "--out", "x", "--count", "1", "--seed", "0")
    assert done.returncode == 2
    assert "'1' is not a whole number in 3.." in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("samantic: ")


def truncated(root: Path) -> None:
    path = sorted((root / "images").iterdir())[0]
    path.write_bytes(path.read_bytes()[:300])


def three_channels(root: Path) -> None:
    path = sorted((root / "images").iterdir())[0]
    with Image.open(path) as image:
        rgb = image.convert("RGB")
    rgb.save(path)


def wrong_id(root: Path) -> None:
    Image.new("L", (64, 48), 17).save(sorted((root / "labels").iterdir())[0])


def no_label(root: Path) -> None:
    sorted((root / "labels").iterdir())[0].unlink()


def wrong_size(root: Path) -> None:
    Image.new("L", (32, 24)).save(sorted((root / "labels").iterdir())[0])


def empty_split(root: Path) -> None:
    (root / "train.txt").write_text("")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (three_channels, "3 channel(s), but 4 are needed, the 4th thermal"),
        (wrong_id, "label id 17, but there are 9 classes"),
        (no_label, "missing; add the partner"),
        (wrong_size, "32x24 pixels, but"),
        (empty_split, "the split 'train' is empty; add pairs to it"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_bad_training_data(
    mfnet: Path,
    tmp_path: Path,
    write_config: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], None],
    message: str,
) -> None:
    root = Path(shutil.copytree(mfnet, tmp_path / "data"))
    spoil(root)
    assert main(["train", str(write_config(root))]) == 2
    assert_refused(capsys.readouterr().err, root, message)


def test_a_loading_process_reports_in_one_line(
    mfnet: Path, tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    root = Path(shutil.copytree(mfnet, tmp_path / "data"))
    wrong_id(root)
    done = run("train", write_config(root), "--data.workers", 1)
    assert done.returncode == 2
    assert_refused(done.stderr, root, "label id 17, but there are 9 classes")


def test_a_torn_image_is_named_and_training_goes_on(
    mfnet: Path,
    tmp_path: Path,
    write_config: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = Path(shutil.copytree(mfnet, tmp_path / "data"))
    truncated(root)
    assert main(["train", str(write_config(root))]) == 0
    told = capsys.readouterr().err
    assert "not a readable image (image file is truncated); copy it anew; another pair" in told
    assert "Traceback" not in told


def assert_refused(told: str, root: Path, message: str) -> None:
    last = told.strip().splitlines()[-1]
    assert last.startswith(f"samantic: {root}")
    assert message in last
    assert "Traceback" not in told


def test_unreachable_base(
    mfnet: Path, write_config: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_config(mfnet, model={"base": "facebook/sam2.1-hiera-tiny"})
    assert main(["train", str(path)]) == 2
    told = capsys.readouterr().err
    assert "offline, give a folder with its config.json and model.safetensors" in told
    assert told.count("\n") == 1


def test_full_disk_leaves_no_half_file(tmp_path: Path) -> None:
    """A limit on file sizes, as a disk that is full: the label fits, the image does not."""
    words = "synthesize --layout mfnet --count 3 --seed 0 --size 96x128 --out"
    script = f"ulimit -f 8; exec '{COMMAND}' {words} '{tmp_path}'"
    done = subprocess.run(["/bin/bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "File too large" in done.stderr.strip().splitlines()[-1]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["inputs.json"]


def test_a_demo_replaces_nothing_but_a_demo(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "data" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("years of work")
    assert main(["demo", "--out", str(tmp_path), "--steps", "1"]) == 2
    assert "holds data, and no inputs.json says what it was made from" in capsys.readouterr().err
    assert mine.exists()


def test_scenes_are_not_mixed_with_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scenes"
    words = ["synthesize", "--layout", "pairs", "--out", str(out), "--count", "3", "--size"]
    assert main([*words, "48x64", "--seed", "1"]) == 0
    before = {path: path.read_bytes() for path in out.rglob("*.png")}
    assert main([*words, "48x64", "--seed", "1"]) == 0
    capsys.readouterr()
    assert main([*words, "48x64", "--seed", "2"]) == 2
    assert "holds scenes made from other inputs (seed 1, now 2)" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.rglob("*.png")} == before
    (tmp_path / "mine" / "rgb").mkdir(parents=True)
    words[words.index(str(out))] = str(tmp_path / "mine")
    assert main([*words, "48x64", "--seed", "1"]) == 2
    assert "mine: holds rgb, and no inputs.json says" in capsys.readouterr().err


def test_a_check_is_not_overwritten_by_another_folders(
    mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--layout", "mfnet", "--split", "val"]
    other = shutil.copytree(mfnet, tmp_path / "elsewhere" / mfnet.name)
    assert main(["check", "--data", str(mfnet), *words]) == 0
    assert main(["check", "--data", str(mfnet), *words]) == 0
    capsys.readouterr()
    assert main(["check", "--data", str(other), *words]) == 2
    assert "holds a check made from other inputs (data" in capsys.readouterr().err


@pytest.mark.slow
def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole story, with too few steps to learn anything."""
    words = ["demo", "--out", str(tmp_path), "--steps", "2", "--seed", "7", "--eval-seed", "8"]
    assert main(words) == 0
    out = capsys.readouterr().out
    for name in ("fused", "rgb", "thermal", "nano"):
        assert name in out
        assert (tmp_path / name / "metrics.json").exists()
    assert out.strip().splitlines()[-1] == f"report: {tmp_path / 'report.html'}"
    page = (tmp_path / "report.html").read_text()
    assert page.count("<figure ") == 12
    assert len(list((tmp_path / "predictions" / "overlays").iterdir())) == 8
    assert len((tmp_path / "data" / "test.txt").read_text().split()) == 80
