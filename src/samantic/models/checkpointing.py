"""Activation checkpointing: the backward pass recomputes the activations of an encoder's blocks.

Source: Chen et al., Training Deep Nets with Sublinear Memory Cost (arXiv 1604.06174).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from samantic.errors import InputError


def checkpoint_blocks(network: nn.Module) -> None:
    """Store only the inputs of the encoder's blocks in training, not their activations.

    transformers supports this for the blocks of Hiera, ViT and SegFormer.

    Args:
        network: The network. If it has `encoders`, blocks of other parts are not changed.

    Raises:
        InputError: The encoder has no such blocks.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    encoder = getattr(network, "encoders", network)
    found: list[Any] = [m for m in encoder.modules() if isinstance(m, GradientCheckpointingLayer)]
    if not found:
        raise InputError(
            "train.checkpointing: this network's encoder has no attention blocks to compute again; "
            "set it false, or lower train.batch_size and raise train.accumulate"
        )
    for block in found:
        block.gradient_checkpointing = True
        block._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)
