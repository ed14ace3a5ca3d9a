"""Which parameters of a teacher learn: those that have a part in its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from samantic.config import AdaptConfig, DataConfig, ModelConfig
from samantic.config.distill import DistillConfig, TeacherConfig
from samantic.config.networks import Head
from samantic.config.values import section
from samantic.data.loading import Batch
from samantic.distill.data import LessonBatch
from samantic.distill.task import DistillTask
from samantic.distill.teacher import Teacher
from samantic.distill.windows import plan_windows
from samantic.models import Student, load_sam2
from samantic.models.build import build
from samantic.predict.info import ModelInfo
from samantic.predict.model_folder import load_model, save_model

CLASSES = ("unlabelled", "car", "person")
BOTH = ("rgb", "thermal")


def make_teacher(adapt: str = "full", **options: Any) -> Teacher:
    model = section(ModelConfig, {"base": "random-micro", **options}, "model")
    adaptation = AdaptConfig(adapt, rank=2, random_ok=True)  # type: ignore[arg-type]
    info = ModelInfo(model, adaptation, CLASSES, ((0, 0, 0),) * 3, "made up")
    return Teacher(build(info.model, info.adapt, len(info.classes), trained=True), info)


def student(base: str, fusion: str) -> dict[str, Any]:
    return {"network": "student", "base": base, "fusion": fusion, "auxiliary": "none"}


def take_a_step(teacher: Teacher, modalities: tuple[str, ...]) -> DistillTask:
    """The gradients of one step of a joint distillation, for teacher and student."""
    config = DistillConfig("out", DataConfig("data"), TeacherConfig("x", "joint"), window=32)
    task = DistillTask(Student("segformer-micro", 3, fusion="rgb").train(), config, teacher)
    task.log = task.log_dict = lambda *args, **kwargs: None  # type: ignore[method-assign]
    shown = {"rgb": torch.rand(2, 3, 32, 64), "thermal": torch.rand(2, 1, 32, 64)}
    labels = torch.zeros(2, 32, 64, dtype=torch.int64)
    present = torch.ones(2, 2, dtype=torch.bool)
    images = Batch(["a", "b"], {n: shown[n] for n in modalities}, labels, present)
    corners = plan_windows(32, (32, 64)).corners
    masks = [[torch.rand(3, 32, 32) < 0.5 for _ in corners] for _ in range(2)]
    task.training_step(LessonBatch(images, None, masks), 0).backward()  # type: ignore[no-untyped-call]
    return task


@pytest.mark.parametrize("prediction", ["mask", "auxiliary", "mean"])
@pytest.mark.parametrize(
    ("adapt", "fusion", "modalities"),
    [
        ("full", "paper", BOTH),
        ("lora", "paper", BOTH),
        ("full-separate", "late", BOTH),
        ("full", "figure", BOTH),
        ("lora", "paper", ("rgb",)),
    ],
)
def test_what_learns_has_a_gradient(
    prediction: Head, adapt: str, fusion: str, modalities: tuple[str, ...]
) -> None:
    teacher = make_teacher(adapt, fusion=fusion, prediction=prediction)
    before = {name for name, p in teacher.network.named_parameters() if p.requires_grad}
    teacher.learn(modalities)
    task = take_a_step(teacher, modalities)
    silent = [n for n, p in task.named_parameters() if p.requires_grad and p.grad is None]
    assert silent == []
    learn = {name for name, p in teacher.network.named_parameters() if p.requires_grad}
    auxiliary = {name for name in before if name.startswith("auxiliary_head.")}
    assert learn & auxiliary == (set() if prediction == "mask" else auxiliary)
    # the decoder's convolutions that feed both heads are the encoder's
    mask = {n for n in before if n.startswith("mask_head.") and "conv_s" not in n}
    assert learn & mask == (set() if prediction == "auxiliary" else mask)


@pytest.mark.parametrize(
    "options",
    [
        student("segformer-micro", "early"),
        student("segformer-micro", "rgb"),
        student("efficientnet-lite0", "two-stream"),
        student("efficientnet-lite0-short", "early"),
    ],
    ids=["segformer early", "segformer rgb", "two-stream", "efficientnet early"],
)
def test_all_of_a_compact_teacher_learns(options: dict[str, Any]) -> None:
    teacher = make_teacher(**options)
    teacher.learn(BOTH)
    assert all(p.requires_grad for p in teacher.parameters())
    task = take_a_step(teacher, BOTH)
    assert all(p.grad is not None for p in task.parameters())


def test_a_stream_without_images_is_left_alone() -> None:
    teacher = make_teacher(**student("efficientnet-lite0", "two-stream"))
    teacher.learn(("rgb",))
    take_a_step(teacher, ("rgb",))
    learns = {p.requires_grad for p in teacher.network.encoders["thermal"].parameters()}  # type: ignore[union-attr, index]
    assert learns == {False}


def test_a_frozen_head_is_saved_with_the_teacher(tmp_path: Path) -> None:
    """What a teacher keeps does not depend on what learns at the moment."""
    load_sam2("random-micro").save_pretrained(tmp_path / "base")
    teacher = make_teacher("lora", base=str(tmp_path / "base"))
    teacher.learn(BOTH)
    save_model(tmp_path / "saved", teacher.network, teacher.info)
    again, _ = load_model(tmp_path / "saved")
    expected = teacher.network.state_dict()
    assert any(name.startswith("auxiliary_head.") for name in expected)
    for name, tensor in again.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


@pytest.mark.parametrize("prediction", ["mask", "auxiliary", "mean"])
def test_a_sure_and_wrong_teacher_has_a_gradient(prediction: Head) -> None:
    """The softmax of the answer is the head's probabilities; its loss is rounded nowhere."""
    from samantic.models import Output, Pyramid

    nothing = torch.zeros(())
    logits = torch.tensor([0.0, 40.0, 0.0]).view(1, 3, 1, 1).requires_grad_()
    out = Output(logits, logits + 1, Pyramid(nothing, nothing, nothing))
    answer = out.answer(prediction)
    torch.testing.assert_close(answer.softmax(1), out.probabilities(prediction))
    torch.nn.functional.cross_entropy(answer, torch.zeros(1, 1, 1, dtype=torch.int64)).backward()
    assert logits.grad is not None
    assert logits.grad[0, 0] < -0.9
