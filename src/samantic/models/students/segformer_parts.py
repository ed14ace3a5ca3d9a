"""SegFormer's parts: its layouts, loading for any classes and channels, and a fast decoder.

Source of the architecture: Xie et al., SegFormer (arXiv 2105.15203), in transformers' version.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import SegformerConfig, SegformerForSemanticSegmentation
from transformers.models.segformer.modeling_segformer import SegformerDecodeHead

from samantic.config.networks import EFFICIENTNETS
from samantic.config.options import quoted
from samantic.errors import InputError
from samantic.models.hub import locate
from samantic.models.pretrained import load_pretrained, refuse_incomplete, reset_weights
from samantic.models.students.shapes import SEGFORMERS, SegFormerShape

HEAD = "decode_head."


def build_segformer(
    base: str | SegFormerShape, num_classes: int, channels: int = 3
) -> tuple[SegformerForSemanticSegmentation, SegFormerShape]:
    """Build a SegFormer with random weights, or load one and fit it to its task.

    A classifier for another number of classes is initialised anew, and so is the decoder if the
    base is only an encoder. From weights for three channels, a fourth channel takes the mean; a
    single channel takes the sum, as if its image were repeated three times.

    Args:
        base: A key of `SEGFORMERS` or a shape for random weights; else a hub id or a local folder.
        num_classes: Number of classes K.
        channels: Channels of the images: 1, 3 or 4.

    Returns:
        The network and its shape.

    Raises:
        InputError: The base cannot be reached or read, lacks a tensor, or is no SegFormer.

    Example:
        >>> network, shape = build_segformer("segformer-b0", num_classes=9, channels=4)
        >>> network(torch.rand(1, 4, 64, 96)).logits.shape
        torch.Size([1, 9, 16, 24])
    """
    shape = SEGFORMERS.get(base) if isinstance(base, str) else base
    if shape is not None:
        model = SegformerForSemanticSegmentation(segformer_config(shape, num_classes, channels))
        reset_weights(model)
        return model, shape
    model = _load(str(base))
    shape = _shape(str(base), model.config)
    if model.config.num_labels != num_classes:
        model.decode_head.classifier = nn.Conv2d(shape.decoder, num_classes, 1)
    embedding = cast(nn.Module, model.segformer.stages[0].patch_embeddings)
    _fit_channels(cast(nn.Conv2d, embedding.proj), channels)
    return model, shape


def segformer_config(shape: SegFormerShape, num_classes: int, channels: int) -> SegformerConfig:
    """The options of transformers' SegFormer for a shape."""
    options: dict[str, Any] = {"num_labels": num_classes, "num_channels": channels}
    return SegformerConfig(
        hidden_sizes=shape.widths,
        depths=shape.depths,
        num_attention_heads=shape.heads,
        sr_ratios=shape.reductions,
        decoder_hidden_size=shape.decoder,
        **options,
    )


def decode(head: SegformerDecodeHead, maps: Sequence[Tensor]) -> Tensor:
    """Compute SegFormer's decoder with a fraction of the operations.

    The decoder projects every map (P_i, b_i), upsamples it to the finest map's size, concatenates,
    and mixes by W = (W_1 .. W_n). No step in between is nonlinear, and upsampling commutes with 1x1
    convolutions. The product of the weights can therefore be applied before upsampling:

        W [up(P_i x_i + b_i)]_i = Σ_i up(W_i P_i x_i + W_i b_i)

    Args:
        head: The decoder.
        maps: (N, C_i, h_i, w_i), the finest first.

    Returns:
        Logits (N, K, h_1, w_1).
    """
    mixing = head.linear_fuse.weight.flatten(1).chunk(len(maps), dim=1)[::-1]  # coarsest first
    total = maps[0].new_zeros(())
    for features, linear, mix in zip(maps, head.linear_projections, mixing, strict=True):
        projection = cast(nn.Linear, linear.proj)
        weight, bias = mix @ projection.weight, mix @ projection.bias
        mixed = F.conv2d(features, weight[:, :, None, None], bias)
        total = total + F.interpolate(mixed, maps[0].shape[-2:], mode="bilinear")
    if head.linear_fuse.bias is not None:  # the batch norm that was folded into it
        total = total + head.linear_fuse.bias[:, None, None]
    logits: Tensor = head.classifier(head.dropout(head.activation(head.batch_norm(total))))
    return logits


def _load(base: str) -> SegformerForSemanticSegmentation:
    """A SegFormer of three channels: its encoder loaded completely, its decoder loaded or new."""
    if base.startswith(("segformer-", "random-")):
        raise InputError(f"base {base}: unknown; a student's are {', '.join(SEGFORMERS)}")
    cure = (
        "offline, give a SegFormer's folder with config.json and model.safetensors, or use "
        "segformer-b0"
    )
    folder = locate(base, "base", cure, (*SEGFORMERS, *EFFICIENTNETS))
    try:
        config, _ = SegformerConfig.get_config_dict(folder)
        if config.get("model_type") != "segformer":
            raise ValueError(f"its model_type is {quoted(config.get('model_type'))[1:-1]}")
        model, missing = load_pretrained(SegformerForSemanticSegmentation, folder)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"base {base}: not a SegFormer folder ({reason}); give one such as nvidia/mit-b0"
        ) from None
    head = {name for name in model.state_dict() if name.startswith(HEAD)}
    wrong = missing - head if head <= missing else missing
    refuse_incomplete(base, wrong, "SegFormer such as nvidia/mit-b0")
    return model


def _shape(base: str, config: SegformerConfig) -> SegFormerShape:
    """The shape for options of transformers; all other options must be SegFormer's own."""
    widths, depths, heads, reductions = (
        tuple(getattr(config, key))
        for key in ("hidden_sizes", "depths", "num_attention_heads", "sr_ratios")
    )
    shape = SegFormerShape(widths, depths, heads, config.decoder_hidden_size, reductions)
    usual = segformer_config(shape, 1, 3)
    for key in ("num_channels", "patch_sizes", "strides", "mlp_ratios", "hidden_act"):
        values = (getattr(options, key) for options in (config, usual))
        theirs, ours = (tuple(v) if isinstance(v, list) else v for v in values)
        if theirs != ours:
            raise InputError(f"base {base}: its {key} are {theirs}, SegFormer's are {ours}")
    return shape


@torch.no_grad()
def _fit_channels(first: nn.Conv2d, channels: int) -> None:
    """Make the first convolution, which reads three channels, read `channels`."""
    colour = first.weight
    match channels:
        case 1:
            weight = colour.sum(1, keepdim=True)
        case 4:
            weight = torch.cat([colour, colour.mean(1, keepdim=True)], dim=1)
        case _:
            return
    first.in_channels, first.weight = channels, nn.Parameter(weight)
