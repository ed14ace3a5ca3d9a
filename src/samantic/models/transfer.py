"""Start a network from a trained one, whose classes may differ."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from samantic.data.class_names import match_names
from samantic.models.network import Network


@torch.no_grad()
def take_over(
    network: Network, classes: Sequence[str], source: Network, source_classes: Sequence[str]
) -> dict[int, int]:
    """Copy a trained network's weights into one of the same structure, in place.

    What belongs to a class, by `Network.class_parts`, is copied from the class of the same name, as
    `match_names` finds it; a class without a namesake keeps its own start.

    Args:
        network: The new network.
        classes: Its class names by label id.
        source: The trained network; it differs in its classes only, or in what
            `network.inherited` brings into line.
        source_classes: The names there.

    Returns:
        By the label id of each class that was copied, the one it has there.
    """
    own, trained = network.state_dict(), network.inherited(source)
    parts = [dict(network.class_parts(index)) for index in range(network.num_classes)]
    owned = {name for part in parts for name in part}
    for name in own.keys() & trained.keys():
        if name not in owned:
            own[name].copy_(trained[name])
        elif (first := parts[0].get(name)) is not None:  # rows before those of the classes
            own[name][:first] = trained[name][:first]
    if not owned & trained.keys():
        return {}
    same = match_names(classes, source_classes)
    for ours, its in same.items():
        for (name, row), (theirs, from_row) in zip(
            parts[ours].items(), source.class_parts(its), strict=True
        ):
            part, known = own[name], trained[theirs]
            part.copy_(known) if row is None else part[row].copy_(known[from_row])
    return same
