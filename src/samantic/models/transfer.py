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

    Parameters of a class, given by `Network.class_parts`, are copied from the class with the same
    name; `match_names` finds it. A class without such a match keeps its initial weights.

    Args:
        network: The new network.
        classes: Its class names by label id.
        source: The trained network. It differs only in its classes, or in parts that
            `network.inherited` converts.
        source_classes: Its class names by label id.

    Returns:
        The source's label id by the label id of each class that was copied.
    """
    own, trained = network.state_dict(), network.inherited(source)
    parts = [dict(network.class_parts(index)) for index in range(network.num_classes)]
    owned = {name for part in parts for name in part}
    for name in own.keys() & trained.keys():
        if name not in owned:
            own[name].copy_(trained[name])
        elif (first := parts[0].get(name)) is not None:  # rows before those of the first class
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
