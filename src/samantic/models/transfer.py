"""Start a network from a trained one whose classes may be others."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from samantic.models.network import Network

CLASS_ROWS = {
    "mask_head.decoder.mask_tokens.weight": 1,  # row 0 is SAM2's token of the single mask
    "auxiliary_head.classify.weight": 0,
    "auxiliary_head.classify.bias": 0,
    "decode_head.classifier.weight": 0,
    "decode_head.classifier.bias": 0,
    "classifier.1.weight": 0,  # of the two-stream student
    "classifier.1.bias": 0,
}
"""Tensors with a row per class, and the row of the first class."""

CLASS_MODULES = "mask_head.decoder.output_hypernetworks_mlps."
"""Prefix of modules numbered by class, from 1; module 0 is SAM2's."""


@torch.no_grad()
def take_over(
    network: Network, classes: Sequence[str], source: Network, source_classes: Sequence[str]
) -> None:
    """Copy a trained network's weights into one of the same structure, in place.

    What belongs to a class is copied from the class of the same name; a class without a namesake
    keeps its own start.

    Args:
        network: The new network.
        classes: Its class names by label id.
        source: The trained network; must differ in its classes only.
        source_classes: The names there.
    """
    known = {name: label for label, name in enumerate(source_classes)}
    same = {label: known[name] for label, name in enumerate(classes) if name in known}
    trained = source.state_dict()
    for name, tensor in network.state_dict().items():
        if name in CLASS_ROWS:
            first = CLASS_ROWS[name]
            tensor[:first] = trained[name][:first]
            for ours, its in same.items():
                tensor[first + ours] = trained[name][first + its]
        elif name.startswith(CLASS_MODULES):
            number, rest = name.removeprefix(CLASS_MODULES).split(".", 1)
            its_number = {0: 0, **{ours + 1: its + 1 for ours, its in same.items()}}
            if int(number) in its_number:
                tensor.copy_(trained[f"{CLASS_MODULES}{its_number[int(number)]}.{rest}"])
        else:
            tensor.copy_(trained[name])
