"""The training step: what is added up, what is hidden, and at which rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from scipy.stats import spearmanr
from sklearn.metrics import jaccard_score

from samantic.cli import main
from samantic.config import AdaptConfig, Config, TrainConfig
from samantic.config.read import read_config
from samantic.data import PairedFolder
from samantic.data.crop import RandomCrop
from samantic.data.loading import collate
from samantic.learn.optimizer import configure_adamw, learning_rate_factor
from samantic.learn.steps import StepSeed, is_due
from samantic.learn.task import SegmentationTask
from samantic.losses import boundary_weights
from samantic.models import SARTM, Student, TwoStream, load_sam2
from samantic.models.promptable import PromptableSAM
from samantic.models.text import TextVectors

WriteConfig = Callable[..., Path]


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


@pytest.mark.parametrize("kind", ["plain", "ohem"])
def test_pixels_near_a_boundary_weigh_more(
    mfnet: Path, write_config: WriteConfig, kind: str
) -> None:
    """In both heads, and without changing a bit where they weigh nothing more."""
    loss = {"cross_entropy": kind, "auxiliary": 0.5}
    weighed = loss | {"boundary_weight": 2.0, "boundary_width": 2}
    batch = collate([PairedFolder(mfnet, "mfnet", "train")[i] for i in range(2)])
    batch.labels[:, :10] = 255
    network = SARTM(load_sam2("random-micro"), 9)
    out, totals = network(batch.rgb, batch.thermal), []
    for options in (loss, loss | {"boundary_width": 7}, weighed):
        task = SegmentationTask(network, read_config(write_config(mfnet, loss=options)))
        task.log_dict = task.log = lambda *_: None  # type: ignore[assignment,method-assign]
        task.photometric = lambda batch: batch  # type: ignore[assignment]
        totals.append(task.training_step(batch, 0))
        pixels = boundary_weights(batch.labels, 2.0, 2) if options is weighed else None
        heads = [task.cross_entropy(x, batch.labels, None, pixels) for x in (out.logits, out[1])]
        assert totals[-1] == heads[0] + 0.5 * heads[1]
    assert totals[0] == totals[1] != totals[2]


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("boundary-weight", "-1", "loss.boundary_weight is -1"),
        ("boundary-weight", "nan", "loss.boundary_weight is nan"),
        ("boundary-width", "0", "loss.boundary_width is 0"),
        ("boundary-width", "1.5", "loss.boundary_width"),
    ],
)
def test_weights_of_boundaries_that_mean_nothing_are_refused(
    mfnet: Path,
    write_config: WriteConfig,
    capsys: pytest.CaptureFixture[str],
    key: str,
    value: str,
    told: str,
) -> None:
    assert main(["train", str(write_config(mfnet)), f"--loss.{key}={value}"]) == 2
    assert told in capsys.readouterr().err


def test_a_teacher_teaches_nothing_beyond_the_image(mfnet: Path, write_config: WriteConfig) -> None:
    """Crops that show more than the image, through the data set and its batches."""
    augment = {"crop": [64, 96], "scale": [0.5, 0.5], "flip": 0.0}
    config: Config = read_config(write_config(mfnet, augment=augment))
    pairs = PairedFolder(mfnet, "mfnet", "train")
    pairs.transform = RandomCrop(config.augment)
    batch = collate([pairs[i] for i in range(2)])
    assert batch.inside is not None
    assert torch.equal(batch.inside.sum((1, 2)), torch.tensor([24 * 32] * 2))  # half of 48x64
    student = torch.randn(2, 9, 64, 96, requires_grad=True)
    target = torch.randn(2, 9, 64, 96)
    task = SegmentationTask(SARTM(load_sam2("random-micro"), 9, adapt=config.adapt), config)
    teacher: Any = lambda rgb, thermal: target  # noqa: E731
    out = SimpleNamespace(logits=student, auxiliary=None)
    loss = task._from_teacher(teacher, out, batch)  # type: ignore[arg-type]
    parts = [x.movedim(1, -1)[batch.inside].log_softmax(1) for x in (target, student)]
    expected = (parts[0].exp() * (parts[0] - parts[1])).sum(1).mean()
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert student.grad is not None
    assert not student.grad.movedim(1, -1)[~batch.inside].any()


def test_a_teacher_of_another_thermal_scaling_is_told(
    mfnet: Path, write_config: WriteConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", str(write_config(mfnet)), "--train.teacher=nano", "--dry-run"]
    assert main([*words, "--data.thermal-scaling", "0,200"]) == 0
    told = "train.teacher nano: learnt from thermal scaled as 8-bit, and sees it scaled as 0,200"
    assert told in capsys.readouterr().err
    assert main(words) == 0
    assert "train.teacher" not in capsys.readouterr().err


def test_what_a_teacher_adds_to_the_loss(mfnet: Path, write_config: WriteConfig) -> None:
    """Of both heads, the auxiliary one by its weight, and of each pixel by the teacher's class."""
    config = read_config(write_config(mfnet))
    config = replace(config, loss=replace(config.loss, auxiliary=0.5, teacher=2.0))
    answer, weights = torch.randn(2, 9, 48, 64), torch.rand(9) + 0.1

    class Teacher(torch.nn.Module):
        def forward(self, rgb: torch.Tensor, thermal: torch.Tensor) -> torch.Tensor:
            assert torch.equal(rgb, batch.rgb)
            return answer

    network = SARTM(load_sam2("random-micro"), 9, adapt=config.adapt)
    task = SegmentationTask(network, config, weights, teacher=Teacher())
    logged: dict[str, torch.Tensor] = {}
    task.log_dict = logged.update  # type: ignore[assignment,method-assign]
    task.log = lambda name, value: None  # type: ignore[assignment,method-assign]
    task.photometric = lambda batch: batch  # type: ignore[assignment]
    batch = collate([PairedFolder(mfnet, "mfnet", "train")[i] for i in range(2)])
    total = task.training_step(batch, 0)
    out = network(batch.rgb, batch.thermal)
    assert out.auxiliary is not None
    t, by_pixel = answer.softmax(1), weights[answer.argmax(1)]
    mask, auxiliary = (
        (by_pixel * (t * (t.log() - logits.log_softmax(1))).sum(1)).sum() / by_pixel.sum()
        for logits in (out.logits, out.auxiliary)
    )
    torch.testing.assert_close(logged["train/teacher"], (2 * (mask + 0.5 * auxiliary)).detach())
    torch.testing.assert_close(total.detach(), torch.stack(list(logged.values())).sum())


def test_a_validation_knows_nothing_of_the_one_before(
    mfnet: Path, write_config: WriteConfig
) -> None:
    """Its mIoU and alignment are those of its own pairs; a class without a vector is left out."""
    config = read_config(write_config(mfnet))
    terms = tuple(None if k == 4 else "x" for k in range(9))
    known = [k for k in range(9) if k != 4]
    vectors = torch.randn(9, 5) * torch.tensor([term is not None for term in terms])[:, None]
    network = SARTM(load_sam2("random-micro"), 9, adapt=config.adapt).eval()
    task = SegmentationTask(network, config, text=TextVectors("made up", terms, vectors))
    logged: dict[str, float] = {}
    task.log = lambda name, value: logged.update({name: float(value)})  # type: ignore[assignment,method-assign]
    for first in (0, 3):
        pairs = PairedFolder(mfnet, "mfnet", "train")
        batch = collate([pairs[i] for i in range(first, first + 3)])
        batch = batch._replace(labels=torch.randint(9, batch.labels.shape))
        task.on_validation_epoch_start()
        with torch.no_grad():
            task.validation_step(batch, 0)
            out = network(batch.rgb, batch.thermal)
        task.on_validation_epoch_end()
        for head in ("mask", "auxiliary"):
            found = out.probabilities(head).argmax(1)
            expected = jaccard_score(batch.labels.flatten(), found.flatten(), average="macro")
            assert logged[f"val/miou_{head}"] == pytest.approx(expected, abs=1e-6)
        semantic = out.features.semantic
        cells = batch.labels[:, 8::16, 8::16]
        maps = semantic[..., : cells.shape[1], : cells.shape[2]].movedim(1, -1)
        means = torch.stack([maps[cells == k].mean(0) for k in range(9)])
        here = [k for k in known if (cells == k).any()]
        assert len(here) > 4
        both = [(i, j) for i in here for j in here if i < j]
        cosines = [
            [float(torch.cosine_similarity(x[i], x[j], dim=0)) for i, j in both]
            for x in (means, vectors)
        ]
        expected = spearmanr(*cosines).statistic
        assert logged["val/alignment"] == pytest.approx(expected, abs=1e-5)


def test_the_cross_entropy_is_the_configured_one(mfnet: Path, write_config: WriteConfig) -> None:
    logits, labels = torch.randn(2, 9, 16, 16), torch.randint(9, (2, 16, 16))
    logits[1].scatter_(0, labels[1:], 9.0)  # an image of hard pixels, and one of easy ones
    losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none").flatten(1)
    hard = losses[0] > -math.log(0.7)
    first, easy = losses[0][hard], losses[1].topk(256 // 16).values
    for options, expected in (
        ({"cross_entropy": "plain"}, losses.mean()),
        ({}, first.mean()),
        ({"ohem_count": "image"}, torch.cat([first, easy]).mean()),
    ):
        config = read_config(write_config(mfnet, loss=options))
        network = SARTM(load_sam2("random-micro"), 9, adapt=config.adapt)
        found = SegmentationTask(network, config).cross_entropy(logits, labels)
        torch.testing.assert_close(found, expected)


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

        def look(module: Any, args: Any, options: dict[str, Any], seen: Any = seen) -> None:
            seen.append(options["present"])

        network.register_forward_pre_hook(look, with_kwargs=True)
        for _ in range(10):
            task.training_step(batch, 0)
        assert any(present is not None and not present.all() for present in seen) == hides


def test_learning_rate_schedule() -> None:
    factors = [learning_rate_factor(step, 100, 10) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[5] == pytest.approx(0.55)
    assert factors[10] == 1.0
    assert factors[55] == pytest.approx(0.5**0.9)
    assert factors[100] == 0
    assert max(factors) == factors[10]
    assert learning_rate_factor(0, 10, 0) == 1.0


def test_the_peak_of_the_rate_is_the_rate() -> None:
    """Whatever the length of the run and of its warm-up."""
    for total, warmup in ((50, 1), (100, 10), (1000, 20), (7, 7), (3, 2)):
        factors = [learning_rate_factor(step, total, warmup) for step in range(total + 1)]
        assert factors[warmup] == 1.0
        assert max(factors) == 1.0
        assert factors == sorted(factors[: warmup + 1]) + sorted(factors[warmup + 1 :])[::-1]


def test_the_optimiser_follows_the_schedule(
    mfnet: Path, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    step = SegmentationTask.training_step

    def noted(self: SegmentationTask, *args: Any) -> torch.Tensor:
        rates.append(self.trainer.optimizers[0].param_groups[0]["lr"])
        return step(self, *args)

    monkeypatch.setattr(SegmentationTask, "training_step", noted)
    options = {"steps": 10, "warmup": 0.3, "learning_rate": 0.002, "validations": 1}
    path = write_config(mfnet, data={"test": None}, train=options)
    assert main(["train", str(path)]) == 0
    assert rates == pytest.approx([0.002 * learning_rate_factor(i, 10, 3) for i in range(10)])
    assert max(rates) == rates[3] == pytest.approx(0.002)


def undecayed(network: torch.nn.Module, options: TrainConfig) -> set[str]:
    """The names of the trained parameters without weight decay that are no vectors."""
    trainer: Any = SimpleNamespace(precision="32-true", estimated_stepping_batches=10)
    groups = configure_adamw({network: 0.1}, options, trainer)["optimizer"].param_groups
    assert [group["weight_decay"] for group in groups] == [options.weight_decay, 0.0]
    plain = {id(p) for p in groups[1]["params"]}
    named = {name: p for name, p in network.named_parameters() if p.requires_grad}
    assert sum(len(group["params"]) for group in groups) == len(named)
    assert all(id(p) in plain for p in named.values() if p.ndim < 2), "vectors have none"
    return {name for name, p in named.items() if id(p) in plain and p.ndim > 1}


SAM_TRUNK = {"pos_embed", "pos_embed_window"}


def test_what_has_no_weight_decay() -> None:
    """Tokens, embeddings and embeddings of positions; kernels and low-rank updates have it."""
    options = TrainConfig()
    sam = SARTM(load_sam2("random-micro"), 9, adapt=AdaptConfig("full"))
    names = undecayed(sam, options)
    assert {name.rsplit(".", 1)[-1] for name in names} >= SAM_TRUNK
    ends = {name.split("encoders.")[-1] for name in names if not name.endswith(tuple(SAM_TRUNK))}
    assert ends == {
        "mask_head.decoder.mask_tokens.weight",
        "mask_head.decoder.iou_token.weight",
        "mask_head.decoder.obj_score_token.weight",
    }
    lora = SARTM(load_sam2("random-micro"), 9, adapt=AdaptConfig("lora", rank=2, random_ok=True))
    assert not {name for name in undecayed(lora, options) if "a_q" in name or "b_v" in name}
    assert undecayed(Student("segformer-micro", 9), options) == set()
    assert undecayed(TwoStream("efficientnet-lite0-short", 9), options) == set()
    network = PromptableSAM(load_sam2("random-micro"))
    tokens = {name for name in undecayed(network, options) if "token" in name or "embed" in name}
    assert tokens == undecayed(network, options)
    assert any("prompts" in name for name in tokens)


def test_devices_draw_different_numbers_and_steps_repeat_them() -> None:
    seed = StepSeed(3)

    def drawn(rank: int, step: int) -> list[float]:
        trainer: Any = SimpleNamespace(
            global_rank=rank, global_step=step, world_size=3, accumulate_grad_batches=1
        )
        seed.on_train_batch_start(trainer, None, None, 0)  # type: ignore[arg-type]
        return torch.rand(3).tolist()

    assert drawn(0, 5) == drawn(0, 5)
    assert len({tuple(drawn(rank, step)) for rank in range(3) for step in range(3)}) == 9


@pytest.mark.parametrize(
    ("steps", "count", "expected"),
    [(7, 3, [3, 5, 7]), (8, 4, [2, 4, 6, 8]), (3, 20, [1, 2, 3]), (5, 2, [3, 5]), (10, 1, [10])],
)
def test_validations_are_spaced_evenly_and_end_with_the_run(
    steps: int, count: int, expected: list[int]
) -> None:
    assert [step for step in range(1, steps + 1) if is_due(step, steps, count)] == expected
