from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from samantic.models import SARTM
from samantic.models.transfer import take_over


@pytest.mark.parametrize("auxiliary", ["fpn", "deeplab", "segformer", "none"])
def test_classes_of_one_name_answer_as_before(
    make_network: Callable[..., SARTM], auxiliary: str
) -> None:
    """A class's logits depend on nothing of the other classes' but the tokens beside it."""
    source = make_network(classes=3, auxiliary=auxiliary)
    network = make_network(classes=3, auxiliary=auxiliary)
    take_over(network, ["b", "c", "a"], source, ["a", "b", "c"])
    pair = torch.rand(1, 3, 32, 32), torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        before, after = source(*pair), network(*pair)
    # attention sums over tokens, so their order changes rounding alone
    torch.testing.assert_close(after.logits[:, [2, 0, 1]], before.logits, rtol=1e-4, atol=1e-5)
    if before.auxiliary is not None:
        torch.testing.assert_close(after.auxiliary[:, [2, 0, 1]], before.auxiliary)


def test_other_classes_keep_their_own_start(make_network: Callable[..., SARTM]) -> None:
    source, network = make_network(classes=3), make_network(classes=5)
    own = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    take_over(network, ["x", "b", "y", "z", "w"], source, ["a", "b", "c"])
    now, theirs = network.state_dict(), source.state_dict()
    tokens = "mask_head.decoder.mask_tokens.weight"
    assert torch.equal(now[tokens][[0, 2]], theirs[tokens][[0, 2]])
    assert torch.equal(now[tokens][[1, 3, 4, 5]], own[tokens][[1, 3, 4, 5]])
    for row in (0, 2, 3, 4):
        name = "auxiliary_head.classify.weight"
        assert torch.equal(now[name][row], own[name][row])
    first = "mask_head.decoder.output_hypernetworks_mlps.{}.proj_in.weight"
    assert torch.equal(now[first.format(2)], theirs[first.format(2)])
    assert torch.equal(now[first.format(5)], own[first.format(5)])
    trunk = [name for name in now if name.startswith("encoders.")]
    assert all(torch.equal(now[name], theirs[name]) for name in trunk)
