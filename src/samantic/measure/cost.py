"""The cost of a model in any runtime: parameters, operations, and the mIoU on its card."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from samantic.files import read_json, read_text
from samantic.predict.deployed import Deployed
from samantic.predict.model_folder import CARD

PARTS = ("encoders", "fusion", "heads", "rest")
"""Parts of a network; the last one is what belongs to none of the other three."""

CARD_FIGURE = re.compile(r"^\| (\d\.\d{4}) \(", re.MULTILINE)
"""Pattern of the mIoU on a model card, with its interval in brackets."""


class Cost(NamedTuple):
    """The cost of a pair.

    Attributes:
        parameters: Number of the network's parameters; a shared one counts once.
        operations: Operations of convolutions, matrix products and attention, by part; a
            multiplication and its addition count as two.
    """

    parameters: int
    operations: dict[str, int]

    @property
    def total(self) -> int:
        """Operations of all parts."""
        return sum(self.operations.values())


@torch.no_grad()
def cost_of(deployed: Deployed, size: tuple[int, int]) -> Cost:
    """Count the parameters and operations for one pair; black images go through the model once.

    Args:
        deployed: The model.
        size: Height and width of the images.
    """
    network = deployed.network
    device = next(network.parameters()).device
    images = {
        name: torch.zeros(1, channels, *size, device=device)
        for name, channels in (("rgb", 3), ("thermal", 1))
        if name in network.modalities
    }
    with FlopCounterMode(display=False) as counter:
        deployed.probabilities(images.get("rgb"), images.get("thermal"))
    counts = {name: sum(part.values()) for name, part in counter.get_flop_counts().items()}
    operations = dict.fromkeys(PARTS, 0)
    for name, count in counts.items():
        _, child, *deeper = f"{name}.".split(".")
        above = [name.rsplit(".", i + 1)[0] for i in range(len(deeper) - 1)]
        if child in network.parts and not counts.keys() & set(above):  # lists run their members
            operations[network.parts[child]] += count
    operations["rest"] = counter.get_total_flops() - sum(operations.values())
    return Cost(sum(p.numel() for p in network.parameters()), operations)


def told_miou(folder: Path) -> float | None:
    """The mIoU in 0..1 on a model folder's card, or of its run; None if there is neither."""
    metrics = folder.parent / "metrics.json"
    if folder.name == "model" and metrics.is_file():
        found = read_json(metrics).get("miou")
        return None if found is None else float(found)
    card = folder / CARD
    told = CARD_FIGURE.search(read_text(card, "model card")) if card.is_file() else None
    return None if told is None else float(told[1])
