from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from samantic.distill.adaptation import boundary_loss, log_boundary, log_interior


def map_by_pixels(p: torch.Tensor, wrap: bool) -> torch.Tensor:
    """b of (N, K, H, W) probabilities, pixel by pixel."""
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


def loss_by_pixels(logits: torch.Tensor, boundary: torch.Tensor, wrap: bool = False) -> float:
    b = map_by_pixels(logits.double().softmax(1), wrap)
    on = [math.log(v) for v in b[boundary].tolist()]
    off = [math.log(1 - v) for v in b[~boundary].tolist()]
    return -(sum(on) / max(len(on), 1) + sum(off) / max(len(off), 1)) / 2


@pytest.mark.parametrize("wrap", [True, False])
def test_logarithms_of_the_boundary_map_equal_a_loop(wrap: bool) -> None:
    logits = 4 * torch.randn(2, 3, 5, 6)
    b = map_by_pixels(logits.double().softmax(1), wrap)
    known, everywhere = logits.log_softmax(1), torch.ones(2, 5, 6, dtype=torch.bool)
    torch.testing.assert_close(log_boundary(known, everywhere, wrap), b.log().float().flatten())
    torch.testing.assert_close(log_interior(known, wrap), (1 - b).log().float())
    some = torch.rand(2, 5, 6) < 0.4
    torch.testing.assert_close(log_boundary(known, some, wrap), b[some].log().float())


@pytest.mark.parametrize("wrap", [True, False])
def test_a_pixel_at_an_edge_is_no_neighbour_of_itself(wrap: bool) -> None:
    """A pixel that is unsure differs from itself more than from its sure neighbours."""
    everywhere = torch.ones(1, 5, 6, dtype=torch.bool)
    for y, x in ((0, 0), (0, 3), (0, 5), (2, 0), (2, 5), (4, 0), (4, 2), (4, 5)):
        p = torch.tensor([0.98, 0.02]).view(1, 2, 1, 1).repeat(1, 1, 5, 6)
        p[0, :, y, x] = torch.tensor([0.6, 0.4])
        b = map_by_pixels(p, wrap)
        torch.testing.assert_close(log_boundary(p.log(), everywhere, wrap), b.log().flatten())
        torch.testing.assert_close(log_interior(p.log(), wrap), (1 - b).log())


def test_the_boundary_of_a_sure_prediction_lies_on_both_sides() -> None:
    labels = torch.zeros(1, 4, 8, dtype=torch.int64)
    labels[..., 5:] = 1
    known = (20 * F.one_hot(labels, 2).movedim(-1, 1).float()).log_softmax(1)
    for wrap, drawn in ((False, [0, 0, 0, 0, 1, 1, 0, 0]), (True, [1, 0, 0, 0, 1, 1, 0, 1])):
        everywhere = torch.ones(1, 4, 8, dtype=torch.bool)
        b = log_boundary(known, everywhere, wrap).view(4, 8).exp().round()
        assert b.tolist() == [drawn] * 4
        assert (1 - log_interior(known, wrap).exp()).round().tolist() == [[drawn] * 4]


@pytest.mark.parametrize("wrap", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_boundary_loss_weighs_both_kinds_alike(wrap: bool, dtype: torch.dtype) -> None:
    logits, boundary = (2 * torch.randn(2, 3, 5, 6)).to(dtype), torch.rand(2, 5, 6) < 0.2
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        loss = boundary_loss(logits, boundary, wrap)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(loss_by_pixels(logits, boundary, wrap), rel=1e-5)


@pytest.mark.parametrize("wrap", [True, False])
def test_gradients_of_the_boundary_loss(wrap: bool) -> None:
    logits = (2 * torch.randn(1, 3, 4, 5, dtype=torch.float64)).requires_grad_()
    boundary = torch.rand(1, 4, 5) < 0.3
    assert torch.autograd.gradcheck(lambda z: boundary_loss(z, boundary, wrap), logits)


def sure_logits(gap: float, alike: bool) -> torch.Tensor:
    """(1, 3, 4, 6): everywhere class 0, or, where not alike, classes 0 and 1 in a chessboard."""
    labels = torch.zeros(4, 6, dtype=torch.int64)
    if not alike:
        labels = (torch.arange(4)[:, None] + torch.arange(6)) % 2
    return gap * F.one_hot(labels, 3).movedim(-1, 0)[None].float()


@pytest.mark.parametrize("gap", [1, 16, 40, 100, 400])
@pytest.mark.parametrize("missing", [True, False])
def test_a_wrong_answer_has_a_gradient_however_sure_it_is(gap: float, missing: bool) -> None:
    """Boundaries that are missing everywhere, and boundaries everywhere that should not be."""
    logits = sure_logits(gap, alike=missing).requires_grad_()
    loss = boundary_loss(logits, torch.full((1, 4, 6), missing))
    loss.backward()
    other = math.exp(-gap) / (1 + 2 * math.exp(-gap))  # the probability of each other class
    first = 1 - 2 * other
    value = math.log(2 * (1 + first - other) if missing else 2 * first + other)
    value += -gap - math.log1p(2 * math.exp(-gap))  # ln other
    assert loss.item() == pytest.approx(-value / 2, rel=1e-5)
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    # a step against the gradient brings the likeliest class down at every pixel
    likeliest = logits.detach().argmax(1, keepdim=True)
    assert (logits.grad.gather(1, likeliest) > 0.1 / logits[0, 0].numel()).all()


@pytest.mark.parametrize("gap", [16, 100, 400])
@pytest.mark.parametrize("everywhere", [True, False])
def test_a_right_answer_costs_nothing(gap: float, everywhere: bool) -> None:
    logits = sure_logits(gap, alike=not everywhere).requires_grad_()
    loss = boundary_loss(logits, torch.full((1, 4, 6), everywhere))
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-5)
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-5


def test_what_lies_outside_an_image_does_not_count() -> None:
    """The loss of a padded image is that of the image, and so is its gradient."""
    logits = torch.randn(2, 3, 6, 8, requires_grad=True)
    boundary = torch.rand(2, 6, 8) < 0.3
    boundary[:, 0, :2] = boundary[:, -1, -1] = True
    expected = boundary_loss(logits, boundary)
    (gradient,) = torch.autograd.grad(expected, logits)
    around = (3, 4, 1, 2)
    padded = F.pad(logits, around, value=0) + 100 * torch.randn(2, 3, 9, 15).where(
        F.pad(torch.ones(6, 8), around) == 0, 0
    )
    inside = F.pad(torch.ones(2, 6, 8, dtype=torch.bool), around)
    wide = F.pad(boundary, around, value=True)  # beyond the image nothing is a boundary
    loss = boundary_loss(padded, wide, inside=inside)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(torch.autograd.grad(loss, logits)[0], gradient)
