from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from samantic.config import LossConfig
from samantic.learn.class_terms import ClassTerms, ClassVectors, PrototypeMemory
from samantic.losses import (
    class_prototypes,
    language_distillation,
    teacher_distillation,
)
from samantic.models import Output, Pyramid
from samantic.models.text import TextVectors

BOTH = torch.ones(2, 2, dtype=torch.bool)


def output(classes: int = 4, width: int = 6) -> Output:
    def logits() -> torch.Tensor:
        return torch.randn(2, classes, 64, 64)

    semantic = torch.randn(2, width, 4, 4)
    alone = ((logits(), logits()), (logits(), logits()))
    return Output(logits(), logits(), Pyramid(semantic, semantic, semantic), alone)


def text(*known: bool) -> TextVectors:
    vectors = torch.randn(len(known), 5) * torch.tensor(known)[:, None]
    return TextVectors("made up", tuple("x" if has else None for has in known), vectors)


def pooled(out: Output, labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Mean feature of each class, cell by cell of 16x16 pixels."""
    semantic = out.features.semantic
    cells: dict[int, list[torch.Tensor]] = {k: [] for k in range(classes)}
    for n, y, x in np.ndindex(len(labels), *semantic.shape[-2:]):
        label = int(labels[n, 16 * y + 8, 16 * x + 8])
        if label != 255:
            cells[label].append(semantic[n, :, y, x])
    return torch.stack([torch.stack(found).mean(0) for found in cells.values()])


def test_terms_are_the_weighted_losses() -> None:
    config = LossConfig(language=3.0, tau=0.2, prototype=5.0, cross_modal=0.5)
    vectors = text(False, True, True, True)
    distillation = ClassTerms(config, 4, 6, vectors)
    first, second = output(), output()
    labels = torch.randint(3, (2, 64, 64))  # class 3 is absent
    labels[:, :8] = 255
    distillation(first, labels, BOTH)
    terms = distillation(second, labels, BOTH)
    before, p = pooled(first, labels, 3), pooled(second, labels, 3)
    language = language_distillation(p[1:], vectors.vectors[1:3], tau=0.2)
    torch.testing.assert_close(terms["language"], 3 * language)
    assert terms["language"] > 0.001
    prototype = 0.0
    for old, new in zip(before.double(), p.double(), strict=True):
        target, found = (0.9 * old + 0.1 * new).softmax(0), new.softmax(0)
        prototype += float((target * (target / found).log()).sum()) / (3 * 6)
    assert terms["prototype"].item() == pytest.approx(5 * prototype, rel=1e-4)
    assert prototype > 0.001
    divergence = torch.zeros(())
    for logits, auxiliary in second.single_modality:
        assert second.auxiliary is not None
        assert auxiliary is not None
        divergence += teacher_distillation(logits, second.logits) / 2
        divergence += teacher_distillation(auxiliary, second.auxiliary) / 2
    torch.testing.assert_close(terms["cross_modal"], 0.5 * divergence)
    assert divergence > 0.1


def test_terms_of_weight_zero_are_not_computed() -> None:
    distillation = ClassTerms(LossConfig(), 4, 6, text(True, True, True, True))
    out = output()._replace(single_modality=())
    assert distillation(out, torch.zeros(2, 64, 64, dtype=torch.long), BOTH) == {}
    assert distillation.memory is None


def test_a_pair_that_lacks_a_modality_teaches_nothing() -> None:
    distillation = ClassTerms(LossConfig(cross_modal=1.0), 4, 6, None)
    present = torch.tensor([[True, False], [False, True]])
    terms = distillation(output(), torch.zeros(2, 64, 64, dtype=torch.long), present)
    assert terms["cross_modal"] == 0


def test_nothing_is_taught_beyond_the_image() -> None:
    """By one modality to another: the mean is over the pixels that lie in the images."""
    distillation = ClassTerms(LossConfig(cross_modal=1.0), 4, 6, None)
    out, labels = output(), torch.zeros(2, 64, 64, dtype=torch.long)
    inside = torch.zeros(2, 64, 64, dtype=torch.bool)
    inside[:, 8:40, :48] = True
    for alone in out.single_modality:
        for logits in alone:
            assert logits is not None
            logits.requires_grad_()
    found = distillation(out, labels, BOTH, inside)["cross_modal"]
    cut = out._replace(
        logits=out.logits[:, :, 8:40, :48],
        auxiliary=None if out.auxiliary is None else out.auxiliary[:, :, 8:40, :48],
        single_modality=tuple(
            tuple(x[:, :, 8:40, :48] for x in alone) for alone in out.single_modality
        ),  # type: ignore[index,misc]
    )
    torch.testing.assert_close(found, distillation(cut, labels, BOTH)["cross_modal"])
    found.backward()
    for logits, _ in out.single_modality:
        assert logits.grad is not None
        assert not logits.grad.movedim(1, -1)[~inside].any()


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
    features, labels = torch.randn(3, 5, 4, 4), torch.randint(3, (3, 64, 64))
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
