"""Runs that were stopped: the same training as without, and checkpoints that are none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch

from samantic.cli import main
from samantic.distill.task import DistillTask
from samantic.errors import InputError
from samantic.learn.resume import BEFORE, _read
from samantic.learn.task import SegmentationTask
from samantic.predict.model_folder import load_model
from tests.helpers import cut_power

WriteConfig = Callable[..., Path]


def state(run: Path) -> dict[str, torch.Tensor]:
    content: dict[str, Any] = torch.load(run / "last.ckpt", weights_only=True)
    tensors: dict[str, torch.Tensor] = content["state_dict"]
    return tensors


def assert_equal(first: Path, second: Path) -> None:
    ours, theirs = state(first), state(second)
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=0, atol=1e-6, msg=name)


def record_pairs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], float]]:
    """The pairs of every training step that is begun, and the mean of their crops."""
    seen: list[tuple[list[str], float]] = []
    step = SegmentationTask.training_step

    def recorded(self: Any, batch: Any, index: int) -> torch.Tensor:
        seen.append((batch.names, batch.rgb.mean().item()))
        return step(self, batch, index)

    monkeypatch.setattr(SegmentationTask, "training_step", recorded)
    return seen


@pytest.mark.parametrize("val", ["val", None])
def test_a_resumed_run_is_the_run_that_was_never_stopped(
    mfnet: Path,
    tmp_path: Path,
    write_config: WriteConfig,
    monkeypatch: pytest.MonkeyPatch,
    val: str | None,
) -> None:
    """Its data go on within the epoch, with the changes and the dropout that would have come."""
    model = {"network": "student", "base": "efficientnet-lite0-short", "fusion": "two-stream"}

    def config(name: str) -> str:
        path = write_config(
            mfnet,
            out=str(tmp_path / name),
            data={"val": val, "test": None},
            train={"steps": 12, "validations": 12},
            model={**model, "auxiliary": "none"},
        )
        return str(path)

    with monkeypatch.context() as patch:
        straight = record_pairs(patch)
        assert main(["train", config("straight")]) == 0
    parts, path = record_pairs(monkeypatch), config("parts")
    cut_power(monkeypatch, SegmentationTask, 5)
    with pytest.raises(RuntimeError, match="power cut"):
        main(["train", path])
    assert main(["train", path, "--resume"]) == 0
    assert len(straight) == 12
    assert parts == straight
    assert_equal(tmp_path / "straight", tmp_path / "parts")


def test_the_number_of_workers_changes_nothing(
    mfnet: Path, tmp_path: Path, write_config: WriteConfig
) -> None:
    for workers in (0, 2):
        out = str(tmp_path / str(workers))
        data = {"test": None, "workers": workers}
        path = write_config(mfnet, out=out, data=data, train={"validations": 1})
        assert main(["train", str(path)]) == 0
    assert_equal(tmp_path / "0", tmp_path / "2")


def test_a_resumed_distillation_is_the_one_that_was_never_stopped(
    write_distill: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"steps": 6, "validations": 6}
    augment = {"crop": [32, 32]}

    def config(name: str) -> str:
        data = {"test": None}
        out = str(tmp_path / name)
        return str(write_distill(out=out, data=data, train=options, augment=augment))

    assert main(["distill", config("straight")]) == 0
    path = config("parts")
    with monkeypatch.context() as patch:
        cut_power(patch, DistillTask, 3)
        with pytest.raises(RuntimeError, match="power cut"):
            main(["distill", path])
    assert main(["distill", path, "--resume"]) == 0
    assert_equal(tmp_path / "straight", tmp_path / "parts")


def test_the_last_state_is_validated_where_the_steps_do_not_divide(
    mfnet: Path, write_config: WriteConfig
) -> None:
    path = write_config(mfnet, data={"test": None}, train={"steps": 7, "validations": 3})
    assert main(["train", str(path)]) == 0
    content = torch.load(path.parent / "run" / "last.ckpt", weights_only=True)
    assert content["global_step"] == 7


@pytest.fixture
def stopped(trained: Path, tmp_path: Path, mfnet: Path) -> tuple[Path, list[str]]:
    """The checkpoint of a copy of a run, and the words that resume it."""
    shutil.copytree(trained, tmp_path / "tiny")
    (tmp_path / "tiny" / BEFORE).unlink()
    words = ["train", str(tmp_path / "tiny" / "config.yaml"), "--out", str(tmp_path / "tiny")]
    return tmp_path / "tiny" / "last.ckpt", [*words, "--resume"]


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("samantic: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: b"not a checkpoint at all",
        lambda content: content[:-1],
        lambda content: bytes(len(content)),
    ],
)
def test_a_damaged_checkpoint_is_refused(
    stopped: tuple[Path, list[str]],
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[bytes], bytes],
) -> None:
    path, words = stopped
    path.write_bytes(spoil(path.read_bytes()))
    line = refused(words, capsys)
    assert f"{path}: damaged, cannot be resumed from" in line
    assert "give another --out" in line


def test_flipped_bits_are_found(
    stopped: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever they are: what is resumed from is what was written, or refused."""
    path, words = stopped
    content, whole = path.read_bytes(), state(path.parent)
    for place in np.linspace(0, len(content) - 1, 60).astype(int):
        flipped = bytearray(content)
        flipped[place] ^= 4
        path.write_bytes(flipped)
        with suppress(InputError):
            found = _read(path)["state_dict"]
            assert all(torch.equal(found[name], tensor) for name, tensor in whole.items())
    middle = bytearray(content)
    middle[len(middle) // 2] ^= 4
    path.write_bytes(middle)
    assert "damaged" in refused(words, capsys)


@pytest.mark.parametrize("kind", ["network", "lightning", "tensors", "older"])
def test_a_foreign_checkpoint_is_refused(
    stopped: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    path, words = stopped
    content = torch.load(path, weights_only=True)
    if kind == "network":
        name = next(iter(content["state_dict"]))
        content["state_dict"]["network.other"] = content["state_dict"].pop(name)
    elif kind == "lightning":
        content = _foreign(path.parent)
    elif kind == "tensors":
        content = {"weight": torch.zeros(3)}
    else:
        del content["callbacks"]["KeepRun"]["format"]
    torch.save(content, path)
    line = refused(words, capsys)
    problem = {"network": "of another network", "older": "another version of samantic"}
    assert problem.get(kind, "not the checkpoint of a run of samantic") in line
    assert str(path) in line


def _foreign(folder: Path) -> dict[str, Any]:
    """The checkpoint of a Lightning run of something else."""
    from lightning.pytorch.demos.boring_classes import BoringModel

    options: dict[str, Any] = {
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "logger": False,
        "enable_checkpointing": False,
    }
    trainer = L.Trainer(accelerator="cpu", devices=1, max_steps=1, limit_val_batches=0, **options)
    trainer.fit(BoringModel())
    trainer.save_checkpoint(folder / "boring.ckpt")
    content: dict[str, Any] = torch.load(folder / "boring.ckpt", weights_only=True)
    return content


def test_a_finished_run_that_is_resumed_keeps_its_model(stopped: tuple[Path, list[str]]) -> None:
    path, words = stopped
    before = {name: p.clone() for name, p in load_model(path.parent)[0].named_parameters()}
    assert main(words) == 0
    for name, parameter in load_model(path.parent)[0].named_parameters():
        assert torch.equal(parameter, before[name])
