"""Folders, patterns and split lists as people have them, through the real command."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from samantic.cli import main
from samantic.data.instances import InstanceFolder
from samantic.errors import InputError

Told = Callable[[], list[str]]
KINDS = ("rgb", "thermal", "labels")


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """The lines that the last commands have told on stderr."""

    def lines() -> list[str]:
        found = capsys.readouterr().err.splitlines()
        return [line for line in found if line.startswith("samantic: ")]

    return lines


def make(root: Path, names: list[str], forms: dict[str, str] | None = None) -> Path:
    """A small pair of every name; `forms` says how files of a kind are called."""
    forms = {kind: f"{kind}/%.png" for kind in KINDS} | (forms or {})
    for seed, name in enumerate(names):
        rng = np.random.default_rng(seed)
        for kind, form in forms.items():
            path = root / form.replace("%", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            shape = (32, 40, 3) if kind == "rgb" else (32, 40)
            Image.fromarray(rng.integers(0, 2 if kind == "labels" else 255, shape, np.uint8)).save(
                path
            )
    return root


def check(root: Path, *words: str) -> tuple[int, dict[str, object]]:
    """The exit status of `check`, and check.json."""
    out = root.parent / "checked"
    words = ("check", "--data", str(root), "--layout", "pairs", "--out", str(out), *words)
    status = main([*words, "--classes", "ground,person"])
    return status, json.loads((out / "check.json").read_text())


def pairs(root: Path, *words: str) -> object:
    _, found = check(root, *words)
    assert found["errors"] == []
    return {name: part["pairs"] for name, part in found["splits"].items()}  # type: ignore[attr-defined]


def spoiled(root: Path) -> None:
    for name in ("notes.txt", "a.npy", ".hidden.png", "z.gif"):
        (root / "rgb" / name).touch()


LINE = "rgb: 4 files are not read, first .hidden.png; names of images end in .png, .jpg, "


def test_check_counts_files_that_are_not_read(tmp_path: Path) -> None:
    root = make(tmp_path / "own", ["a", "b"])
    spoiled(root)
    status, found = check(root)
    assert status == 0
    assert [line for line in found["warnings"] if LINE in line] != []  # type: ignore[attr-defined]


def test_train_evaluate_and_distill_tell_once(
    tmp_path: Path, write_config: Callable[..., Path], told: Told
) -> None:
    root = make(tmp_path / "own", ["a", "b"])
    spoiled(root)
    data = {"layout": "pairs", "classes": ["ground", "person"]}
    splits = dict.fromkeys(("train", "val", "test"), "all")
    config = write_config(root, data=data | splits, train={"steps": 1, "validations": 1})
    assert main(["train", str(config)]) == 0
    assert sum(LINE in line for line in told()) == 1
    run = str(tmp_path / "run")
    words = ["--data", str(root), "--layout", "pairs", "--split", "all"]
    assert main(["evaluate", run, *words, "--out", str(tmp_path / "evaluated")]) == 0
    assert sum(LINE in line for line in told()) == 1
    values = {
        "out": str(tmp_path / "student"),
        "data": {"root": str(root), "layout": "pairs", "train": "all", "workers": 0},
        "teacher": {"model": run},
        "masks": {"source": "none"},
        "student": {"base": "segformer-micro"},
        "train": {"steps": 1, "validations": 1, "batch_size": 1},
    }
    (tmp_path / "distill.yaml").write_text(yaml.safe_dump(values))
    assert main(["distill", str(tmp_path / "distill.yaml")]) == 0
    assert sum(LINE in line for line in told()) == 1


def test_predict_tells_what_is_not_read(trained: Path, tmp_path: Path, told: Told) -> None:
    root = make(tmp_path / "own", ["a", "b"])
    spoiled(root)
    words = ["predict", str(trained), "--rgb", f"{root}/rgb", "--out", str(tmp_path / "out")]
    assert main(words) == 0
    (line,) = told()
    assert LINE in line
    for path in (root / "rgb").glob("[ab].png"):
        path.unlink()
    assert main(words) == 2
    assert "no images in this folder" in (line := told()[0])
    assert LINE in line


def test_a_pattern_that_fits_what_is_no_image(tmp_path: Path) -> None:
    root = make(tmp_path / "own", ["a", "b"])
    (root / "rgb" / "c.npy").touch()
    _, found = check(root, "--rgb", "rgb/*.*", "--thermal", "thermal/*.*", "--labels", "labels/*.*")
    assert "rgb/*.*: c.npy is not read; names of images end in" in found["warnings"][0]  # type: ignore[index]
    _, found = check(root, "--rgb", "rgb/*.npy")
    assert "no image matches (" in found["errors"][0]  # type: ignore[index]


def test_files_without_a_pair_are_told(tmp_path: Path) -> None:
    root = make(tmp_path / "own", ["a", "b"])
    make(tmp_path / "own", ["c"], {"rgb": "elsewhere/%.png"})
    _, found = check(root)
    assert "thermal: c has no partner; not used, since" in found["warnings"][0]  # type: ignore[index]


@pytest.mark.parametrize(
    ("forms", "words"),
    [
        ({"rgb": "rgb[1]/%.png"}, ["--rgb", "rgb[1]"]),
        ({"rgb": "a*b/%.png"}, ["--rgb", "a*b"]),
        ({"rgb": "r?b/%.png", "thermal": "rxb/%.png"}, ["--rgb", "r?b", "--thermal", "rxb"]),
        ({"rgb": "{rgb}/%.png", "labels": "l}/%.png"}, ["--rgb", "{rgb}", "--labels", "l}"]),
        ({"rgb": "{0}/%_[rgb].png"}, ["--rgb", "{0}/*_[rgb].png"]),
        ({"rgb": "a*b/%_x.png", "thermal": "a1b/%_x.png"}, ["--rgb", "a*b/*_x.png"]),
        ({"rgb": "?/%_x?.png", "thermal": "a/%_xy.png"}, ["--rgb", "?/*_x?.png"]),
    ],
)
def test_special_characters_stand_for_themselves(
    tmp_path: Path, forms: dict[str, str], words: list[str]
) -> None:
    root = make(tmp_path / "o{w}n[1]*", ["a", "b"], forms)
    if "thermal" in forms and "--thermal" not in words:
        words = [*words, "--thermal", forms["thermal"].replace("%", "*")]
    assert pairs(root, *words) == {"all": 2}
    absolute = [str(root / word) if not word.startswith("--") else word for word in words]
    assert pairs(root, *absolute) == {"all": 2}


def test_absolute_places_outside_the_root(tmp_path: Path) -> None:
    root = make(tmp_path / "own", ["a", "b"], {"rgb": "../else/%_rgb.png"})
    place = str(tmp_path / "else" / "*_rgb.png")
    assert pairs(root, "--rgb", place, "--thermal", str(root / "thermal")) == {"all": 2}


def test_a_double_star_is_refused(tmp_path: Path) -> None:
    root = make(tmp_path / "own", ["a"])
    _, found = check(root, "--rgb", "**/*.png")
    assert found["errors"] == [
        f"{root}/**/*.png: ** is not supported in a pattern; write one * for each folder"
    ]


def test_braces_in_start_and_seed(
    trained: Path, tmp_path: Path, write_config: Callable[..., Path], mfnet: Path, told: Told
) -> None:
    (tmp_path / "m{x}0").symlink_to(trained)
    config = write_config(mfnet, train={"steps": 1, "validations": 1})
    start = str(tmp_path / "m{x}{seed}")
    assert main(["train", str(config), "--train.start", start]) == 0
    assert main(["train", str(config), f"--train.start={tmp_path}/{{}}", "--out", "x{y"]) == 2
    assert "no model here" in told()[-1]


LISTS = [
    ("bom", "\ufeffa\nb\n"),
    ("crlf", "a\r\nb\r\n"),
    ("old mac", "a\rb"),
    ("endings", "a.png\nb.PNG\n"),
    ("another ending", "a.jpg\nb.tiff\n"),
    ("folders", "rgb/a.png\nthermal/b.png\n"),
    ("from here", "./a\n./rgb/b\n"),
    ("windows", "rgb\\a.png\nD:\\data\\rgb\\b.png\n"),
    ("elsewhere", "/home/other/set/rgb/a.png\n/home/other/set/b\n"),
    ("tabs", "a.png\ta.png\nb.png\tb.png\n"),
    ("columns", "rgb/a.png,thermal/a.png,labels/a.png\nrgb/b.png, thermal/b.png, labels/b.png\n"),
    ("blanks", "rgb/a.png labels/a.png\nrgb/b.png labels/b.png\n"),
    ("numbers", "a 0\nb 1\n"),
    ("comments", "# the list\n\n  a  \n#rgb/c.png\n\nb # dark\n"),
    ("headings", "rgb,thermal,label\na,a,a\nb,b,b\n"),
    ("quotes", '"a.png","a.png"\n"b.png","b.png"\n'),
]


@pytest.mark.parametrize(("text"), [text for _, text in LISTS], ids=[name for name, _ in LISTS])
def test_lists_are_read_as_people_write_them(tmp_path: Path, text: str) -> None:
    root = make(tmp_path / "own", ["a", "b", "c"])
    (root / "train.txt").write_bytes(text.encode())
    assert pairs(root) == {"train": 2}


def test_names_with_dots_blanks_and_commas_stay_whole(tmp_path: Path) -> None:
    names = ["a.b", "a", "a b", "a,b", "#1", "x.png"]
    root = make(tmp_path / "own", names)
    (root / "train.txt").write_text("".join(f"{name}\n" for name in names))
    (root / "val.txt").write_text("a.b.png\nrgb/a b.png\na,b.png\n#1.png\n")
    assert pairs(root) == {"train": 6, "val": 4}


def test_lists_of_patterns(tmp_path: Path) -> None:
    forms = {"rgb": "%_rgb.png", "thermal": "%_th.png", "labels": "labels/%_label.png"}
    root = make(tmp_path / "own", ["d1/0", "d1/1", "d2/0"], forms)
    words = ["--rgb", "*/*_rgb.png", "--thermal", "*/*_th.*", "--labels", "labels/*/*_label.png"]
    (root / "train.txt").write_text("d1/0_rgb.png\td1/0_th.png\n1_rgb.png\n")
    (root / "val.txt").write_text(f"{root}/d2/0_rgb.png\n")
    (root / "test.txt").write_text("2-0\nd3/0_rgb.png\n")
    (root / "dev.txt").write_text("0_rgb.png\n")
    assert pairs(root, *words, "--split", "train", "--split", "val") == {"train": 2, "val": 1}
    _, found = check(root, *words, "--split", "test", "--split", "dev")
    first, second = found["errors"]  # type: ignore[misc]
    assert "*_rgb.png: 2 of 2 are missing: 2-0, d3/0_rgb.png; add the partners" in first
    assert "*_rgb.png: 0_rgb.png is missing" in second  # of two drives


LISTS_REFUSED = [
    (b"\xff\xfea\0\n\0", "train.txt: UTF-16, not UTF-8 text; save it as UTF-8"),
    (b"a\0\n\0b\0", "train.txt: UTF-16, not UTF-8"),
    (b"caf\xe9\n", "train.txt: not UTF-8 text"),
    (b"a.png\tb.png\n", "line 1 takes b.png for the partner of a.png, but partners are files of"),
    (b"# nothing\n\n", "the split 'train' is empty"),
    (b"A\n", "rgb: A is missing (there is a.png: letter case counts); add the partner or take A"),
    (b"x1\na\nx2\n", "rgb: 2 of 3 are missing: x1, x2; add the partners or take them out of"),
    (
        "".join(f"x{i}\n" for i in range(12)).encode(),
        "rgb: 12 of 12 are missing: x0, x1, x2, x3, x4, x5, x6, x7, x8, x9 and 2 more; add",
    ),
]


REPEATS = [
    (b"a\nb\na.png\n", "txt: a (lines 1 and 3) is listed twice"),
    (b"a\na\nb\nb\n", "txt: 2 are listed twice: a (lines 1 and 2), b (lines 3 and 4)"),
]


@pytest.mark.parametrize(("content", "message"), REPEATS)
def test_what_is_listed_twice_is_learnt_twice_and_never_measured_twice(
    tmp_path: Path, write_config: Callable[..., Path], told: Told, content: bytes, message: str
) -> None:
    root = make(tmp_path / "own", ["a", "b"])
    for split in ("train", "val"):
        (root / f"{split}.txt").write_bytes(content)
    data = {"layout": "pairs", "classes": ["ground", "person"], "test": None}
    config = write_config(root, data=data, train={"steps": 1, "batch_size": 1})
    assert main(["train", str(config)]) == 2
    assert f"val.{message}; a pair that counts twice biases figures" in told()[-1]
    assert main(["train", str(config), "--data.val", "null"]) == 0
    assert any(f"train.{message}; each is learnt from as often" in line for line in told())
    words = ["--data", str(root), "--layout", "pairs", "--split", "val"]
    run = str(tmp_path / "run")
    assert main(["evaluate", run, *words, "--out", str(tmp_path / "e")]) == 2
    assert "a pair that counts twice biases figures" in told()[-1]


@pytest.mark.parametrize(("content", "message"), LISTS_REFUSED)
def test_lists_that_are_refused(
    tmp_path: Path, write_config: Callable[..., Path], told: Told, content: bytes, message: str
) -> None:
    root = make(tmp_path / "own", ["a", "b"])
    (root / "train.txt").write_bytes(content)
    data = {"layout": "pairs", "classes": ["ground", "person"], "val": None, "test": None}
    config = write_config(root, data=data)
    assert main(["train", str(config)]) == 2
    (line,) = told()
    assert message in line


def test_missing_partners_of_several_kinds(tmp_path: Path) -> None:
    root = make(tmp_path / "own", ["a", "b", "c"])
    for name in ("thermal/a.png", "labels/b.png", "labels/c.png"):
        (root / name).unlink()
    (root / "labels" / "b.npy").touch()
    _, found = check(root)
    (line,) = found["errors"]  # type: ignore[misc]
    assert f"{root}/thermal: a is missing; {root}/labels: 2 of 3 are missing: b, c; " in line
    assert "b.npy is not read" in line
    assert line.endswith("add the partners or take them out of the split 'all'")


def test_predict_counts_missing_partners(trained: Path, tmp_path: Path, told: Told) -> None:
    names = [f"x{i:02d}" for i in range(12)]
    root = make(tmp_path / "own", names)
    for name in names[:11]:
        (root / "thermal" / f"{name}.png").unlink()
    (root / "rgb" / "x11.png").unlink()
    words = ["--rgb", f"{root}/rgb", "--thermal", f"{root}/thermal"]
    assert main(["predict", str(trained), *words, "--out", str(tmp_path / "out")]) == 2
    (line,) = told()
    assert "11 have no partner: x00.png, x01.png," in line
    assert "and 1 more in" in line
    assert "; x11.png has no partner in" in line


@pytest.mark.parametrize(
    ("key", "cure"),
    [
        ("val", "without a val split set data.val null, or data.train 'train[:90%]' and data.val"),
        ("test", "without a test split set data.test null"),
    ],
)
@pytest.mark.parametrize("folders", [False, True])
def test_a_missing_split_names_the_cure(
    tmp_path: Path,
    write_config: Callable[..., Path],
    told: Told,
    key: str,
    cure: str,
    folders: bool,
) -> None:
    splits = [split for split in ("train", "val", "test") if split != key]
    data: dict[str, object] = {"layout": "pairs", "classes": ["ground", "person"]}
    if folders:
        data |= {kind: f"{{split}}/{kind}" for kind in KINDS}
        for split in splits:
            make(tmp_path / "own", ["a", "b"], {kind: f"{split}/{kind}/%.png" for kind in KINDS})
    else:
        make(tmp_path / "own", ["a", "b"])
        for split in splits:
            (tmp_path / "own" / f"{split}.txt").write_text("a\nb\n")
    config = write_config(tmp_path / "own", data=data)
    assert main(["train", str(config)]) == 2
    (line,) = told()
    assert cure in line
    if not folders:
        assert f"(there is a list of {', '.join(sorted(splits))})" in line


def test_composed_and_decomposed_names_meet(trained: Path, tmp_path: Path, told: Told) -> None:
    composed = "straße é"
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    root = tmp_path / "own"
    make(root, [composed], {"thermal": "else/%.png"})
    make(root, [decomposed], {"rgb": "else/%.png", "labels": "else/%.png"})
    (root / "train.txt").write_text(f"{decomposed}\n", encoding="utf-8")
    (root / "val.txt").write_text(f"{composed}.png\n", encoding="utf-8")
    assert pairs(root) == {"train": 1, "val": 1}
    words = ["--rgb", f"{root}/rgb", "--thermal", f"{root}/thermal"]
    assert main(["predict", str(trained), *words, "--out", str(tmp_path / "out")]) == 0
    make(root, [decomposed])
    assert main(["predict", str(trained), *words, "--out", str(tmp_path / "more")]) == 2
    assert "has the same stem in another Unicode form; remove one" in told()[-1]


def test_instance_ids_are_found_by_name_or_missed(tmp_path: Path) -> None:
    name = "é"
    root = make(tmp_path / "own", [name], {"ids": "instances/%.png"})
    decomposed = root / "instances" / unicodedata.normalize("NFD", f"{name}.png")
    (root / "instances" / f"{name}.png").rename(decomposed)
    data = InstanceFolder(root, "pairs", classes=["ground", "person"])
    ids = data[0].labels
    assert ids is not None
    assert np.array_equal(ids.numpy(), np.asarray(Image.open(decomposed)))
    decomposed.rename(root / "instances" / "other.png")
    with pytest.raises(InputError, match="instances: é is missing; add its ids"):
        InstanceFolder(root, "pairs", classes=["ground", "person"])[0]


def test_names_that_differ_in_letter_case_only(trained: Path, tmp_path: Path, told: Told) -> None:
    root = make(tmp_path / "own", ["Frame", "frame"])
    _, found = check(root)
    assert found["errors"] == [
        f"{root}/rgb/frame.png: Frame.png differs in letter case only; rename one"
    ]
    words = ["predict", str(trained), "--rgb", f"{root}/rgb", "--out", str(tmp_path / "out")]
    assert main(words) == 2
    assert "Frame.png differs in letter case only" in told()[0]


def test_a_folder_of_that_very_name_comes_first(
    tmp_path: Path, write_config: Callable[..., Path], trained: Path
) -> None:
    """Before {seed} stands for a seed and {split} for a split."""
    root = make(tmp_path / "own", ["a", "b"])
    for kind in ("rgb", "thermal", "labels"):
        (root / kind).rename(root / f"{kind} {{split}}")
    places = {kind: f"{kind} {{split}}" for kind in ("rgb", "thermal", "labels")}
    data = {"layout": "pairs", "classes": ["ground", "person"], "val": None, "test": None}
    train = {"steps": 1, "batch_size": 1}
    (root / "train.txt").write_text("a\nb\n")
    config = write_config(root, data=data | places, train=train, out=str(tmp_path / "x {seed}"))
    assert main(["train", str(config)]) == 0
    assert (tmp_path / "x {seed}" / "model").is_dir()
    words = ["--train.start", str(tmp_path / "x {seed}"), "--out", str(tmp_path / "y")]
    assert main(["train", str(config), *words]) == 0
