"""The questions that every network is asked, in training and in evaluation."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from samantic.config import AdaptConfig, ModelConfig
from samantic.models import Network, Output
from samantic.models.network import MODALITIES
from samantic.predict.info import ModelInfo
from samantic.predict.model_folder import load_model, save_model

CLASSES = ("road", "car", "person", "bike", "tree")

PRESENT = {
    "mixed": [[True, True], [True, False], [False, True], [True, True]],
    "no thermal": [[True, False]] * 4,
    "one rgb": [[False, True], [False, True], [True, True], [False, True]],
}


class Seen(NamedTuple):
    """What a step computes and leaves behind."""

    outputs: list[Tensor]
    state: dict[str, Tensor]
    gradients: dict[str, Tensor | None]


def pair(batch: int = 2, height: int = 40, width: int = 56) -> list[Tensor]:
    return [torch.rand(batch, 3, height, width), torch.rand(batch, 1, height, width)]


def maps(out: Output, alone: Tensor | None = None) -> list[Tensor]:
    """All outputs; of what is decoded alone, the pairs that it means something for."""
    singles = [x for logits in out.single_modality for x in logits]
    if alone is not None:
        singles = [None if x is None else x[alone] for x in singles]
    return [x for x in (out.logits, out.auxiliary, *out.features, *singles) if x is not None]


def step(network: Network, images: list[Tensor], present: Tensor) -> Seen:
    """Forward and backward; the gradient of hidden pixels must be 0."""
    inputs = [image.clone().requires_grad_() for image in images]
    torch.manual_seed(6)
    outputs = maps(network(*inputs, present, single_modality=True), present.all(1))
    torch.stack([x.square().sum() for x in outputs]).sum().backward()
    for name, image, there in zip(MODALITIES, inputs, present.T, strict=True):
        assert image.grad is None or not image.grad[~there].any()
        if name in network.modalities:
            assert image.grad is not None
            assert all(gradient.any() for gradient in image.grad[there])
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    return Seen(outputs, network.state_dict(), gradients)


class NetworkTests:
    """A subclass provides the fixture `network`, in evaluation mode, and what it is built from.

    Attributes:
        tolerance: Of outputs that are computed in another order.
    """

    tolerance: dict[str, float] = {"rtol": 1e-3, "atol": 1e-3}  # noqa: RUF012

    @pytest.fixture
    def options(self) -> tuple[ModelConfig, AdaptConfig]:
        raise NotImplementedError

    @pytest.fixture
    def network(self, options: tuple[ModelConfig, AdaptConfig]) -> Network:
        raise NotImplementedError

    @pytest.mark.parametrize("training", [False, True])
    @pytest.mark.parametrize("size", [(32, 32), (61, 83)])
    def test_any_size(self, network: Network, size: tuple[int, int], training: bool) -> None:
        out = network.train(training)(*pair(2, *size))
        assert out.logits.shape == (2, len(CLASSES), *size)
        assert out.auxiliary is None or out.auxiliary.shape == out.logits.shape
        assert (out.auxiliary is None) == (network.heads == ("mask",))
        assert out.features.semantic.shape[1] == network.width
        for side, cells in zip(size, out.features.semantic.shape[-2:], strict=True):
            assert -(-side // network.stride) <= cells < side / network.stride + 2
        fine, intermediate, semantic = (level.shape[-1] for level in out.features)
        assert fine >= intermediate >= semantic

    @pytest.mark.parametrize("training", [False, True])
    @pytest.mark.parametrize("given", MODALITIES)
    def test_either_sensor_may_be_missing(
        self, network: Network, given: str, training: bool
    ) -> None:
        images = dict(zip(MODALITIES, pair(), strict=True))
        column = MODALITIES.index(given)
        if given not in network.modalities:
            with pytest.raises(ValueError, match="none was given"):
                network(**{given: images[given]})
            return
        out = network.train(training)(**{given: images[given]}, single_modality=True)
        assert all(x.isfinite().all() for x in maps(out))
        assert out.single_modality == ()
        if training:
            return
        present = torch.zeros(2, 2, dtype=torch.bool)
        present[:, column] = True
        hidden = network(*images.values(), present)
        torch.testing.assert_close(hidden.logits, out.logits, **self.tolerance)
        both = network(*images.values(), single_modality=True)
        if len(network.modalities) == 2:
            assert not torch.equal(both.logits, hidden.logits)
            assert len(both.single_modality) == 2
            torch.testing.assert_close(
                both.single_modality[column][0], out.logits, **self.tolerance
            )

    @pytest.mark.parametrize(
        ("case", "value", "training"),
        [
            ("mixed", 5.0, True),
            ("mixed", torch.nan, True),
            ("mixed", torch.nan, False),
            ("no thermal", torch.nan, True),
        ],
    )
    def test_nothing_of_a_hidden_image_leaks(
        self, network: Network, case: str, value: float, training: bool
    ) -> None:
        """Not into an output, a running statistic or a gradient, whatever the images hold."""
        present, images = torch.tensor(PRESENT[case]), pair(4, 32, 40)
        hidden = [~there[:, None, None, None] for there in present.T]
        spoilt = [
            torch.where(h, value * torch.rand_like(x), x)
            for h, x in zip(hidden, images, strict=True)
        ]
        network.train(training)
        seen = step(copy.deepcopy(network), spoilt, present)
        clean = step(network, images, present)
        for ours, theirs in zip(seen.outputs, clean.outputs, strict=True):
            assert torch.equal(ours, theirs)
        for key, tensor in clean.state.items():
            assert torch.equal(seen.state[key], tensor), key
        for key, gradient in clean.gradients.items():
            other = seen.gradients[key]
            assert gradient is other is None or torch.equal(gradient, other), key

    @pytest.mark.parametrize("training", [False, True])
    def test_every_trainable_parameter_gets_a_gradient(
        self, network: Network, training: bool
    ) -> None:
        """As training on several devices demands, with a hidden modality too."""
        seen = step(network.train(training), pair(4), torch.tensor(PRESENT["mixed"]))
        for name, parameter in network.named_parameters():
            gradient = seen.gradients[name]
            assert (gradient is not None) == parameter.requires_grad, name
            assert gradient is None or gradient.isfinite().all(), name

    @pytest.mark.parametrize("batch", [1, 2])
    def test_the_smallest_batch_trains(self, network: Network, batch: int) -> None:
        """One image of 32x32 pixels leaves one value of a channel at stride 32: no variance."""
        present = torch.tensor([[True, True], [False, True]])[:batch]
        seen = step(network.train(), pair(batch, 32, 32), present)
        assert all(x.isfinite().all() for x in (*seen.outputs, *seen.state.values()))
        assert all(g is None or g.isfinite().all() for g in seen.gradients.values())

    @torch.no_grad()
    def test_an_image_answers_alike_alone_and_in_a_batch(self, network: Network) -> None:
        images = pair(3)
        together = network(*images, single_modality=True)
        single = network(*(x[1:2] for x in images), single_modality=True)
        for ours, theirs in zip(maps(single), maps(together), strict=True):
            torch.testing.assert_close(ours, theirs[1:2], **self.tolerance)

    @torch.no_grad()
    def test_merged_equals_unmerged(self, network: Network) -> None:
        images = pair()
        for norm in network.modules():
            if isinstance(norm, nn.BatchNorm2d):  # as after some training
                for values in (norm.running_mean, norm.running_var, norm.weight, norm.bias):
                    values.uniform_(0.5, 1.5)
        separate = network(*images)
        merged = copy.deepcopy(network)
        merged.merge()
        for ours, theirs in zip(maps(merged(*images)), maps(separate), strict=True):
            torch.testing.assert_close(ours, theirs, **self.tolerance)
        if (unmerge := getattr(merged, "unmerge", None)) is not None:
            unmerge()
            assert torch.equal(merged(*images).logits, separate.logits)

    @pytest.mark.parametrize("training", [False, True])
    def test_autocast_is_close_to_full_precision(self, network: Network, training: bool) -> None:
        images = pair()
        with torch.autocast("cpu", torch.bfloat16):
            low = network.train(training)(*images)
        assert all(x.isfinite().all() for x in maps(low))
        if not training:  # dropout draws anew
            exact = network(*images).logits
            assert (low.logits.float() - exact).abs().mean() < 0.1 * exact.std()

    @torch.no_grad()
    def test_it_answers_the_same_from_its_folder(
        self, network: Network, options: tuple[ModelConfig, AdaptConfig], tmp_path: Path
    ) -> None:
        palette = tuple((i, i, i) for i in range(len(CLASSES)))
        save_model(tmp_path, network, ModelInfo(*options, CLASSES, palette, "made up"))
        loaded, info = load_model(tmp_path)
        assert (info.model, info.adapt) == options
        images = pair()
        for ours, theirs in zip(maps(loaded(*images)), maps(network(*images)), strict=True):
            assert torch.equal(ours, theirs)
        before: dict[str, Any] = network.state_dict()
        assert all(torch.equal(t, before[name]) for name, t in loaded.state_dict().items())
