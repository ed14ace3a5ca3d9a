from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest
import torch

from samantic.config import AdaptConfig
from samantic.config.networks import Fusion
from samantic.models import SARTM, load_sam2

MakeNetwork = Callable[..., SARTM]
FUSIONS = get_args(Fusion)


def pair(batch: int = 2, height: int = 40, width: int = 56) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(batch, 3, height, width), torch.rand(batch, 1, height, width)


@pytest.mark.parametrize("size", [(32, 32), (33, 65), (20, 100), (96, 64)])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_any_size(make_network: MakeNetwork, fusion: Fusion, size: tuple[int, int]) -> None:
    out = make_network(fusion)(*pair(1, *size))
    assert out.logits.shape == out.auxiliary.shape == (1, 5, *size)
    padded = [-(-side // 32) * 32 for side in size]
    for level, stride, channels in zip(out.features, (4, 8, 16), (4, 8, 32), strict=True):
        assert level.shape == (1, channels, padded[0] // stride, padded[1] // stride)


def test_a_variant_builds_only_what_it_uses(make_network: MakeNetwork) -> None:
    parts = {
        f: {name.split(".")[0] for name, _ in make_network(f).named_parameters()} for f in FUSIONS
    }
    assert (
        parts["paper"] == parts["average"] == {"mask_head", "auxiliary_head", "fusion", "encoders"}
    )
    assert parts["late"] == parts["rgb"] == {"mask_head", "auxiliary_head", "encoders"}
    assert parts["figure"] == parts["paper"] | {"pooled_fusion"}
    assert list(make_network("rgb").encoders) == ["rgb"]
    assert list(make_network("thermal").encoders) == ["thermal"]
    average = make_network("average").fusion
    assert average is not None
    assert sum(p.numel() for p in average.parameters()) == 6  # theta of three scales
    assert make_network("late", auxiliary="none").auxiliary_head is None


@pytest.mark.parametrize("fusion", ["paper", "figure", "average", "late"])
def test_missing_modality_equals_the_single_path(make_network: MakeNetwork, fusion: Fusion) -> None:
    network = make_network(fusion)
    rgb, thermal = pair()
    present = torch.tensor([[True, False], [False, True]])
    mixed = network(rgb, thermal, present)
    for index, alone in ((0, network(rgb=rgb)), (1, network(thermal=thermal))):
        torch.testing.assert_close(mixed.logits[index], alone.logits[index], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(
            mixed.auxiliary[index], alone.auxiliary[index], rtol=1e-4, atol=1e-4
        )


def test_figure_pools_other_features_than_its_heads_read(make_network: MakeNetwork) -> None:
    """The heads are those of `average`, FRM and FFM reach the pooled semantic map alone."""
    network = make_network("figure")
    rgb, thermal = pair()
    out = network(rgb, thermal)
    with torch.no_grad():
        pyramids = {
            "rgb": network.encode("rgb", rgb),
            "thermal": network.encode("thermal", thermal),
        }
        average = (pyramids["rgb"].semantic + pyramids["thermal"].semantic) / 2
        assert network.pooled_fusion is not None
        both = torch.ones(2, 2, dtype=torch.bool)
        pooled = network.pooled_fusion(pyramids["rgb"].semantic, pyramids["thermal"].semantic, both)
    torch.testing.assert_close(out.features.semantic, pooled)
    assert not torch.allclose(pooled, average, atol=1e-3)
    seen = []
    network.mask_head.register_forward_pre_hook(lambda module, args: seen.append(args[0].semantic))
    network(rgb, thermal)
    torch.testing.assert_close(seen[0], average)
    assert network(rgb).features.semantic.shape == average.shape


@pytest.mark.parametrize("fusion", ["paper", "figure", "average", "late"])
def test_alone_is_what_each_modality_gives_by_itself(
    make_network: MakeNetwork, fusion: Fusion
) -> None:
    network = make_network(fusion)
    rgb, thermal = pair()
    out = network(rgb, thermal, single_modality=True)
    for (logits, auxiliary), single in zip(
        out.single_modality, (network(rgb), network(thermal=thermal)), strict=True
    ):
        torch.testing.assert_close(logits, single.logits)
        torch.testing.assert_close(auxiliary, single.auxiliary)
    assert network(rgb, thermal).single_modality == ()
    assert network(rgb, single_modality=True).single_modality == ()
    torch.testing.assert_close(out.logits, network(rgb, thermal).logits)


def test_late_is_the_mean_of_both_modalities(make_network: MakeNetwork) -> None:
    network = make_network("late")
    rgb, thermal = pair()
    both, colour, heat = network(rgb, thermal), network(rgb=rgb), network(thermal=thermal)
    torch.testing.assert_close(both.logits, (colour.logits + heat.logits) / 2)
    torch.testing.assert_close(both.auxiliary, (colour.auxiliary + heat.auxiliary) / 2)


def test_paper_starts_as_average() -> None:
    """The last layer of FFM is zero at the start, so the two variants agree."""
    networks = []
    for fusion in ("paper", "average"):
        torch.manual_seed(4)
        sam = load_sam2("random-micro")
        networks.append(SARTM(sam, 3, fusion=fusion, adapt=AdaptConfig("full")).eval())  # type: ignore[arg-type]
    networks[1].load_state_dict(networks[0].state_dict(), strict=False)
    rgb, thermal = pair()
    torch.testing.assert_close(networks[0](rgb, thermal).logits, networks[1](rgb, thermal).logits)


def test_one_pass_through_a_shared_encoder_equals_two(make_network: MakeNetwork) -> None:
    network = make_network("paper", "full")
    assert network.encoders["rgb"] is network.encoders["thermal"]
    rgb, thermal = pair()
    together = network._encode({"rgb": rgb, "thermal": thermal})
    for name, image in (("rgb", rgb), ("thermal", thermal)):
        for level, alone in zip(together[name], network.encode(name, image), strict=True):
            torch.testing.assert_close(level, alone, rtol=1e-4, atol=1e-5)


def test_shared_lora_is_one_set(make_network: MakeNetwork) -> None:
    separate, shared = (make_network("paper", "lora", shared=s) for s in (False, True))
    assert shared.encoders["rgb"] is shared.encoders["thermal"]

    def count(network: SARTM) -> int:
        names = ("a_q", "a_v", "b_q", "b_v")
        return sum(p.numel() for n, p in network.named_parameters() if n.endswith(names))

    assert count(separate) == 2 * count(shared) > 0


def test_separate_trunks_are_separate(make_network: MakeNetwork) -> None:
    network = make_network("paper", "full-separate")
    rgb = dict(network.encoders["rgb"].named_parameters())
    for name, parameter in network.encoders["thermal"].named_parameters():
        assert parameter is not rgb[name]


@pytest.mark.parametrize("method", ["lora", "frozen"])
def test_frozen_parts_stay_frozen(make_network: MakeNetwork, method: str) -> None:
    network = make_network("paper", method)
    trained = {n for n, p in network.named_parameters() if p.requires_grad}
    encoder = {n for n in trained if n.startswith("encoders")}
    assert all(n.endswith(("a_q", "a_v", "b_q", "b_v")) for n in encoder)
    assert bool(encoder) == (method == "lora")
    assert not any("hypernetworks_mlps.0." in n or "no_mask" in n for n in trained)
    assert "mask_head.decoder.mask_tokens.weight" in trained


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ({}, "reads rgb or thermal: none was given"),
        ({"rgb": torch.rand(1, 1, 32, 32)}, r"got rgb \(1, 1, 32, 32\)"),
        ({"thermal": torch.rand(3, 32, 32)}, r"got thermal \(3, 32, 32\)"),
        (
            {"rgb": torch.rand(1, 3, 32, 32), "thermal": torch.rand(1, 1, 32, 64)},
            r"equal N, H and W, got rgb \(1, 3, 32, 32\) and thermal \(1, 1, 32, 64\)",
        ),
    ],
)
def test_wrong_shapes(
    make_network: MakeNetwork, images: dict[str, torch.Tensor], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_network()(**images)


def test_single_modality_variant_ignores_the_other(make_network: MakeNetwork) -> None:
    network = make_network("thermal")
    rgb, thermal = pair()
    assert torch.equal(network(rgb, thermal).logits, network(thermal=thermal).logits)
    with pytest.raises(ValueError, match="the variant 'thermal' reads thermal: none was given"):
        network(rgb=rgb)
