"""What hidden images do to batch statistics and gradients; see `NetworkTests` for every network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest
import torch

from samantic.config.networks import TwoStreamFusion
from samantic.models import SARTM, Network, Student, TwoStream
from samantic.models.network import MODALITIES
from tests.models.base import PRESENT, step

LITE, SHORT = "efficientnet-lite0", "efficientnet-lite0-short"


@pytest.fixture
def build(make_network: Callable[..., SARTM]) -> Callable[..., Network]:
    def make(name: str, options: dict[str, Any]) -> Network:
        torch.manual_seed(5)
        if name == "sartm":
            return make_network(**options)
        if name.startswith("segformer"):
            return Student(name, 5, **options)
        return TwoStream(name, 5, pretrained=False, **options)

    return make


@pytest.mark.parametrize("case", PRESENT)
@pytest.mark.parametrize("fusion", get_args(TwoStreamFusion))
def test_every_parameter_of_two_streams_gets_a_gradient(
    build: Callable[..., Network], fusion: str, case: str
) -> None:
    """Of zero where no image of its modality is there, as training on several devices demands."""
    network = build(LITE, {"fusion": fusion}).train()
    images = [torch.rand(4, 3, 32, 32), torch.rand(4, 1, 32, 32)]
    seen = step(network, images, torch.tensor(PRESENT[case]))
    assert [name for name, gradient in seen.gradients.items() if gradient is None] == []
    assert all(g is not None and g.isfinite().all() for g in seen.gradients.values())


@pytest.mark.parametrize("modality", MODALITIES)
def test_batch_statistics_are_those_of_the_images_that_are_there(
    build: Callable[..., Network], modality: str
) -> None:
    """An encoder's running statistics are those of a batch of the present images alone."""
    column = MODALITIES.index(modality)
    images = [torch.rand(4, 3, 64, 64), torch.rand(4, 1, 64, 64)]
    present = torch.tensor(PRESENT["mixed"])
    whole, encoder = (
        build(LITE, {"fusion": "two-stream"}).train().requires_grad_(False) for _ in range(2)
    )
    torch.manual_seed(6)
    whole(images[0], images[1].nan_to_num(), present)
    torch.manual_seed(6)
    encoder.encoders[modality](images[column][present[:, column]])
    stem, alone = whole.encoders[modality].norm, encoder.encoders[modality].norm
    assert not torch.equal(stem.running_mean, torch.zeros_like(stem.running_mean))
    torch.testing.assert_close(stem.running_mean, alone.running_mean)
    torch.testing.assert_close(stem.running_var, alone.running_var)


@pytest.mark.parametrize("name", ["segformer-micro", LITE])
def test_blank_images_are_not_in_the_statistics_of_a_decoder(
    build: Callable[..., Network], name: str
) -> None:
    """What RGB and thermal give alone is decoded from the pairs that have it."""
    network = build(name, {"fusion": "early"}).train()
    norm = network.decode_head.batch_norm if isinstance(network, Student) else network.fuse[0][1]
    batches: list[int] = []
    norm.register_forward_pre_hook(lambda module, args: batches.append(len(args[0])))
    images = [torch.rand(4, 3, 32, 32), torch.rand(4, 1, 32, 32)]
    present = torch.tensor(PRESENT["mixed"])
    out = network(*images, present, single_modality=True)
    assert batches == [4, 3, 3]
    assert [len(logits) for logits, _ in out.single_modality] == [4, 4]
    network.eval()
    out = network(*images, present, single_modality=True)
    for (logits, _), given in zip(
        out.single_modality, ({"rgb": images[0]}, {"thermal": images[1]}), strict=True
    ):
        torch.testing.assert_close(logits[0], network(**given).logits[0])
