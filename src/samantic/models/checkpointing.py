"""Activation checkpointing: the backward pass computes an encoder's blocks again.

Chen et al., Training Deep Nets with Sublinear Memory Cost (arXiv 1604.06174).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from samantic.errors import InputError


def checkpoint_blocks(network: nn.Module) -> None:
    """Store only the inputs of the encoder's blocks in training, not their activations.

    The blocks are those that transformers can checkpoint: of Hiera, of a ViT, of SegFormer.

    Args:
        network: The network; where it has `encoders`, blocks of other parts stay as they are.

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
