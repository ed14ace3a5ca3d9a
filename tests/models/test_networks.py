"""Every network and every variant answers the questions of `NetworkTests`."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from samantic.config import AdaptConfig, ModelConfig, SartmConfig, StudentConfig
from samantic.config.networks import Fusion, SegFormerFusion, TwoStreamFusion
from samantic.models import Network, load_sam2
from samantic.models.build import build
from tests.bases import sam3
from tests.models.base import CLASSES, NetworkTests

LITE, SHORT = "efficientnet-lite0", "efficientnet-lite0-short"


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SAM2 and a SAM3 with weights of their own."""
    torch.manual_seed(2)
    folder = tmp_path_factory.mktemp("bases")
    load_sam2("random-micro").save_pretrained(folder / "sam2")
    sam3().save_pretrained(folder / "sam3")
    return folder


@cache
def built(model: ModelConfig, adapt: AdaptConfig) -> Network:
    """A network whose fusion and low-rank updates matter, as after some training."""
    network = build(model, adapt, len(CLASSES), trained=model.network == "student").eval()
    for name, parameter in network.named_parameters():
        if name.endswith(("out_norm.weight", "b_q", "b_v", "_proj.b")):
            torch.nn.init.normal_(parameter, std=0.5)
    return network


def name_of(value: Any) -> str:
    parts = value.values() if isinstance(value, dict) else [value]
    return "-".join(str(part) for part in parts)


SARTMS: list[dict[str, Any]] = [
    *({"base": "random-micro", "fusion": fusion, "method": "full"} for fusion in get_args(Fusion)),
    *({"base": "sam2", "method": method} for method in ("lora", "full-separate", "frozen")),
    {"base": "sam2", "fusion": "late", "method": "lora"},
    *(
        {"base": "random-micro", "auxiliary": auxiliary, "method": "full"}
        for auxiliary in ("deeplab", "segformer", "none")
    ),
    {"base": "sam3", "method": "lora"},
    {"base": "sam3", "fusion": "figure", "method": "full"},
    {"base": "sam3", "fusion": "thermal", "method": "lora"},
]


@pytest.mark.parametrize("variant", SARTMS, ids=name_of)
class TestSARTM(NetworkTests):
    @pytest.fixture
    def options(self, variant: dict[str, Any], bases: Path) -> tuple[ModelConfig, AdaptConfig]:
        kept = {key: value for key, value in variant.items() if key != "method"}
        if kept["base"].startswith("sam"):
            kept["base"] = str(bases / kept["base"])
        return SartmConfig(**kept), AdaptConfig(variant["method"], rank=2)

    @pytest.fixture
    def network(self, options: tuple[ModelConfig, AdaptConfig]) -> Network:
        return copy.deepcopy(built(*options))


STUDENTS = [
    *(("segformer-micro", fusion) for fusion in get_args(SegFormerFusion)),
    *((LITE, fusion) for fusion in get_args(TwoStreamFusion)),
    (SHORT, "early"),
]


@pytest.mark.parametrize(("base", "fusion"), STUDENTS, ids=name_of)
class TestStudents(NetworkTests):
    @pytest.fixture
    def options(self, base: str, fusion: Any) -> tuple[ModelConfig, AdaptConfig]:
        return StudentConfig(base, fusion), AdaptConfig("full")

    @pytest.fixture
    def network(self, options: tuple[ModelConfig, AdaptConfig]) -> Network:
        return copy.deepcopy(built(*options))
