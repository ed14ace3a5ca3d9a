from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

import samantic
from samantic.callbacks import read_history, read_similarity
from samantic.checkpoint import load_model
from samantic.cli import main
from samantic.config import Config
from samantic.config_files import read_config, read_distill_config
from samantic.data import CATALOG, PairedFolder
from samantic.data.loading import collate
from samantic.data.synthetic import write_scenes
from samantic.disturbances import SUITE
from samantic.errors import InputError
from samantic.metrics import confusion_matrix, scores
from samantic.models import SARTM, load_sam2
from samantic.models.segformer import build_segformer
from samantic.records import read_confusion
from samantic.run import train
from samantic.tasks import SegmentationTask, learning_rate_factor

WriteConfig = Callable[..., Path]


def test_run_folder(trained: Path) -> None:
    for name in (
        "config.yaml",
        "metrics.json",
        "last.ckpt",
        "report.html",
        "logs/part-0/metrics.csv",
    ):
        assert (trained / name).stat().st_size > 0
    metrics = json.loads((trained / "metrics.json").read_text())
    assert list(metrics["iou"])[:2] == ["unlabelled", "car"]
    assert set(metrics) >= {
        "miou", "iou", "miou_present", "macc", "pixel_accuracy", "f1", "per_subset", "robustness",
        "versions", "seed", "git", "split", "frames",
    }  # fmt: skip
    assert set(metrics["per_subset"]) == {"day", "night"}
    assert metrics["frames"] == 2
    assert metrics["split"] == "test"
    card = (trained / "model" / "README.md").read_text()
    assert f"{metrics['miou']:.4f}" in card
    assert read_config(trained / "config.yaml").train.steps == 6
    assert not [p for p in trained.rglob(".*") if p.is_file()], "a temporary file was left behind"


def test_report_of_a_run(trained: Path) -> None:
    page = (trained / "report.html").read_text()
    metrics = json.loads((trained / "metrics.json").read_text())
    assert f"<b>{100 * metrics['miou']:.1f} %</b>" in page
    assert page.count("data:image/jpeg;base64,") == 2 * 4  # RGB, thermal, truth, prediction,
    assert page.count("data:image/png;base64,") == 2 * 1  # and errors, of two frames
    assert page.count("<svg") == 3  # loss, mIoU and the published


def test_history_holds_every_validation(trained: Path) -> None:
    history = read_history(trained)
    assert len([row for row in history if "val/miou" in row]) == 3
    assert all("val/miou_auxiliary" in row for row in history if "val/miou" in row)


def test_evaluate_gives_the_same_number(trained: Path, mfnet: Path, tmp_path: Path) -> None:
    before = (trained / "metrics.json").read_bytes()
    words = ["evaluate", str(trained), "--data", str(mfnet), "--layout", "mfnet"]
    assert main([*words, "--split", "test", "--out", str(tmp_path / "again")]) == 0
    again = json.loads((tmp_path / "again" / "metrics.json").read_text())
    assert again["miou"] == pytest.approx(json.loads(before)["miou"], abs=1e-6)
    assert (trained / "metrics.json").read_bytes() == before


def test_evaluation_is_one_confusion_matrix(trained: Path, mfnet: Path) -> None:
    model = samantic.load(trained, device="cpu")
    data = PairedFolder(mfnet, "mfnet", "test")
    total = torch.zeros(9, 9, dtype=torch.int64)
    for index, files in enumerate(data.files):
        labels = data[index].labels
        assert labels is not None
        with torch.no_grad():
            sample = data[index]
            assert sample.rgb is not None
            assert sample.thermal is not None
            out = model.network(sample.rgb[None], sample.thermal[None])
        total += confusion_matrix(out.logits[0].argmax(0), labels, 9)
        assert files.name == data[index].name
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["miou"] == pytest.approx(scores(total).miou, abs=1e-9)


def test_training_without_a_validation_and_a_test_split(
    mfnet: Path, write_config: WriteConfig
) -> None:
    """The last state is kept, also where the steps are no multiple of the interval."""
    data = {"val": None, "test": None}
    path = write_config(mfnet, data=data, train={"steps": 5, "validations": 2})
    config = read_config(path)
    assert train(config, quiet=True) == {}
    run = Path(config.out)
    assert not (run / "metrics.json").exists()
    state = torch.load(run / "last.ckpt", weights_only=True)
    assert state["global_step"] == 5
    for name, tensor in load_model(run)[0].named_parameters():
        assert torch.equal(tensor, state["state_dict"][f"network.{name}"]), name


def test_default_output_of_evaluate(
    trained: Path, mfnet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["evaluate", str(trained), "--data", str(mfnet), "--layout", "mfnet", "--split", "val"]
    assert main(words) == 0
    assert (tmp_path / "runs" / "evaluate" / "tiny-val" / "report.html").exists()


def test_resume_continues_where_it_stopped(
    mfnet: Path, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run killed after its first validation ends with the same number of steps."""
    path = write_config(mfnet, train={"steps": 8, "validations": 4})
    seen: list[int] = []
    step = SegmentationTask.training_step

    def dies_at_five(self: SegmentationTask, *args: object) -> torch.Tensor:
        seen.append(self.global_step)
        if len(seen) == 6:
            raise RuntimeError("power cut")
        return step(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(SegmentationTask, "training_step", dies_at_five)
    config = read_config(path)
    with pytest.raises(RuntimeError, match="power cut"):
        train(config)
    assert seen == [0, 1, 2, 3, 4, 5]
    assert not (Path(config.out) / "metrics.json").exists()
    assert main(["train", str(path), "--resume"]) == 0
    assert seen[6:] == [4, 5, 6, 7]
    steps = [row["step"] for row in read_history(Path(config.out)) if "val/miou" in row]
    assert steps == [1, 3, 5, 7]


def test_a_finished_run_is_not_overwritten(
    trained: Path, write_config: WriteConfig, mfnet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_config(mfnet, out=str(trained))
    assert main(["train", str(path)]) == 2
    assert "holds a run already; add --resume" in capsys.readouterr().err
    other = write_config(mfnet, out=str(trained), model={"fusion": "late"})
    assert main(["train", str(other), "--resume"]) == 2
    assert "describes another network" in capsys.readouterr().err
    nothing = write_config(mfnet)
    assert main(["train", str(nothing), "--resume"]) == 2
    assert "no last.ckpt to resume from" in capsys.readouterr().err


def parameters(run: Path) -> dict[str, torch.Tensor]:
    return dict(load_model(run)[0].named_parameters())


def test_training_starts_from_a_trained_model(
    trained: Path, write_config: WriteConfig, mfnet: Path
) -> None:
    """Without a learning rate, the new run's weights are those it started from."""
    start = str(trained).replace("tiny", "t{seed}ny")
    (trained.parent / "t7ny").symlink_to(trained)
    still = {"start": start, "seed": 7, "steps": 1, "validations": 1, "learning_rate": 0.0}
    config = read_config(write_config(mfnet, train=still))
    train(config, quiet=True)
    before, after = (parameters(folder) for folder in (trained, Path(config.out)))
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"model": {"fusion": "late"}}, "has model.fusion paper, this run late"),
        ({"adapt": "full-separate"}, "has adapt.method full, this run full-separate"),
    ],
)
def test_a_start_of_another_network_is_refused(
    trained: Path,
    write_config: WriteConfig,
    mfnet: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    problem: str,
) -> None:
    path = write_config(mfnet, train={"start": str(trained)}, **changes)
    assert main(["train", str(path)]) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize("adapt", ["lora", "frozen"])
def test_frozen_random_trunk_is_refused(
    mfnet: Path, write_config: WriteConfig, capsys: pytest.CaptureFixture[str], adapt: str
) -> None:
    path = write_config(mfnet, adapt=adapt, train={"steps": 1, "validations": 1})
    assert main(["train", str(path)]) == 2
    assert "a frozen random network teaches nothing" in capsys.readouterr().err
    assert main(["train", str(path), "--adapt.random-ok"]) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"fusion": "late"},
        {"fusion": "rgb"},
        {"auxiliary": "none"},
        {"auxiliary": "deeplab", "prediction": "auxiliary"},
        {"auxiliary": "segformer", "decoder": "frozen"},
    ],
)
def test_variants_through_the_command(
    mfnet: Path,
    write_config: WriteConfig,
    capsys: pytest.CaptureFixture[str],
    options: dict[str, str],
) -> None:
    path = write_config(mfnet, model=options, train={"steps": 1, "validations": 1})
    assert main(["train", str(path), "--loss.cross-entropy", "plain"]) == 0
    out = capsys.readouterr().out
    assert "M parameters" in out
    assert "guardrail" in out


def test_saved_model_of_a_checkpoint_base_is_small_and_complete(
    mfnet: Path, write_config: WriteConfig, tmp_path: Path
) -> None:
    """What the base holds is not stored again, and the loaded network is the trained one."""
    base = tmp_path / "sam2"
    load_sam2("random-micro").save_pretrained(base)
    path = write_config(
        mfnet,
        model={"base": str(base)},
        adapt={"method": "lora", "rank": 2},
        train={"steps": 3, "validations": 1, "learning_rate": 0.01},
    )
    config = read_config(path)
    train(config, quiet=True)
    run = Path(config.out)
    tensors = load_file(run / "model" / "model.safetensors")
    assert any(".a_q" in name for name in tensors)
    assert not any("qkv.qkv" in name or "neck" in name for name in tensors)
    network, _ = load_model(run)
    state = torch.load(run / "last.ckpt", weights_only=True)["state_dict"]
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, state[f"network.{name}"]), name

    torch.manual_seed(99)
    load_sam2("random-micro").save_pretrained(base)
    with pytest.raises(InputError, match=f"trained on other weights of the base {base}"):
        load_model(run)


def test_loss_terms_and_weights(mfnet: Path, write_config: WriteConfig) -> None:
    config: Config = read_config(write_config(mfnet, loss={"auxiliary": 0.5}))
    network = SARTM(load_sam2("random-micro"), 9, adapt=config.adapt)
    task = SegmentationTask(network, config)
    logged: dict[str, float] = {}
    task.log_dict = lambda values: logged.update({k: float(v) for k, v in values.items()})  # type: ignore[assignment,method-assign]
    task.log = lambda name, value: logged.update({name: float(value)})  # type: ignore[assignment,method-assign]
    task.photometric = lambda batch: batch  # type: ignore[assignment]
    batch = collate([PairedFolder(mfnet, "mfnet", "train")[i] for i in range(2)])
    total = task.training_step(batch, 0)
    out = network(batch.rgb, batch.thermal)
    mask = task.cross_entropy(out.logits, batch.labels)
    assert out.auxiliary is not None
    auxiliary = task.cross_entropy(out.auxiliary, batch.labels)
    torch.testing.assert_close(total, mask + 0.5 * auxiliary)
    assert logged["train/auxiliary"] == pytest.approx(0.5 * auxiliary.item())


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """Vectors of seven of MFNet's class names; bump has none."""
    names = np.array(CATALOG["mfnet"].classes[1:-1])
    path = tmp_path / "vectors.npz"
    np.savez(path, names=names, embeddings=np.random.default_rng(0).normal(size=(7, 5)))
    return path


def test_language_guides_a_run_and_stays_with_its_model(
    mfnet: Path,
    write_config: WriteConfig,
    vectors: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All distillation terms through the command: logged, drawn, stored, and not needed after."""
    path = write_config(
        mfnet,
        model={"fusion": "figure"},
        text={"source": str(vectors)},
        loss={"language": 1.0, "prototype": 1.0, "cross_modal": 0.5},
        augment={"modality_dropout": 0.3},
        train={"validations": 4},
    )
    assert main(["train", str(path)]) == 0
    assert f"class names from {vectors}, without a vector: unlabelled, bump" in (
        capsys.readouterr().out
    )
    run = Path(read_config(path).out)
    history = read_history(run)
    logged = {key for row in history for key in row}
    assert {f"train/{term}" for term in ("language", "prototype", "cross_modal")} <= logged
    assert len([row for row in history if "val/alignment" in row]) == 4
    similarity = read_similarity(run / "similarity.npz")
    assert list(similarity) == ["text", "step_1", "step_2", "step_3", "step_4"]
    assert np.isnan(similarity["text"][8]).all()
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["text_alignment"]["pairs"] <= 21
    assert -1 <= metrics["text_alignment"]["spearman"] <= 1
    assert (run / "report.html").read_text().count("<svg") == 4
    assert "bump (left out)" in (run / "model" / "README.md").read_text()
    vectors.unlink()  # what evaluation needs is in the model folder
    words = ["evaluate", str(run), "--data", str(mfnet), "--layout", "mfnet", "--split", "test"]
    assert main([*words, "--out", str(tmp_path / "again")]) == 0
    again = json.loads((tmp_path / "again" / "metrics.json").read_text())
    assert again["text_alignment"] == metrics["text_alignment"]


def test_models_from_before_language_load(trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(trained / "model", folder)
    values = json.loads((folder / "config.json").read_text())
    del values["language"], values["terms"]
    (folder / "config.json").write_text(json.dumps(values))
    info = samantic.load(folder, device="cpu").info
    assert (info.language, info.terms) == (None, ())


def test_evaluation_without_a_modality(
    trained: Path, mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", str(trained), "--data", str(mfnet), "--layout", "mfnet", "--split", "test"]
    assert main([*words, "--robustness", "--out", str(tmp_path / "out")]) == 0
    assert "rgb missing" in capsys.readouterr().out
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    model, data = samantic.load(trained, device="cpu"), PairedFolder(mfnet, "mfnet", "test")
    total = torch.zeros(9, 9, dtype=torch.int64)
    for index in range(len(data)):
        sample = data[index]
        assert sample.thermal is not None
        assert sample.labels is not None
        with torch.no_grad():
            out = model.network(thermal=sample.thermal[None])
        total += confusion_matrix(out.logits[0].argmax(0), sample.labels, 9)
    assert metrics["robustness"]["rgb missing"]["miou"] == pytest.approx(scores(total).miou)
    assert list(metrics["robustness"]) == list(SUITE)
    names, matrices = read_confusion(tmp_path / "out" / "confusion.npz")
    assert names == [files.name for files in data.files]
    low, high = metrics["miou_interval"]
    assert low <= scores(matrices.sum(0)).miou == metrics["miou"] <= high


def test_evaluation_does_not_overwrite_a_run(
    trained: Path, mfnet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (trained / "metrics.json").read_bytes()
    words = ["evaluate", str(trained), "--data", str(mfnet), "--layout", "mfnet", "--split", "val"]
    assert main([*words, "--out", str(trained)]) == 2
    assert "holds a run and its own metrics; give another --out" in capsys.readouterr().err
    assert (trained / "metrics.json").read_bytes() == before


def test_confusion_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no confusion matrices"):
        read_confusion(tmp_path / "confusion.npz")


def test_single_modality_networks_know_no_modality_dropout(
    mfnet: Path, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = read_config(write_config(mfnet, augment={"modality_dropout": 0.5}))
    batch = collate([PairedFolder(mfnet, "mfnet", "train")[i] for i in range(2)])
    for fusion, hides in (("rgb", False), ("paper", True)):
        network = SARTM(load_sam2("random-micro"), 9, fusion=fusion, adapt=config.adapt)  # type: ignore[arg-type]
        task = SegmentationTask(network, config)
        seen: list[torch.Tensor | None] = []
        monkeypatch.setattr(task, "log_dict", lambda values: None)
        monkeypatch.setattr(task, "log", lambda name, value: None)
        network.register_forward_pre_hook(lambda module, args, seen=seen: seen.append(args[2]))
        for _ in range(10):
            task.training_step(batch, 0)
        assert any(present is not None and not present.all() for present in seen) == hides


def test_mixed_precision_clips_gradients(mfnet: Path, write_config: WriteConfig) -> None:
    """What `auto` means on a GPU: Lightning clips no gradients of a fused optimiser there."""
    path = write_config(mfnet, train={"precision": "bf16-mixed"})
    assert main(["train", str(path)]) == 0
    losses = [row["train/loss"] for row in read_history(path.parent / "run") if "train/loss" in row]
    assert losses
    assert np.isfinite(losses).all()


def test_learning_rate_schedule() -> None:
    factors = [learning_rate_factor(step, 100, 10) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[10] == pytest.approx(0.9**0.9)
    assert factors[5] == pytest.approx(0.55 * 0.95**0.9)
    assert factors[100] == 0
    assert max(factors) == factors[10]
    assert learning_rate_factor(0, 10, 0) == 1.0


def test_history_of_a_resumed_run(tmp_path: Path) -> None:
    for part, steps in ((0, (1, 3, 5)), (1, (3, 5, 7))):
        folder = tmp_path / "logs" / f"part-{part}"
        folder.mkdir(parents=True)
        with (folder / "metrics.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["step", "train/loss"])
            writer.writerows([step, part] for step in steps)
    assert [(row["step"], row["train/loss"]) for row in read_history(tmp_path)] == [
        (1, 0),
        (3, 1),
        (5, 1),
        (7, 1),
    ]
    assert read_history(tmp_path / "nowhere") == []


ROOT = Path(__file__).parents[1]
DISTILLED = sorted(ROOT.glob("configs/goodsam_*.yaml"))
CONFIGS = sorted({*ROOT.glob("configs/*.yaml"), *ROOT.glob("training/*.yaml")} - {*DISTILLED})


@pytest.mark.parametrize("shipped", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configurations_train(shipped: Path, tmp_path: Path) -> None:
    """Every YAML, on a micro base and generated data in its own layout, for one step."""
    config = read_config(shipped)
    layout = config.data.layout
    micro = {"sartm": "random-micro", "student": "segformer-micro"}[config.model.network]
    splits = {"train": range(10), "val": range(10, 15), "test": range(15, 17)}
    write_scenes(tmp_path / "data", layout, splits, seed=1, size=(64, 96))
    changes = {
        "out": tmp_path / "run",
        "data.root": tmp_path / "data",
        "data.workers": 0,
        "model.base": micro,
        "train.start": "null",
        "train.teacher": "null",
        "adapt.random-ok": "true",
        "augment.crop": "[64,96]",
        "train.steps": 1,
        "train.batch-size": 2,
        "train.precision": "32-true",
    }
    if config.text.source:  # in place of a language model
        names = np.array(CATALOG[layout].classes)
        np.savez(tmp_path / "text.npz", names=names, embeddings=np.random.rand(len(names), 4))
        changes["text.source"] = tmp_path / "text.npz"
    if layout == "pairs":
        changes["data.classes"] = f"[{', '.join(CATALOG['mfnet'].classes)}]"
    words = [f"--{key}={value}" for key, value in changes.items()]
    assert main(["train", str(shipped), *words]) == 0
    assert (tmp_path / "run" / "metrics.json").exists()


@pytest.mark.parametrize("shipped", DISTILLED, ids=lambda path: path.stem)
def test_shipped_configurations_distil(shipped: Path, tmp_path: Path) -> None:
    """The same for every YAML of a distillation, from a micro teacher."""
    config = read_distill_config(shipped)
    spec = CATALOG[config.data.layout]
    splits = {"train": range(3), "val": range(3, 5), "test": range(5, 6)}
    write_scenes(tmp_path / "data", config.data.layout, splits, seed=1, size=(64, 160))
    network, _ = build_segformer("segformer-micro", len(spec.classes))
    network.config.id2label = dict(enumerate(spec.classes))
    network.save_pretrained(tmp_path / "teacher")
    changes = {
        "out": tmp_path / "run",
        "data.root": tmp_path / "data",
        "data.workers": 0,
        "teacher.model": tmp_path / "teacher",
        "window": 64 if config.window else "null",
        "masks.base": "random-micro",
        "masks.cache": "null",
        "masks.side": 4,
        "student.base": "segformer-micro",
        "train.start": "null",
        "train.steps": 1,
        "train.precision": "32-true",
    }
    words = [f"--{key}={value}" for key, value in changes.items()]
    assert main(["distill", str(shipped), *words]) == 0
    assert "distillation" in json.loads((tmp_path / "run" / "metrics.json").read_text())


@pytest.mark.realdata
@pytest.mark.slow
def test_real_frames(realdata: Path, write_config: WriteConfig) -> None:
    """A few steps on real frames: everything holds together at full size."""
    root = realdata / "mfnet_mini"
    path = write_config(
        root, augment={"crop": [96, 128]}, train={"steps": 2, "batch_size": 2, "validations": 1}
    )
    assert main(["train", str(path), "--data.test", "val"]) == 0
    out = Path(yaml.safe_load(path.read_text())["out"])
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["frames"] == 20
    assert 0 < metrics["miou"] < 0.3
