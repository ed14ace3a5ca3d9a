"""Distillation of a teacher's feature maps, stage by stage."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samantic.models import Network
from samantic.models.network import CHANNELS
from samantic.models.pyramid import Pyramid

SIDE = 64
"""Height and width in pixels of an image with which the widths of a network's maps are found."""


class FeatureTransfer(nn.Module):
    """Channel-wise distillation of the maps at strides 4, 8 and 16 (CWD, arXiv 2011.13256).

    A 1x1 projection brings each map of the student to the width of the teacher's. Every channel is
    then a distribution over positions, t of the teacher and s of the student:

        t_c = softmax_x(T_c(x) / τ),   L = τ² mean_{n, c} Σ_x t_c(x) (ln t_c(x) - ln s_c(x))

    The loss is the mean over the stages.

    Args:
        student: The network that is trained.
        teacher: The frozen network whose maps are the targets.
        tau: Temperature τ; the default is the paper's.
    """

    def __init__(self, student: Network, teacher: Network, tau: float = 4.0) -> None:
        super().__init__()
        self.tau = tau
        self.project = nn.ModuleList(
            nn.Conv2d(own, wanted, 1)
            for own, wanted in zip(map_widths(student), map_widths(teacher), strict=True)
        )

    def forward(self, student: Pyramid, teacher: Pyramid) -> Tensor:
        """The loss for N images; gradients flow into the student's maps and the projections."""
        losses = []
        for project, own, wanted in zip(self.project, student, teacher, strict=True):
            size = wanted.shape[-2:]
            found = F.interpolate(project(own), size, mode="bilinear")
            with torch.autocast(own.device.type, enabled=False):
                flat = [x.float().flatten(2) / self.tau for x in (found, wanted.detach())]
                s, t = (F.log_softmax(x, dim=2) for x in flat)
                kl = F.kl_div(s, t, reduction="sum", log_target=True)
                losses.append(self.tau**2 * kl / (t.shape[0] * t.shape[1]))
        return torch.stack(losses).mean()


@torch.no_grad()
def map_widths(network: Network) -> list[int]:
    """The channels of a network's maps at strides 4, 8 and 16; the network does not change."""
    modes = {module: module.training for module in network.modules()}
    device = next(network.parameters()).device
    images = {
        name: torch.zeros(1, CHANNELS[name], SIDE, SIDE, device=device)
        for name in network.modalities
    }
    maps: Pyramid = network.eval()(**images).features
    for module, mode in modes.items():
        module.training = mode
    return [level.shape[1] for level in maps]
