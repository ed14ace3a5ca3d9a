"""The scripts beside the package, with the words that a user types."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import samantic
from samantic.config import AdaptConfig, StudentConfig
from samantic.data import CATALOG, PairedFolder
from samantic.models.build import build
from samantic.predict.info import ModelInfo
from samantic.predict.model_folder import save_model
from samantic.scenes.write import write_scenes
from tests.helpers import run_script

ROOT = Path(__file__).parents[1]


def run(script: str, *words: object) -> str:
    return run_script(ROOT / script, *words)


@pytest.mark.slow
def test_pseudo_labels_are_the_confident_ones(trained: Path, mfnet: Path, tmp_path: Path) -> None:
    pairs, out = tmp_path / "pairs", tmp_path / "out"
    write_scenes(pairs, "pairs", {"all": range(3)}, seed=8, size=(48, 64))
    model = samantic.load(trained, device="cpu")
    names = sorted(path.stem for path in (pairs / "rgb").iterdir())
    paths = [[pairs / kind / f"{name}.png" for kind in ("rgb", "thermal")] for name in names]
    predictions = [model.predict(rgb=rgb, thermal=thermal) for rgb, thermal in paths]
    least = float(np.median([part.confidence for part in predictions]))
    words = ["--rgb", pairs / "rgb", "--thermal", pairs / "thermal", "--labelled", mfnet]
    options = ["--out", out, "--confidence", least, "--repeat", 3]
    run("training/pseudo_labels.py", trained, trained, *words, *options)
    train = PairedFolder(out, "mfnet", "train")
    labelled = len(PairedFolder(mfnet, "mfnet", "train"))
    assert len(train) == 3 * labelled + 3
    for index, prediction in enumerate(predictions):
        sample = train[3 * labelled + index]
        assert sample.name == f"pseudo_{names[index]}"
        expected = np.where(prediction.confidence >= least, prediction.labels, 255)
        assert sample.labels is not None
        assert (sample.labels.numpy() == expected).mean() > 0.999
        with Image.open(paths[index][0]) as image:
            assert sample.rgb is not None
            colours = (255 * sample.rgb).round().byte().permute(1, 2, 0).numpy()
            assert np.array_equal(colours, np.asarray(image.convert("RGB")))
    run("training/pseudo_labels.py", *words, "--out", tmp_path / "bare", "--repeat", 1)
    bare = PairedFolder(tmp_path / "bare", "mfnet", "train", labelled=False)
    assert len(bare) == labelled + 3
    assert torch.equal(cast(Tensor, bare[labelled].rgb), cast(Tensor, train[3 * labelled].rgb))
    assert not list((tmp_path / "bare" / "labels").glob("pseudo_*"))
    kept = [len(PairedFolder(out, "mfnet", split)) for split in ("val", "test")]
    assert kept == [len(PairedFolder(mfnet, "mfnet", split)) for split in ("val", "test")]


@pytest.mark.slow
def test_benchmark_of_evaluation(mfnet: Path) -> None:
    words = ["--data", mfnet, "--split", "train", "--frames", 4, "--base", "random-micro"]
    told = run("benchmarks/evaluation.py", *words)
    assert "4 frames" in told
    assert re.search(r"outside the network: \d+\.\d% of the time", told)
    assert re.search(r"resident memory, first and last hundred frames: \d+ MB, \d+ MB", told)
    assert "evaluate_predictor" in told


@pytest.mark.slow
def test_nano_with_one_encoder(tmp_path: Path) -> None:
    run("training/merge_nano.py", "--out", tmp_path)
    model = samantic.load(tmp_path, device="cpu")
    assert model.info.model.fusion == "early"
    assert sum(p.numel() for p in model.network.parameters()) < 3.7e6
    labels = model.predict(rgb=np.zeros((64, 96, 3), np.uint8)).labels  # without thermal
    assert labels.shape == (64, 96)


@pytest.mark.slow
def test_benchmark_of_students() -> None:
    told = run("benchmarks/student.py", "--repeats", 1, "--size", 64, 64)
    assert "9 classes, 64x64" in told
    assert re.search(r"student segformer-b0 +3\.72 M +\d+\.\d G +\d+ ms( +\d+\.\d\d){3}\n", told)
    assert "SARTM sam2.1-hiera-tiny" in told


@pytest.mark.slow
def test_benchmark_of_fusion() -> None:
    told = run("benchmarks/fusion.py", "--masks", 5, "--size", 40, 64, "--repeats", 1)
    assert "5 masks on 64x40" in told
    assert re.search(r"complementary fusion +\d+ ms", told)


@pytest.mark.slow
def test_panoramas_are_measured_by_tile(tmp_path: Path) -> None:
    write_scenes(tmp_path / "data", "densepass", {"test": range(2)}, seed=5, size=(64, 160))
    spec = CATALOG["densepass"]
    model = StudentConfig("segformer-micro", "rgb")
    info = ModelInfo(model, AdaptConfig("full"), spec.classes, spec.palette, spec.title)
    save_model(tmp_path / "model", build(info.model, info.adapt, len(info.classes)), info)
    told = run(
        "training/measure_panoramas.py", tmp_path, "--data", tmp_path / "data", "--tile", 96
    ).splitlines()
    figures = r"mIoU \d+\.\d\d, turned by half 100\.000 % agree"
    assert re.fullmatch(f"tile of the model: {figures}", told[0])
    interval = r"[+-]\d+\.\d\d \(-?\d+\.\d\d to -?\d+\.\d\d\)"
    assert re.fullmatch(f"tile 96: {figures}, {interval}", told[1])


@pytest.mark.slow
def test_benchmark_of_the_context(trained: Path, mfnet: Path) -> None:
    told = run("benchmarks/context.py", trained, "--data", mfnet)
    assert "2 pairs" in told
    for scale in ("fine", "intermediate", "semantic"):
        assert re.search(rf"fusion\.{scale}\.fuse sum: \d+\.\d+ [01]\.\d+\n", told)


@pytest.mark.slow
def test_benchmark_of_a_gpu_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """On the CPU at toy size: cells are measured once, and the table shows all."""
    out = tmp_path / "gpu.jsonl"
    words = ["--out", out, "--device", "cpu", "--sizes", "32x32", "--seconds", 0]
    stopped = run("benchmarks/gpu.py", *words, "--networks", "random-micro", "--limit", 0)
    assert "0 s are over; run it again to go on" in stopped
    assert not out.exists()
    words += ["--ways", "eager", "--batches", 1]
    run("benchmarks/gpu.py", *words, "--networks", "random-micro")
    before = out.read_text()
    told = run("benchmarks/gpu.py", *words, "--networks", "random-micro", "nano")
    assert out.read_text().startswith(before)
    assert re.search(r"\| random-micro \| 32x32 \| 1 \| eager \| [\d.]+ \|  \| \d+ % \|", told)
    assert re.search(r"\| nano \| 32x32 \| 1 \| eager \| [\d.]+ \|", told)
    assert "cpu: " in told


@pytest.mark.slow
def test_benchmark_of_predict(tmp_path: Path) -> None:
    write_scenes(tmp_path, "pairs", {"all": range(4)}, seed=3, size=(48, 64))
    told = run(
        "benchmarks/predict.py",
        "nano",
        "--rgb",
        tmp_path / "rgb",
        "--thermal",
        tmp_path / "thermal",
    )
    for way in ("in threads", "one after the other"):
        assert re.search(rf"{way}: 2 pairs, [\d.]+ pairs/s, outside the network [\d.]+ %", told)
    assert re.search(r"overlay, level 4: [\d.]+ ms, \d+ kB", told)


@pytest.mark.slow
def test_a_cell_of_the_rehearsal(tmp_path: Path) -> None:
    """The paper's configuration at a tiny size: every verb once, and nothing is done twice."""
    words = ["--tiny", "--cells", "fmb_paper", "--out", tmp_path]
    told = run("benchmarks/rehearsal.py", *words)
    assert [line for line in told.splitlines() if not line.startswith("|")] == [
        f"fmb_paper micro: {verb}" for verb in ("dry run", "train", "evaluate", "predict")
    ]
    row = told.splitlines()[-1].split(" | ")
    assert row[:3] == ["| fmb_paper", "micro", "800x800"]
    assert all(re.fullmatch(r"[\d.]+", cell.strip(" |")) for cell in row[3:])
    assert row[9] == "68625", "500 epochs of 1,098 pairs, 8 a step"
    assert run("benchmarks/rehearsal.py", *words) == told[told.index("|") :]


def test_a_command_that_takes_too_much_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from bounded import Bounds, run_bounded

    code = "import time; x = bytearray({} << 20); print('here', flush=True); time.sleep(60)"
    command = [sys.executable, "-c", code.format(300)]
    large = run_bounded(command, Bounds(150e6, 50), ROOT)
    assert large["status"] == "memory"
    slow = run_bounded([sys.executable, "-c", code.format(1)], Bounds(1e9, 1), ROOT)
    assert (slow["status"], slow["told"]) == ("time", "here\n")
    done = run_bounded([sys.executable, "-c", "x = bytearray(200 << 20)"], Bounds(1e9, 50), ROOT)
    assert done["status"] == "done"
    ours = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # counts until it has begun
    assert 200 << 20 < done["peak"] < max(400 << 20, 1.1 * ours)
    assert run_bounded([sys.executable, "-c", "1 / 0"], Bounds(1e9, 50), ROOT)["told"].endswith(
        "ZeroDivisionError: division by zero\n"
    )
