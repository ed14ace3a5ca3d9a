"""Rigs from pairs: through the command, and what is claimed where there is no rig."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from samantic.calibrate.estimate import estimate
from samantic.calibrate.geometry import apart, fitted, grid, mapped, robust
from samantic.cli import main
from samantic.data.rig import read_rig
from samantic.scenes import draw_scene
from samantic.scenes.rigs import draw_rig, other_contrast, seen_by_rig

RGB, THERMAL = (192, 256), (96, 128)


def pairs_of_a_rig(folder: Path, count: int = 10, seed: int = 1) -> np.ndarray:
    """Write pairs of a drawn rig, thermal of 16 bits and another contrast each; its homography."""
    rng = np.random.default_rng(seed)
    matrix = draw_rig(rng, RGB, THERMAL)
    for index in range(count):
        scene = draw_scene(seed, index, RGB)
        heat = other_contrast(rng, seen_by_rig(scene.thermal, matrix, THERMAL))
        for kind, pixels in (("rgb", scene.rgb), ("thermal", (7000 + 10 * heat).astype("u2"))):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / kind / f"{index:03}.png")
    return matrix


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    folder = tmp_path_factory.mktemp("drive")
    return folder, pairs_of_a_rig(folder)


def words(folder: Path, out: Path) -> list[str]:
    images = ["--rgb", str(folder / "rgb"), "--thermal", str(folder / "thermal")]
    return ["calibrate", *images, "--out", str(out)]


def test_pairs_by_time_are_those_by_name(
    drive: tuple[Path, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two cameras by themselves name their files by their own clocks."""
    for kind, late in (("rgb", 0.0), ("thermal", 0.012)):
        (tmp_path / kind).mkdir()
        for index, path in enumerate(sorted((drive[0] / kind).iterdir())):
            shutil.copy(path, tmp_path / kind / f"{1706702400 + 0.5 * index + late:.3f}.png")
    timed = words(tmp_path, tmp_path / "out")
    assert main(timed) == 2
    told = capsys.readouterr().err
    assert "10 pairs lie at most 12ms apart; pair them by `samantic calibrate" in told
    assert main([*timed, "--tolerance", "12ms"]) == 0
    assert main(words(drive[0], tmp_path / "named")) == 0
    found, named = (read_rig(str(tmp_path / at / "rig.yaml")).matrix for at in ("out", "named"))
    assert found == named


def test_a_rig_is_found_and_its_file_is_taken(
    drive: tuple[Path, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, matrix = drive
    out = tmp_path / "out"
    assert main(words(folder, out)) == 0
    assert "Estimated from 10 pairs: two halves of them agree to" in capsys.readouterr().out
    found = np.array(read_rig(str(out / "rig.yaml")).matrix)
    assert np.median(apart(found, matrix, THERMAL, RGB)) < 1
    record = json.loads((out / "calibrate.json").read_text())
    assert record["known"] is True
    assert np.allclose(record["thermal_to_rgb"], found)
    check = ["check", "--data", str(folder), "--layout", "pairs", "--out", str(tmp_path / "c")]
    assert main([*check, "--thermal-scaling", "frame", "--rig", str(out / "rig.yaml")]) == 0
    told = json.loads((tmp_path / "c" / "check.json").read_text())
    assert told["splits"]["all"]["misalignment"]["median_px"] <= 1.5
    values = yaml.safe_load((out / "rig.yaml").read_text())
    assert values["thermal_size"] == [*THERMAL[::-1]]
    assert values["rgb_size"] == [*RGB[::-1]]
    hand = (out / "rig.yaml").read_text().replace("as it was found", "corrected by hand")
    (out / "rig.yaml").write_text(hand)
    capsys.readouterr()
    assert main(words(folder, out)) == 2
    assert "rig.yaml: corrected by hand; give another --out" in capsys.readouterr().err


def test_pairs_of_different_scenes_are_no_rig(
    drive: tuple[Path, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every thermal image belongs to the RGB image two before."""
    folder = tmp_path / "late"
    for kind, step in (("rgb", 0), ("thermal", 2)):
        (folder / kind).mkdir(parents=True)
        files = sorted((drive[0] / kind).iterdir())
        for place, path in enumerate(files):
            (folder / kind / files[(place + step) % 10].name).write_bytes(path.read_bytes())
    out = tmp_path / "out"
    assert main(words(folder, out)) == 1
    error = capsys.readouterr().err
    assert error.startswith("samantic: the rig is not known: two halves of the pairs disagree by")
    assert "calibrate.html" in error
    assert error.count("\n") == 1
    assert not (out / "rig.yaml").exists()
    assert (out / "calibrate.html").exists()


def test_too_few_pairs_claim_nothing(drive: tuple[Path, np.ndarray]) -> None:
    folder, _ = drive
    rgb = [np.asarray(Image.open(folder / "rgb" / f"00{i}.png").convert("F")) for i in range(2)]
    heat = [np.asarray(Image.open(folder / "thermal" / f"00{i}.png"), "f4") for i in range(2)]
    assert estimate(rgb, heat).doubt == "2 pairs; give 8 or more, of different scenes"
    assert estimate(rgb[:1], heat[:1]).doubt.startswith("1 pair; give 8 or more")


@pytest.mark.parametrize("what", ["flat", "noise", "one scene"])
def test_images_that_say_nothing(drive: tuple[Path, np.ndarray], what: str) -> None:
    folder, _ = drive
    rng = np.random.default_rng(0)
    rgb = [np.asarray(Image.open(p).convert("F")) for p in sorted((folder / "rgb").iterdir())]
    heat = [np.full(THERMAL, 7, "f4") for _ in rgb]
    if what == "noise":
        heat = [rng.normal(0, 1, THERMAL).astype("f4") for _ in rgb]
    if what == "one scene":
        rgb, heat = rgb[:1] * 10, [heat[0] + rng.random(THERMAL).astype("f4")] * 10
    assert estimate(rgb, heat).doubt != ""


def test_a_calibration_of_another_tool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "stereo.yaml"
    path.write_text(
        "{K_thermal: [300, 300, 160, 120], K_rgb: [600, 600, 320, 240], T: [0.1, 0, 0], "
        "R: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}"
    )
    out = ["--out", str(tmp_path / "out")]
    assert main(["calibrate", "--from", str(path), *out]) == 0
    assert "Objects at distance 1 (unit of T) are off by 60 pixels" in capsys.readouterr().out
    values = yaml.safe_load((tmp_path / "out" / "rig.yaml").read_text())
    assert np.allclose(values["thermal_to_rgb"], [[2, 0, 0], [0, 2, 0], [0, 0, 1]], atol=1e-9)
    assert not (tmp_path / "out" / "calibrate.html").exists()
    assert main(["calibrate", "--from", str(path), "--distance", "6", *out]) == 0
    values = yaml.safe_load((tmp_path / "out" / "rig.yaml").read_text())
    assert np.allclose(values["thermal_to_rgb"], [[2, 0, 10], [0, 2, 0], [0, 0, 1]], atol=1e-9)
    capsys.readouterr()
    far = ["--from", str(tmp_path / "out" / "rig.yaml"), "--distance", "6"]
    assert main(["calibrate", *far, "--out", str(tmp_path / "far")]) == 2
    assert (
        "rig.yaml holds a homography, which is exact for its own plane" in capsys.readouterr().err
    )


def test_a_calibration_of_images_that_were_resized(
    drive: tuple[Path, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pairs of the rig are smaller than those of the camera matrices."""
    (h, w), (tall, wide) = THERMAL, RGB
    for by, status in ((1, 0), (2, 2)):
        path = tmp_path / f"{by}.yaml"
        path.write_text(
            f"{{K_thermal: [300, 300, {by * w / 2}, {by * h / 2}], "
            f"K_rgb: [600, 600, {by * wide / 2}, {by * tall / 2}], T: [0, 0, 0], "
            "R: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}"
        )
        assert main([*words(drive[0], tmp_path / f"o{by}"), "--from", str(path)]) == status
    told = f"principal point of thermal is the middle of about {2 * w + 1}x{2 * h + 1} pixels, but"
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "give --rgb and --thermal, folders of pairs of one rig"),
        (["--rgb", "x"], "give --rgb and --thermal"),
        (["--from", "none.yaml"], "none.yaml: no such calibration"),
        (["--rgb", "x", "--thermal", "x", "--distance", "3"], "--distance: is for a calibration"),
    ],
)
def test_bad_input(
    given: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", *given, "--out", str(tmp_path / "o")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_two_sizes_are_two_rigs(
    drive: tuple[Path, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("rgb", "thermal"):
        (tmp_path / kind).mkdir()
        for name in ("000.png", "001.png"):
            (tmp_path / kind / name).write_bytes((drive[0] / kind / name).read_bytes())
    Image.new("L", (64, 48)).save(tmp_path / "thermal" / "001.png")
    assert main(words(tmp_path, tmp_path / "o")) == 2
    assert "001.png: 64x48 pixels, but 000 has 128x96" in capsys.readouterr().err


def test_homography_through_points() -> None:
    matrix = np.array([[1.9, 0.1, 5], [-0.08, 2.1, 3], [2e-4, -1e-4, 1]])
    points = grid((48, 64), 6)
    there = mapped(matrix, points)
    assert np.allclose(fitted(points, there, np.ones(36)), matrix, atol=1e-9)
    wrong = there.copy()
    wrong[::4] += np.random.default_rng(0).uniform(-40, 40, wrong[::4].shape)
    found, residuals = robust(points, wrong, np.ones(36), "homography")
    assert np.allclose(mapped(found, points), there, atol=0.05)
    assert (residuals[1::4] < 0.1).all()
