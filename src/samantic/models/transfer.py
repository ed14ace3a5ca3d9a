"""Start a network from a trained one whose classes may be others."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from samantic.data.class_names import match_names
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
def one_stream(trained: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of a student whose one encoder reads both cameras, from one with an encoder each.

    Both encoders grew from the same weights, so that their features still mean the same: the one
    for RGB stays, with a fourth channel in its first convolution, and what was made of either is
    made of its features,

        W' = [3/4 W_rgb, 1/4 Σ_c W_thermal,c],    V' = V_rgb + V_thermal

    for the first convolution W and the 1x1 convolutions V that fuse. Where the encoders are the
    same and both cameras show one gray image, nothing changes.

    Args:
        trained: State of a `TwoStream` of the fusion two-stream.
    """
    state = {}
    for name, tensor in trained.items():
        if name.startswith("encoders.thermal."):
            continue
        if name == "encoders.rgb.stem.weight":
            thermal = trained["encoders.thermal.stem.weight"].sum(1, keepdim=True)
            tensor = torch.cat([0.75 * tensor, 0.25 * thermal], dim=1)
        elif name.startswith("fuse.") and name.endswith(".0.weight"):
            tensor = torch.stack(tensor.chunk(2, dim=1)).sum(0)
        state[name.replace("encoders.rgb.", "encoders.early.")] = tensor
    return state


@torch.no_grad()
def take_over(
    network: Network, classes: Sequence[str], source: Network, source_classes: Sequence[str]
) -> dict[int, int]:
    """Copy a trained network's weights into one of the same structure, in place.

    What belongs to a class is copied from the class of the same name, as `match_names` finds it; a
    class without a namesake keeps its own start.

    Args:
        network: The new network.
        classes: Its class names by label id.
        source: The trained network; must differ in its classes only, or have the fusion
            two-stream where the new one has early (see `one_stream`). Where the decoder has other
            widths, as a short one's has, the encoder alone is copied.
        source_classes: The names there.

    Returns:
        By the label id of each class that was copied, the one it has there.
    """
    same = match_names(classes, source_classes)
    trained = source.state_dict()
    if network.fusion_name != source.fusion_name:
        trained = one_stream(trained)
    own = network.state_dict()
    fused = "fuse.0.0.weight"
    widths = [state[fused].shape for state in (own, trained) if fused in state]
    if len(set(widths)) > 1:
        same = {}
        own = {name: tensor for name, tensor in own.items() if name.startswith("encoders.")}
    for name, tensor in own.items():
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
    return same
