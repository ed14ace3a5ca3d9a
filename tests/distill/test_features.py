"""What a teacher's feature maps teach."""

from __future__ import annotations

import math

import pytest
import torch

from samantic.distill.features import FeatureTransfer, map_widths
from samantic.models import TwoStream
from samantic.models.pyramid import Pyramid

SHORT = "efficientnet-lite0-short"


def test_the_loss_equals_a_loop_over_channels_and_places() -> None:
    """Gradients reach the student's maps and projections, and never the teacher's."""
    student = TwoStream(SHORT, 3, fusion="rgb", pretrained=False)
    teacher = TwoStream(SHORT, 3, pretrained=False).train()
    transfer = FeatureTransfer(student, teacher, tau=2.0)
    assert all(module.training for module in teacher.modules())
    sizes = [(6, 8), (3, 4), (2, 2)]
    widths = map_widths(student), map_widths(teacher)
    torch.manual_seed(0)
    own, wanted = (
        Pyramid(*(torch.randn(2, w, *s, requires_grad=True) for w, s in sized))
        for sized in (list(zip(part, sizes, strict=True)) for part in widths)
    )
    loss = transfer(own, wanted)
    total = 0.0
    for project, a, b in zip(transfer.project, own, wanted, strict=True):
        found = project(a)
        each = []
        for n in range(2):
            for c in range(b.shape[1]):
                s, t = ((x[n, c].flatten() / 2).softmax(0).tolist() for x in (found, b))
                pairs = zip(s, t, strict=True)
                each.append(sum(q * (math.log(q) - math.log(p)) for p, q in pairs))
        total += 4 * sum(each) / len(each) / 3
    assert loss.item() == pytest.approx(total, rel=1e-4)
    loss.backward()
    assert all(level.grad is None for level in wanted)
    for level in [*own, *transfer.parameters()]:
        if level.grad is not None:
            assert bool(level.grad.isfinite().all())
    assert all(level.grad is not None and bool(level.grad.any()) for level in own)


def test_maps_of_another_size_are_brought_to_the_teachers() -> None:
    network = TwoStream(SHORT, 3, pretrained=False)
    transfer = FeatureTransfer(network, network)
    one, other = (
        Pyramid(*(torch.randn(1, w, n, n) for w, n in zip(map_widths(network), sizes, strict=True)))
        for sizes in ((8, 4, 2), (9, 5, 3))
    )
    assert bool(transfer(one, other).isfinite())
