"""Partners whose names are not quite the same, and files without one, through the real command."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from samantic.cli import main
from samantic.data.pairing import partners
from tests.data.test_folders import check, make

FOUND = {"all": 3}


def save(path: Path, seed: int, kind: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (32, 40, 3) if kind == "rgb" else (32, 40)
    pixels = np.random.default_rng(seed).integers(0, 2 if kind == "labels" else 255, shape)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def pairs(root: Path, *words: str) -> tuple[Any, Any, Any]:
    """Pairs by split, errors and warnings of `check`."""
    _, found = check(root, *words)
    counts = {name: part["pairs"] for name, part in found["splits"].items()}  # type: ignore[attr-defined]
    return counts, found["errors"], found["warnings"]


FORMS = {
    "suffixes": ("rgb/%_rgb.png", "thermal/%_ir.png", "labels/%_mask.png"),
    "one has none": ("rgb/%.png", "thermal/%-thermal.png", "labels/%_label.png"),
    "prefixes": ("rgb/RGB_%.png", "thermal/IR_%.png", "labels/gt_%.png"),
    "drones": ("rgb/DJI_%_W.JPG", "thermal/DJI_%_T.tiff", "labels/DJI_%_T.png"),
    "masks": ("rgb/%_rgb.png", "thermal/%_ir.png", "labels/%_rgb_mask.png"),
    "case": ("rgb/IMG_%.JPG", "thermal/img_%.TIF", "labels/Img_%.png"),
    "endings": ("rgb/%.jpeg", "thermal/%.TIF", "labels/%.PNG"),
    "nested": ("rgb/a/b/%.png", "thermal/a/b/%.png", "labels/a/b/%.png"),
    "words inside": ("rgb/s1_rgb_%.png", "thermal/s1_thermal_%.png", "labels/s1_rgb_%_mask.png"),
    "words at numbers": ("rgb/%RGB.png", "thermal/IR%.png", "labels/%.png"),
    "kinds as folders": ("rgb/s1/vis/%.png", "thermal/s1/lwir/%.png", "labels/s1/gt/%.png"),
    "zeros": ("rgb/f_%.png", "thermal/f_00%.png", "labels/f_0%.png"),
    "nested suffixes": ("rgb/a/%_vis.png", "thermal/a/%_lwir.png", "labels/a/%.png"),
}


@pytest.mark.parametrize("kind", FORMS)
def test_partners(kind: str, tmp_path: Path) -> None:
    for seed, name in enumerate(("0001", "0002", "0003")):
        for sort, form in zip(("rgb", "thermal", "labels"), FORMS[kind], strict=True):
            save(tmp_path / "own" / form.replace("%", name), seed, sort)
    counts, errors, warnings = pairs(tmp_path / "own")
    assert (counts, errors) == (FOUND, [])
    guessed = [line for line in warnings if "is taken for the partner of" in line]
    assert bool(guessed) == (kind not in ("case", "endings", "nested"))


def test_nested_frames_of_one_name(tmp_path: Path) -> None:
    for seed, drive in enumerate(("d1", "d2", "d3")):
        for kind in ("rgb", "thermal", "labels"):
            save(tmp_path / "own" / kind / drive / "0.png", seed, kind)
            (tmp_path / "own" / kind / drive / ".hidden.png").touch()
    (tmp_path / "own" / "train.txt").write_text("d1/0.png\n")
    (tmp_path / "own" / "val.txt").write_text("d2-0\n")
    counts, errors, _ = pairs(tmp_path / "own")
    assert (counts, errors) == ({"train": 1, "val": 1}, [])


def test_unicode_forms_and_words(tmp_path: Path) -> None:
    name = "Straße é"
    for kind, form in (("rgb", "NFC"), ("thermal", "NFD"), ("labels", "NFD")):
        word = {"rgb": "rgb", "thermal": "ir", "labels": "mask"}[kind]
        path = f"{unicodedata.normalize(form, name)}_{word}.png"  # type: ignore[arg-type]
        save(tmp_path / "own" / kind / path, 0, kind)
    counts, errors, _ = pairs(tmp_path / "own")
    assert (counts, errors) == ({"all": 1}, [])


def test_a_name_that_could_be_of_two_pairs_is_of_none() -> None:
    words = ("rgb", "thermal")
    assert partners(["1_rgb", "1_vis"], ["1_ir"], words) == {}
    assert partners(["1_rgb"], ["1_ir", "1_th"], words) == {}
    assert partners(["1", "1_rgb"], ["1", "1_ir"], words) == {"1": "1", "1_ir": "1_rgb"}
    assert partners(["a_t"], ["a_w"], words) == {}  # words of the other kind


def test_one_folder_is_answered_with_patterns(tmp_path: Path) -> None:
    for seed in range(3):
        for kind, word in (("rgb", "rgb"), ("thermal", "IR"), ("labels", "mask")):
            save(tmp_path / "own" / "frames" / f"img_{seed}_{word}.png", seed, kind)
    _, errors, _ = pairs(tmp_path / "own")
    told = 'rgb "frames/*_rgb.*", thermal "frames/*_IR.*", labels "frames/*_mask.*"'
    assert told in errors[0]
    words = ["--rgb", "frames/*_rgb.*", "--thermal", "frames/*_IR.*"]
    counts, errors, _ = pairs(tmp_path / "own", *words, "--labels", "frames/*_mask.*")
    assert (counts, errors) == (FOUND, [])


def unpaired(root: Path) -> Path:
    """Four names, of which `b` lacks thermal, `c` labels; thermal has `x` besides."""
    make(root, ["a", "b", "c", "d"])
    (root / "thermal" / "b.png").unlink()
    (root / "labels" / "c.png").unlink()
    save(root / "thermal" / "x.png", 9, "thermal")
    return root


def test_different_counts_are_refused_by_name(tmp_path: Path) -> None:
    _, errors, _ = pairs(unpaired(tmp_path / "own"))
    assert "thermal: b is missing" in errors[0]
    assert "labels: c is missing" in errors[0]
    assert errors[0].endswith("out of the split 'all', as --allow-unpaired does")


def test_allow_unpaired_uses_the_others(tmp_path: Path) -> None:
    counts, errors, warnings = pairs(unpaired(tmp_path / "own"), "--allow-unpaired")
    assert (counts, errors) == ({"all": 2}, [])
    assert any("2 have no partner and are left out: b, c" in line for line in warnings)
    assert any("thermal: x has no partner; not used" in line for line in warnings)


def test_allow_unpaired_needs_a_pair(tmp_path: Path) -> None:
    root = make(tmp_path / "own", ["a", "b"])
    for path in (root / "thermal").iterdir():
        path.rename(path.with_stem(f"other {path.stem}"))
    _, errors, _ = pairs(root, "--allow-unpaired")
    assert "thermal: 2 of 2 are missing: a, b" in errors[0]
    assert "--allow-unpaired" not in errors[0]


def test_a_training_and_an_evaluation_leave_them_out(
    tmp_path: Path, write_config: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = unpaired(tmp_path / "own")
    data = {"layout": "pairs", "classes": ["ground", "person"]}
    splits = dict.fromkeys(("train", "val", "test"), "all")
    config = write_config(root, data=data | splits, train={"steps": 1, "validations": 1})
    assert main(["train", str(config)]) == 2
    assert "as data.allow_unpaired: true does" in capsys.readouterr().err
    assert main(["train", str(config), "--data.allow-unpaired", "true"]) == 0
    assert "2 have no partner and are left out: b, c" in capsys.readouterr().err
    words = ["evaluate", str(tmp_path / "run"), "--data", str(root), "--layout", "pairs"]
    words += ["--split", "all", "--out", str(tmp_path / "evaluated")]
    assert main(words) == 2
    assert main([*words, "--allow-unpaired"]) == 0


def test_predict_leaves_them_out(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, name in enumerate("abc"):
        save(tmp_path / "rgb" / f"{name}_rgb.png", seed, "rgb")
    for seed, name in enumerate("bcd"):
        save(tmp_path / "thermal" / f"{name}_IR.png", seed, "thermal")
    words = ["predict", str(trained), "--rgb", str(tmp_path / "rgb")]
    words += ["--thermal", str(tmp_path / "thermal"), "--out", str(tmp_path / "out")]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"a_rgb.png has no partner in {tmp_path / 'thermal'}; d_IR.png has no partner" in line
    assert "(--allow-unpaired leaves them out)" in line
    assert main([*words, "--allow-unpaired"]) == 0
    assert "d_IR.png has no partner" in capsys.readouterr().err
    found = sorted(path.stem for path in (tmp_path / "out" / "labels").iterdir())
    assert found == ["b_rgb", "c_rgb"]


def test_folders_beside_images_are_told(tmp_path: Path) -> None:
    """Images in folders inside are read where there are no others; else a line says that not."""
    for kind in ("rgb", "thermal", "labels"):
        save(tmp_path / "own" / kind / "1.png", 1, kind)
        save(tmp_path / "own" / kind / "night" / "2.png", 2, kind)
    counts, errors, warnings = pairs(tmp_path / "own")
    assert (counts, errors) == ({"all": 1}, [])
    assert any("1 images in subfolders are not read, first night/2.png" in w for w in warnings)
