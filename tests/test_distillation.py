from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from samantic.config import LossConfig
from samantic.distillation import ClassVectors, Distillation, PrototypeMemory
from samantic.losses import (
    class_prototypes,
    language_distillation,
    prototype_distillation,
    teacher_distillation,
)
from samantic.models import Output, Pyramid
from samantic.models.text import TextVectors

BOTH = torch.ones(2, 2, dtype=torch.bool)


def output(classes: int = 4, width: int = 6) -> Output:
    def logits() -> torch.Tensor:
        return torch.randn(2, classes, 16, 16)

    semantic = torch.randn(2, width, 4, 4)
    alone = ((logits(), logits()), (logits(), logits()))
    return Output(logits(), logits(), Pyramid(semantic, semantic, semantic), alone)


def text(*known: bool) -> TextVectors:
    vectors = torch.randn(len(known), 5) * torch.tensor(known)[:, None]
    return TextVectors("made up", tuple("x" if has else None for has in known), vectors)


def test_terms_are_the_weighted_losses() -> None:
    config = LossConfig(language=3.0, tau=0.2, prototype=5.0, cross_modal=0.5)
    vectors = text(False, True, True, True)
    out, labels = output(), torch.randint(4, (2, 16, 16))
    labels[labels == 3] = 255  # absent
    terms = Distillation(config, 4, 6, vectors)(out, labels, BOTH)
    p, _ = class_prototypes(out.features.semantic, labels, 4)
    language = language_distillation(p[1:3], vectors.vectors[1:3], tau=0.2)
    torch.testing.assert_close(terms["language"], 3 * language)
    torch.testing.assert_close(  # at first sight the memory is the vector itself
        terms["prototype"], 5 * prototype_distillation(p[:3], p[:3])
    )
    divergence = torch.zeros(())
    for logits, auxiliary in out.alone:
        assert out.auxiliary is not None
        assert auxiliary is not None
        divergence += teacher_distillation(logits, out.logits) / 2
        divergence += teacher_distillation(auxiliary, out.auxiliary) / 2
    torch.testing.assert_close(terms["cross_modal"], 0.5 * divergence)


def test_terms_of_weight_zero_are_not_computed() -> None:
    distillation = Distillation(LossConfig(), 4, 6, text(True, True, True, True))
    out = output()._replace(alone=())
    assert distillation(out, torch.zeros(2, 16, 16, dtype=torch.long), BOTH) == {}
    assert distillation.memory is None


def test_a_pair_that_lacks_a_modality_teaches_nothing() -> None:
    distillation = Distillation(LossConfig(cross_modal=1.0), 4, 6, None)
    present = torch.tensor([[True, False], [False, True]])
    terms = distillation(output(), torch.zeros(2, 16, 16, dtype=torch.long), present)
    assert terms["cross_modal"] == 0


def test_memory_is_a_running_mean_of_the_present() -> None:
    memory = PrototypeMemory(2, 3)
    first, second = torch.randn(2, 3), torch.randn(2, 3)
    only_first = torch.tensor([True, False])
    everyone = torch.tensor([True, True])
    torch.testing.assert_close(memory(first, only_first)[0], first[0])
    means = memory(second, everyone)
    torch.testing.assert_close(means[0], 0.9 * first[0] + 0.1 * second[0])
    torch.testing.assert_close(means[1], second[1])
    again = memory(first, torch.tensor([False, False]))
    torch.testing.assert_close(again, means)
    assert {"vectors", "seen"} == set(memory.state_dict())  # a resumed run remembers


def test_class_vectors_are_the_mean_over_all_pixels() -> None:
    features, labels = torch.randn(3, 5, 4, 4), torch.randint(3, (3, 4, 4))
    labels[labels == 1] = 255
    metric = ClassVectors(3, 5)
    for f, y in zip(features.split(1), labels.split(1), strict=True):
        metric.update(f, y)
    whole, counts = class_prototypes(features, labels, 3)
    vectors, known = metric.compute()
    torch.testing.assert_close(vectors, whole)
    assert torch.equal(known, counts > 0)
    similarity = metric.similarity()
    assert similarity[0, 2] == pytest.approx(
        torch.cosine_similarity(whole[0], whole[2], dim=0).item(), abs=1e-6
    )
    assert similarity[1].isnan().all()


def _worker(rank: int, folder: str) -> None:
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2
    )
    vectors = torch.tensor([[1.0, 2.0], [10.0, 20.0], [5.0, 5.0]]) * (rank + 1)
    present = torch.tensor([True, rank == 1, False])
    means = PrototypeMemory(3, 2)(vectors, present)
    torch.save(means, f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_memory_is_one_over_devices(tmp_path: Path) -> None:
    """Two processes end with the same means, over those on which a class is present."""
    torch.multiprocessing.spawn(_worker, args=(str(tmp_path),), nprocs=2)
    expected = torch.tensor([[1.5, 3.0], [20.0, 40.0], [0.0, 0.0]])
    for rank in range(2):
        torch.testing.assert_close(torch.load(tmp_path / f"{rank}.pt", weights_only=True), expected)
