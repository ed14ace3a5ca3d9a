"""Batch norm for batches too small for statistics, and its folding for inference."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class BatchNorm(nn.BatchNorm2d):
    """PyTorch's batch norm, but as in evaluation for batches of at most one value per channel.

    The variance of one value is undefined, and PyTorch refuses to train on it. A network of stride
    32 makes such a map from a single image of 32x32 pixels. A batch may also be empty, if every
    image of a modality is hidden; the parameters then receive gradients of zero.

    Shape: (N, C, H, W) to (N, C, H, W).
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.numel() <= x.shape[1]:
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(x)


def exchange_norms(module: nn.Module) -> None:
    """Replace PyTorch's batch norms inside a module by `BatchNorm`s with the same state."""
    for name, child in module.named_children():
        if type(child) is nn.BatchNorm2d:
            norm = BatchNorm(child.num_features, child.eps, child.momentum)
            norm.load_state_dict(child.state_dict())
            setattr(module, name, norm)
        else:
            exchange_norms(child)


def fold_norms(module: nn.Module) -> None:
    """Fold the scale and shift of each batch norm into the convolution before it, for inference.

    A convolution and a norm that are registered one after the other must also compute one after the
    other. The norm becomes the identity. In evaluation mode the module computes the same function,
    to the precision of float32.
    """
    for parent in list(module.modules()):
        for (name, convolution), (after, norm) in pairwise(list(parent.named_children())):
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, name, fuse_conv_bn_eval(convolution, norm))
                setattr(parent, after, nn.Identity())
