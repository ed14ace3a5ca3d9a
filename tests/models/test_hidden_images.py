"""Nothing of a hidden image reaches anything, in training as in evaluation, in every network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, get_args

import pytest
import torch
from torch import Tensor

from samantic.config.networks import Fusion, SegFormerFusion, TwoStreamFusion
from samantic.models import SARTM, Network, Student, TwoStream
from samantic.models.network import MODALITIES

LITE, SHORT = "efficientnet-lite0", "efficientnet-lite0-short"

NETWORKS: list[tuple[str, dict[str, Any]]] = [
    *(("sartm", {"fusion": fusion, "method": "full"}) for fusion in get_args(Fusion)),
    *(("sartm", {"method": method}) for method in ("lora", "full-separate", "frozen")),
    *(("sartm", {"auxiliary": auxiliary}) for auxiliary in ("deeplab", "segformer", "none")),
    *(("segformer-micro", {"fusion": fusion}) for fusion in get_args(SegFormerFusion)),
    *((LITE, {"fusion": fusion}) for fusion in get_args(TwoStreamFusion)),
    (SHORT, {"fusion": "early"}),
]
"""Every network and every variant: name and options."""

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


def step(network: Network, images: list[Tensor], present: Tensor) -> Seen:
    """Forward and backward; the gradient of hidden pixels must be 0."""
    inputs = [image.clone().requires_grad_() for image in images]
    torch.manual_seed(6)
    out = network(*inputs, present, alone=True)
    both = present.all(1)  # what is taught alone; without a modality it means nothing
    alone = [None if x is None else x[both] for logits in out.alone for x in logits]
    outputs = [x for x in (out.logits, out.auxiliary, *out.features, *alone) if x is not None]
    torch.stack([x.square().sum() for x in outputs]).sum().backward()
    for image, there in zip(inputs, present.T, strict=True):
        assert image.grad is None or not image.grad[~there].any()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    return Seen(outputs, network.state_dict(), gradients)


@pytest.mark.parametrize(
    ("case", "training"), [("mixed", True), ("no thermal", True), ("mixed", False)]
)
@pytest.mark.parametrize(
    ("name", "options"), NETWORKS, ids=lambda x: x if isinstance(x, str) else "-".join(x.values())
)
def test_nothing_of_a_hidden_image_leaks(
    build: Callable[..., Network], name: str, options: dict[str, Any], case: str, training: bool
) -> None:
    """Not into an output, a running statistic or a gradient, whatever the hidden images hold."""
    present = torch.tensor(PRESENT[case])
    images = [torch.rand(4, 3, 32, 40), torch.rand(4, 1, 32, 40)]
    clean = step(build(name, options).train(training), images, present)
    for change in (lambda x: 5 * torch.rand_like(x), lambda x: torch.full_like(x, torch.nan)):
        hidden = [~there[:, None, None, None] for there in present.T]
        spoilt = [torch.where(h, change(x), x) for h, x in zip(hidden, images, strict=True)]
        seen = step(build(name, options).train(training), spoilt, present)
        for ours, theirs in zip(seen.outputs, clean.outputs, strict=True):
            assert torch.equal(ours, theirs)
        for key, value in clean.state.items():
            assert torch.equal(seen.state[key], value), key
        for key, gradient in clean.gradients.items():
            other = seen.gradients[key]
            assert gradient is other is None or torch.equal(gradient, other), key


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
    out = network(*images, present, alone=True)
    assert batches == [4, 3, 3]
    assert [len(logits) for logits, _ in out.alone] == [4, 4]
    network.eval()
    out = network(*images, present, alone=True)
    for (logits, _), given in zip(
        out.alone, ({"rgb": images[0]}, {"thermal": images[1]}), strict=True
    ):
        torch.testing.assert_close(logits[0], network(**given).logits[0])


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    ("name", "options"), NETWORKS, ids=lambda x: x if isinstance(x, str) else "-".join(x.values())
)
def test_the_smallest_batch_trains(
    build: Callable[..., Network], name: str, options: dict[str, Any], batch: int
) -> None:
    """One image of 32x32 pixels leaves one value of a channel at stride 32: no variance."""
    network = build(name, options).train()
    images = [torch.rand(batch, 3, 32, 32), torch.rand(batch, 1, 32, 32)]
    present = torch.tensor([[True, True], [False, True]])[:batch]
    seen = step(network, images, present)
    assert all(x.isfinite().all() for x in (*seen.outputs, *seen.state.values()))
    assert all(g is None or g.isfinite().all() for g in seen.gradients.values())
