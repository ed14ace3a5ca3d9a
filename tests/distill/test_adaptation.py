from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from samantic.distill.adaptation import boundary_loss, boundary_map


def map_by_pixels(p: torch.Tensor, wrap: bool) -> torch.Tensor:
    batch, _, height, width = p.shape
    found = torch.zeros(batch, height, width, dtype=p.dtype)
    for n in range(batch):
        for y in range(height):
            for x in range(width):
                least = 1.0
                for v, u in ((y, x - 1), (y, x + 1), (y - 1, x), (y + 1, x)):
                    u = u % width if wrap else u
                    if 0 <= v < height and 0 <= u < width:
                        least = min(least, float(p[n, :, y, x] @ p[n, :, v, u]))
                found[n, y, x] = 1 - least
    return found


@pytest.mark.parametrize("wrap", [True, False])
def test_boundary_map_equals_a_loop(wrap: bool) -> None:
    p = (2 * torch.randn(2, 3, 5, 6)).softmax(1)
    torch.testing.assert_close(boundary_map(p, wrap), map_by_pixels(p, wrap))


def test_the_boundary_of_a_sure_prediction_lies_on_both_sides() -> None:
    labels = torch.zeros(1, 4, 8, dtype=torch.int64)
    labels[..., 5:] = 1
    p = F.one_hot(labels, 2).movedim(-1, 1).float()
    assert boundary_map(p)[0, 0].tolist() == [0, 0, 0, 0, 1, 1, 0, 0]
    assert boundary_map(p, wrap=True)[0, 0].tolist() == [1, 0, 0, 0, 1, 1, 0, 1]


def test_boundary_loss_weighs_both_kinds_alike() -> None:
    p = torch.randn(2, 3, 5, 6, dtype=torch.float64).softmax(1)
    boundary = torch.rand(2, 5, 6) < 0.2
    b = map_by_pixels(p, wrap=False)
    on = [math.log(v) for v in b[boundary].tolist()]
    off = [math.log(1 - v) for v in b[~boundary].tolist()]
    expected = -(sum(on) / len(on) + sum(off) / len(off)) / 2
    assert boundary_loss(p, boundary).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("wrap", [True, False])
def test_gradients_of_the_boundary_loss(wrap: bool) -> None:
    logits = torch.randn(1, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    boundary = torch.rand(1, 4, 5) < 0.3
    assert torch.autograd.gradcheck(lambda z: boundary_loss(z.softmax(1), boundary, wrap), logits)


@pytest.mark.parametrize("everywhere", [True, False])
def test_sure_predictions_and_one_sided_targets_stay_finite(everywhere: bool) -> None:
    logits = torch.tensor([200.0, 0, 0]).view(1, 3, 1, 1).repeat(1, 1, 4, 4).requires_grad_()
    loss = boundary_loss(logits.softmax(1), torch.full((1, 4, 4), everywhere))
    loss.backward()
    assert loss.item() == pytest.approx(-math.log(1e-6) / 2 if everywhere else 0, abs=1e-3)
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
