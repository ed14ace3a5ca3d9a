"""Batch norm: for batches too small for statistics, and folded away for inference."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class BatchNorm(nn.BatchNorm2d):
    """PyTorch's, but a batch with at most one value per channel is normalised as in evaluation.

    One value has no variance: PyTorch refuses to train on it. Such a map is what a network of
    stride 32 makes of a single image of 32x32 pixels. A batch may also be empty, as where every
    image of a modality is hidden; its parameters then receive gradients of zero.

    Shape: (N, C, H, W) to (N, C, H, W).
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.numel() <= x.shape[1]:
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(x)


def exchange_norms(module: nn.Module) -> None:
    """Put a `BatchNorm` of the same state in place of each of PyTorch's inside a module."""
    for name, child in module.named_children():
        if type(child) is nn.BatchNorm2d:
            norm = BatchNorm(child.num_features, child.eps, child.momentum)
            norm.load_state_dict(child.state_dict())
            setattr(module, name, norm)
        else:
            exchange_norms(child)


def fold_norms(module: nn.Module) -> None:
    """Fold the scale and shift of each batch norm into the convolution before it, for inference.

    A convolution and a norm that are registered one after the other are taken to compute one after
    the other. The norm becomes the identity. What is left computes the same, in evaluation mode, to
    the precision of float32.
    """
    for parent in list(module.modules()):
        for (name, convolution), (after, norm) in pairwise(list(parent.named_children())):
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, name, fuse_conv_bn_eval(convolution, norm))
                setattr(parent, after, nn.Identity())
