"""Classes of models and of data meet by their names, or one line says which do not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samantic.cli import main
from samantic.data.class_names import class_table, difference, match_names, parse_map
from samantic.data.image_files import open_image
from samantic.errors import InputError
from samantic.files import read_json, write_json
from samantic.measure.record import read_confusion
from samantic.scenes.write import write_scenes

NAMES = ("unlabelled", "car", "person", "bike", "curve", "car stop", "guardrail", "color cone")
NAMES = (*NAMES, "bump")
COLOURS = [f"#{10 * i:02x}{255 - i:02x}{i:02x}" for i in range(9)]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Scenes in the layout pairs, with MFNet's label ids."""
    root = tmp_path / "pairs"
    write_scenes(root, "pairs", {"test": range(2)}, seed=9, size=(48, 64))
    return root


@pytest.fixture
def evaluate(trained: Path, pairs: Path, tmp_path: Path) -> Callable[..., int]:
    words = ["--data", str(pairs), "--layout", "pairs", "--split", "test"]

    def run(*more: str, out: str = "out") -> int:
        return main(["evaluate", str(trained), *words, *more, "--out", str(tmp_path / out)])

    return run


def relabel(root: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    for path in (root / "labels").iterdir():
        Image.fromarray(change(np.asarray(open_image(path)))).save(path)


def confusion(tmp_path: Path, out: str) -> np.ndarray:
    return read_confusion(tmp_path / out / "confusion.npz")[1].sum(0).numpy()


def test_pairs_whose_classes_nobody_names(
    evaluate: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate() == 2
    error = capsys.readouterr().err
    assert "layout pairs has no class names; name the label ids" in error
    assert f'--classes "{",".join(NAMES)}"' in error
    assert evaluate("--classes", ",".join(NAMES)) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--classes", "background,bole"], "the data's 'background' is none of the model's"),
        (["--classes", "car,person"], "the model's 'unlabelled' is none of the data's"),
        (["--classes", "car,bole", "--map", "bole=persn"], "the model has no class 'persn'"),
        (["--classes", "car,bole", "--map", "boel=person"], "the data has no class 'boel'"),
        (["--classes", "car,bole", "--map", "bole"], "'bole' is no DATA=MODEL"),
        (["--classes", "car,bole", "--map", "bole=car,bole="], "bole is mapped twice"),
        (["--classes", "car,bole,x", "--map", "bole=person"], "the data's 'x' is none"),
        (["--colors", "#000000,#ffffff"], "--colors: say which classes they stand for"),
        (["--classes", "car,bole", "--colors", "#000000"], "--colors: 1 colours for 2 classes"),
        (["--classes", "car,bole", "--colors", "red,blue"], "--colors: 'red' is not a colour"),
    ],
)
def test_classes_that_do_not_meet(
    evaluate: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    assert evaluate(*words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_classes_in_another_order_meet_by_name(
    evaluate: Callable[..., int],
    pairs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert evaluate("--classes", ",".join(NAMES)) == 0
    relabel(pairs, lambda ids: (8 - ids).astype(np.uint8))
    capsys.readouterr()
    turned = [name.upper() if name == "car" else name for name in reversed(NAMES)]
    assert evaluate("--classes", ",".join(turned), out="turned") == 0
    assert "classes by name, data = model: bump, color cone" in capsys.readouterr().out
    assert np.array_equal(confusion(tmp_path, "turned"), confusion(tmp_path, "out"))
    metrics, before = (read_json(tmp_path / out / "metrics.json") for out in ("turned", "out"))
    assert metrics["iou"] == before["iou"]
    assert metrics["class_map"]["CAR"] == "car"
    assert before["class_map"] is None


def test_classes_of_other_names_are_mapped(
    evaluate: Callable[..., int], pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Boles stand for persons, all else for the first class, and cavities do not count."""
    cavity, bole = 1, 2
    assert evaluate("--classes", ",".join(NAMES)) == 0
    whole = confusion(tmp_path, "out")
    relabel(pairs, lambda ids: np.select([ids == cavity, ids == 2], [1, bole], 0).astype(np.uint8))
    words = ["--classes", "ground, cavity, bole", "--map", "bole=person, ground=unlabelled,cavity="]
    assert evaluate(*words, out="mapped") == 0
    told = capsys.readouterr().out
    assert "ground = unlabelled, cavity left out, bole = person; without data: car, bike" in told
    expected = np.zeros_like(whole)
    expected[2] = whole[2]
    expected[0] = whole.sum(0) - whole[1] - whole[2]
    assert np.array_equal(confusion(tmp_path, "mapped"), expected)
    metrics = read_json(tmp_path / "mapped" / "metrics.json")
    assert metrics["class_map"] == {"ground": "unlabelled", "cavity": None, "bole": "person"}
    assert list(metrics["iou"]) == list(NAMES)


def test_labels_in_colours(evaluate: Callable[..., int], pairs: Path, tmp_path: Path) -> None:
    assert evaluate("--classes", ",".join(NAMES)) == 0
    table = np.array([list(bytes.fromhex(text[1:])) for text in COLOURS], np.uint8)
    relabel(pairs, lambda ids: table[ids])
    colours = ["--colors", ",".join(COLOURS)]
    assert evaluate("--classes", ",".join(NAMES), *colours, out="colours") == 0
    assert np.array_equal(confusion(tmp_path, "colours"), confusion(tmp_path, "out"))
    check = ["check", "--data", str(pairs), "--layout", "pairs", "--classes", ",".join(NAMES)]
    assert main([*check, *colours, "--out", str(tmp_path / "check")]) == 0


@pytest.mark.parametrize("option", ["--classes", "--colors"])
def test_options_of_the_layout_pairs(
    trained: Path, mfnet: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    words = ["--data", str(mfnet), "--layout", "mfnet", option, "a,b"]
    for verb in (["check"], ["evaluate", str(trained), "--split", "test"]):
        assert main([*verb, *words]) == 2
        assert f"{option}: layout mfnet has its own" in capsys.readouterr().err


def test_models_of_several_classes_are_not_compared(
    trained: Path, mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Path(shutil.copytree(trained, tmp_path / "other"))
    values = read_json(other / "model" / "config.json")
    values["classes"][1:3] = values["classes"][2:0:-1]
    write_json(other / "model" / "config.json", values)
    words = ["--data", str(mfnet), "--layout", "mfnet", "--split", "test"]
    out = tmp_path / "out"
    assert main(["evaluate", str(trained), str(other), *words, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert "in another order, first label 1: 'car' and 'person'" in error
    assert not out.exists()
    mapped = ["--map", "guardrail="]
    copy = shutil.copytree(trained, tmp_path / "copy")
    assert main(["evaluate", str(trained), str(copy), *words, *mapped, "--out", str(out)]) == 0
    models = read_json(out / "comparison.json")["models"]
    assert all(m["class_map"]["guardrail"] is None for m in models.values())


def test_names_match_exactly_first() -> None:
    assert match_names(["Car", "car", "bus "], ["car", "BUS", "CAR"]) == {0: 2, 1: 0, 2: 1}
    assert match_names(["Car", "CAR"], ["car"]) == {}
    assert match_names(["a"], ["b"]) == {}


def test_difference_names_the_first() -> None:
    assert difference(["a"], ("a",)) == ""
    assert difference(["a", "b"], ["a"]) == "2 and 1"
    assert difference(["a", "b"], ["c"]) == "2 and 1, first label 0 is 'a' and 'c'"


def test_a_map_may_stand_for_equal_names() -> None:
    assert class_table(["a", "b"], ["a", "b", "c"], {"b": "c"}) == [0, 2]
    assert class_table(["a", "b"], ["a", "b", "c"], {"B": ""}) == [0, None]
    with pytest.raises(InputError, match="is no DATA=MODEL"):
        parse_map("=a")


def test_other_label_files_are_another_evaluation(
    evaluate: Callable[..., int], pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["--classes", ",".join(NAMES)]
    shutil.copytree(pairs / "labels", pairs / "second")
    assert evaluate(*names) == 0
    assert evaluate(*names, "--labels", "second") == 2
    assert "holds an evaluation made from other inputs (files" in capsys.readouterr().err
    assert evaluate(*names, "--colors", ",".join(COLOURS)) == 2
    assert "holds an evaluation made from other inputs (colors" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--layout", "pairs", "--classes", "a,A"], "--classes: 'a' (class 0) and 'A'"),
        (["--layout", "pairs", "--classes", "a"], '--classes "background,person,car"'),
        (["--layout", "mfnet", "--rgb", "x"], "--rgb: layout mfnet has its own"),
        (["--layout", "pairs", "--rgbt", "x", "--rgb", "y"], "--rgbt: replaces --rgb and --ther"),
        (["--layout", "pairs", "--classes", ",".join(NAMES), "--colors", ",".join(COLOURS)],
         "correct the file or the classes' colours"),
    ],
)  # fmt: skip
def test_errors_name_what_was_typed(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    relabel(pairs, lambda ids: np.repeat(ids[..., None], 3, axis=-1))
    assert main(["check", "--data", str(pairs), *words, "--out", str(tmp_path / "checked")]) == 2
    told = "".join(capsys.readouterr())
    assert message in told
    assert "data." not in told
