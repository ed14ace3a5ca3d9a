"""Every network refuses `present` of a wrong shape or type, and pairs without any image."""

from __future__ import annotations

import pytest
import torch

from samantic.config import AdaptConfig
from samantic.models import SARTM, Network, Student, TwoStream, load_sam2


def networks() -> list[Network]:
    return [
        SARTM(load_sam2("random-micro"), 3, adapt=AdaptConfig("full")),
        Student("segformer-micro", 3),
        TwoStream("efficientnet-lite0-short", 3, fusion="early", pretrained=False),
    ]


@pytest.mark.parametrize("network", networks(), ids=lambda n: type(n).__name__)
def test_present_is_judged(network: Network) -> None:
    rgb, thermal = torch.rand(2, 3, 64, 64), torch.rand(2, 1, 64, 64)
    network.eval()
    yes = torch.ones(2, 2, dtype=torch.bool)
    with torch.inference_mode():
        network(rgb, thermal, yes)
        network(rgb, thermal, torch.tensor([[True, False], [False, True]]))
        for wrong, message in (
            (yes[:, :1], r"present must be \(N, 2\) bool, got \(2, 1\)"),
            (yes[0], r"present must be \(N, 2\) bool, got \(2,\)"),
            (yes.float(), r"present must be .* torch.float32"),
            (yes[:1], "present is of 1 pairs, the images of 2"),
            (torch.tensor([[True, True], [False, False]]), "present: pair 1 has no image"),
        ):
            with pytest.raises(ValueError, match=message):
                network(rgb, thermal, wrong)
