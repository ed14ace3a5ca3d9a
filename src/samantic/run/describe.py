"""A few lines that describe a training before it starts."""

from __future__ import annotations

import torch

from samantic.config.train import Config
from samantic.data.pairs import PairedFolder
from samantic.models import Network
from samantic.predict.info import ModelInfo
from samantic.strings import printable


def describe(
    network: Network, config: Config, splits: dict[str, PairedFolder], info: ModelInfo
) -> str:
    """Describe a training: the network and its parameters by part, the data, the resolution."""
    size = size_of(config.augment.crop)
    lines = [describe_network(network, info), describe_data(splits, size)]
    if info.language is not None:
        without = [n for n, term in zip(info.classes, info.terms, strict=True) if term is None]
        lines.append(
            f"class names from {info.language}, without a vector: {', '.join(without) or 'none'}"
        )
    return "\n".join(lines)


def describe_network(network: Network, info: ModelInfo) -> str:
    """A network's options, and the number of parameters of each part."""

    def count(module: torch.nn.Module, trainable: bool = False) -> int:
        return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)

    model = info.model
    parts = ", ".join(
        f"{name} {count(part) / 1e6:.3f} M ({count(part, True) / 1e6:.3f} M trained)"
        for name, part in network.named_children()
    )
    return (
        f"{model.network} on {model.base}, adapt {info.adapt.method}, fusion {model.fusion}, "
        f"auxiliary {model.auxiliary}: {count(network) / 1e6:.3f} M parameters, "
        f"{count(network, True) / 1e6:.3f} M of them trained\n  {parts}"
    )


def size_of(crop: tuple[int, int] | None) -> str:
    """The size at which images are trained on, as a phrase."""
    return "whole images" if crop is None else f"crops of {crop[0]}x{crop[1]}"


def describe_data(splits: dict[str, PairedFolder], size: str) -> str:
    """The number of pairs of each split, and the size at which they are trained on."""
    counts = ", ".join(f"{part.split} {len(part)}" for part in splits.values())
    return printable(f"{splits['train'].root}: {counts} {splits['train'].noun}s, {size}")
