"""The module that is exported: from raw images of one size to labels, without any options."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samantic.config.scaling import Scaling
from samantic.errors import InputError
from samantic.predict.predictor import Predictor

ThermalType = Literal["uint8", "uint16", "float32"]

TRACED = {"uint8": torch.uint8, "uint16": torch.int32, "float32": torch.float32}
"""Data types with which the network is traced; torch cannot compute with uint16."""


EDGE, BEYOND = 1e-6, 3.0
"""In half image widths: distance that still counts as on the border, and one surely beyond."""


class Exported(nn.Module):
    """A predictor's path from raw images to labels, for images of one size.

    Args:
        predictor: The model.
        size: Height and width of RGB, or of thermal if the model reads only thermal.
        thermal_size: Height and width of thermal images, if the cameras are not aligned.
        thermal_type: Type of thermal values.

    Attributes:
        names: Names of the inputs, in their order.
        shapes: Shapes of the inputs, without the batch axis.
    """

    grid: Tensor | None

    def __init__(
        self,
        predictor: Predictor,
        size: tuple[int, int],
        thermal_size: tuple[int, int] | None,
        thermal_type: ThermalType,
    ) -> None:
        super().__init__()
        self.deployed, reads = predictor.deployed, predictor.network.modalities
        shapes: dict[str, tuple[int, ...]] = {}
        if "rgb" in reads:
            shapes["rgb"] = (*size, 3)
        if "thermal" in reads:
            shapes["thermal"] = thermal_size or size
        if len(reads) == 2:
            shapes["present"] = (2,)
        self.names, self.shapes = tuple(shapes), shapes
        kinds = {"rgb": torch.uint8, "thermal": TRACED[thermal_type], "present": torch.bool}
        self.types = {name: kinds[name] for name in shapes}
        rig = predictor.camera.rig if len(reads) == 2 else None
        grid = None
        if rig is not None:
            columns, rows = rig.places(shapes["thermal"], size)
            height, width = shapes["thermal"]
            places = [2 * columns / (width - 1) - 1, 2 * rows / (height - 1) - 1]
            grid = torch.stack([torch.from_numpy(x) for x in places], dim=-1)[None].float()
            outside = (grid.abs() > 1 + EDGE).any(-1, keepdim=True)
            grid = grid.masked_fill(outside, BEYOND)  # 0 there; a border would fade out
        self.register_buffer("grid", grid)

    def forward(self, *images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Labels (N, H, W) uint8, confidence (N, H, W), and all probabilities (N, K, H, W)."""
        given = dict(zip(self.names, images, strict=True))
        rgb, thermal = self.deployed.images(given.get("rgb"), given.get("thermal"))
        if self.grid is not None and thermal is not None:
            grid = self.grid.expand(len(thermal), -1, -1, -1)
            thermal = F.grid_sample(thermal, grid, align_corners=True)
        found, _ = self.deployed.probabilities(rgb, thermal, given.get("present"))
        confidence, labels = found[0].max(1)
        return labels.to(torch.uint8), confidence, found[0]

    def examples(self, count: int) -> tuple[Tensor, ...]:
        """Inputs for tracing, a batch of `count` pairs."""
        return tuple(
            torch.ones(count, *self.shapes[name], dtype=self.types[name]) for name in self.names
        )


def thermal_type_of(scaling: Scaling, asked: ThermalType | None) -> ThermalType:
    """The type of thermal values: as requested, or the type that fits the model's scaling.

    Raises:
        InputError: The scaling reads only 8-bit gray levels, and a deeper type was requested.
    """
    if scaling.kind == "8-bit":
        if asked not in (None, "uint8"):
            raise InputError(
                f"--thermal-type {asked}: the model reads gray levels of 8 bits; export it with "
                "--thermal-scaling for other values"
            )
        return "uint8"
    whole = scaling.kind == "frame" or (scaling.low >= 0 and scaling.high - scaling.low >= 256)
    return asked or ("uint16" if whole else "float32")
