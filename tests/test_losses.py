from __future__ import annotations

import numpy as np
import pytest
import torch

from samantic.losses import cross_entropy, ohem_cross_entropy


def brute_force_ohem(logits: np.ndarray, labels: np.ndarray) -> float:
    """OHEM pixel by pixel: keep p < 0.7, but at least a sixteenth of the valid pixels."""
    losses = []
    for n, y, x in np.ndindex(labels.shape):
        if labels[n, y, x] != 255:
            scores = np.exp(logits[n, :, y, x] - logits[n, :, y, x].max())
            losses.append(-np.log(scores[labels[n, y, x]] / scores.sum()))
    if not losses:
        return 0.0
    hard = [loss for loss in losses if loss > -np.log(0.7)]
    least = max(1, len(losses) // 16)
    kept = hard if len(hard) >= least else sorted(losses)[-least:]
    return float(np.mean(kept))


@pytest.mark.parametrize("confidence", [0.1, 3.0, 30.0], ids=["unsure", "mixed", "sure"])
def test_ohem_equals_brute_force(confidence: float) -> None:
    logits = confidence * torch.randn(2, 4, 6, 7, dtype=torch.float64)
    labels = torch.where(torch.rand(2, 6, 7) < 0.8, logits.argmax(1), torch.randint(4, (2, 6, 7)))
    labels[torch.rand(2, 6, 7) < 0.2] = 255
    expected = brute_force_ohem(logits.numpy(), labels.numpy())
    assert ohem_cross_entropy(logits, labels).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("valid", [0, 1, 15, 16, 32])
def test_ohem_with_few_valid_pixels(valid: int) -> None:
    logits = torch.randn(1, 3, 6, 6)
    logits[:, 1] += 10  # class 1 is sure everywhere, all pixels are easy: n_min decides
    logits.requires_grad_()
    labels = torch.full((1, 6, 6), 255)
    labels.view(-1)[:valid] = 1
    loss = ohem_cross_entropy(logits, labels)
    expected = brute_force_ohem(logits.detach().numpy(), labels.numpy())
    assert loss.item() == pytest.approx(expected, rel=1e-4, abs=1e-7)
    loss.backward()
    assert logits.grad is not None
    touched = (logits.grad.abs().sum(1) > 0).sum()
    assert touched <= max(1, valid // 16) if valid else touched == 0


def test_ohem_gradient() -> None:
    logits = torch.randn(1, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(3, (1, 3, 3))
    labels[0, 0, 0] = 255
    kept = torch.autograd.grad(ohem_cross_entropy(logits, labels), logits)[0]
    probabilities = logits.detach().softmax(1)
    onehot = torch.nn.functional.one_hot(labels.clamp(max=2), 3).permute(0, 3, 1, 2)
    hard = ((probabilities * onehot).sum(1) < 0.7) & (labels != 255)
    expected = (probabilities - onehot) * hard[:, None] / hard.sum()
    torch.testing.assert_close(kept, expected, rtol=1e-4, atol=1e-6)


def test_plain_cross_entropy() -> None:
    logits = torch.randn(2, 4, 5, 5, requires_grad=True)
    labels = torch.randint(4, (2, 5, 5))
    labels[0] = 255
    log_p = logits.detach().log_softmax(1)
    expected = -log_p.gather(1, labels.clamp(max=3)[:, None])[1].mean()
    torch.testing.assert_close(cross_entropy(logits, labels), expected)
    empty = cross_entropy(logits, torch.full_like(labels, 255))
    assert empty.item() == 0
    empty.backward()
    assert logits.grad is not None


def test_class_weights_make_a_weighted_mean() -> None:
    logits, labels = torch.randn(2, 4, 5, 5), torch.randint(4, (2, 5, 5))
    labels[0, 0] = 255
    weight = torch.tensor([0.5, 1.0, 2.0, 0.0])
    expected = torch.nn.functional.cross_entropy(logits, labels, weight, ignore_index=255)
    torch.testing.assert_close(cross_entropy(logits, labels, weight), expected)
    easy = ohem_cross_entropy(logits, labels, weight, probability=1.0)  # every pixel is hard
    torch.testing.assert_close(easy, expected)


def test_half_precision_logits_are_computed_in_float32() -> None:
    logits, labels = 20 * torch.randn(1, 5, 8, 8), torch.randint(5, (1, 8, 8))
    low = ohem_cross_entropy(logits.bfloat16(), labels)
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, ohem_cross_entropy(logits.bfloat16().float(), labels))
