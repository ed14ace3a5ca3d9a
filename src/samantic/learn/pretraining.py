"""Training of a promptable SAM: masks from clicks and boxes (SAM, arXiv 2304.02643)."""

from __future__ import annotations

from typing import Any, NamedTuple

import lightning as L  # L is the name that Lightning's documentation uses
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MeanMetric
from transformers import Sam2Model
from transformers.models.sam2.modeling_sam2 import Sam2Attention

from samantic.config.augment import AugmentConfig
from samantic.config.train import TrainConfig
from samantic.data.augment import Photometric
from samantic.data.loading import Batch
from samantic.learn.optimizer import configure_adamw
from samantic.losses import dice_loss
from samantic.models.promptable import Masks, PromptableSAM

CROSS_ENTROPY = 2.0
"""Weight of the cross entropy; the dice loss has weight 1. SAM's 20 times focal loss learns more
slowly on few images: after 120 steps, the best of three masks had an IoU of 0.25 with the focal
loss and of 0.35 with this one."""

TOKEN_STD, ATTENTION_GAIN = 0.3, 3.0
"""Scales of a random decoder's tokens, and of its queries and keys; see `bind_prompts`."""


@torch.no_grad()
def bind_prompts(sam: Sam2Model) -> None:
    """Initialise a random decoder such that a prompt attends to its own position.

    Queries and keys are projected by one orthogonal matrix, so every position attends to itself
    from the start. From independent matrices, the decoder learns empty masks only: after 250 steps
    on discs around clicks, the easiest of all tasks, its IoU is still zero. From this
    initialisation it is 0.5.
    """
    for module in [*sam.prompt_encoder.modules(), *sam.mask_decoder.modules()]:
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=TOKEN_STD)
        elif isinstance(module, Sam2Attention):
            nn.init.orthogonal_(module.q_proj.weight, ATTENTION_GAIN)
            module.k_proj.weight.copy_(module.q_proj.weight)
            for linear in (module.v_proj, module.o_proj):
                nn.init.orthogonal_(linear.weight)
            for linear in (module.q_proj, module.k_proj):
                nn.init.zeros_(linear.bias)


class Prompts(NamedTuple):
    """The objects to segment in N images, P in each.

    Attributes:
        targets: (N, P, H, W) bool.
        points: (N, P, 1, 2) pixels (x, y), a click on each object.
        boxes: (N, P, 4) pixels (left, top, right, bottom) around each object.
        real: (N, P) bool; false in images without objects.
    """

    targets: Tensor
    points: Tensor
    boxes: Tensor
    real: Tensor


def draw_prompts(
    instances: Tensor, count: int, *, smallest: int = 50, power: float = 0.25, jitter: float = 0.1
) -> Prompts:
    """Choose objects at random, and a click and a box for each.

    Args:
        instances: (N, H, W) int64 ids, 0 where there is no object.
        count: Objects P per image; drawn with replacement.
        smallest: Objects with fewer pixels are not drawn.
        power: An object is drawn with probability proportional to its area to this power.
        jitter: The sides of a box move by up to this share of its size.
    """
    drawn = [_draw(ids, count, smallest, power) for ids in instances]
    targets = torch.stack([target for target, _ in drawn])
    points = torch.stack([point for _, point in drawn])
    boxes = _boxes(targets, points, jitter)
    return Prompts(targets, points[:, :, None], boxes, targets.any(dim=(2, 3)))


def _draw(ids: Tensor, count: int, smallest: int, power: float) -> tuple[Tensor, Tensor]:
    """Masks (P, H, W) of objects of one image, and a pixel (P, 2) in each."""
    found, areas = torch.unique(ids[ids > 0], return_counts=True)
    found, areas = found[areas >= smallest], areas[areas >= smallest]
    if len(found) == 0:
        return torch.zeros(count, *ids.shape, dtype=torch.bool, device=ids.device), torch.zeros(
            count, 2, device=ids.device
        )
    chosen = found[torch.multinomial(areas**power, count, replacement=True)]
    masks = ids == chosen[:, None, None]
    pixel = torch.multinomial(masks.flatten(1).float(), 1)[:, 0]
    return masks, torch.stack([pixel % ids.shape[1], pixel // ids.shape[1]], dim=1).float()


def _boxes(targets: Tensor, points: Tensor, jitter: float) -> Tensor:
    """Boxes around the targets, enlarged or shrunk at random."""
    sides = []
    for axis, size in ((2, targets.shape[3]), (3, targets.shape[2])):
        used = targets.any(dim=axis).float()
        low = used.argmax(dim=2)
        sides.append((low, size - 1 - used.flip(2).argmax(dim=2)))
    (left, right), (top, bottom) = sides
    exact = torch.stack([left, top, right, bottom], dim=2).float()
    extent = torch.stack([right - left, bottom - top], dim=2).repeat(1, 1, 2) + 1
    return exact + jitter * extent * (2 * torch.rand_like(exact) - 1)


class PromptTask(L.LightningModule):
    """Train on masks: cross entropy and dice loss of the best of three masks, and predicted IoU.

    Logs the terms. After each validation it logs `val/miou`, the mean IoU of the mask with the
    highest predicted quality over clicks and boxes, and the means of each alone as `val/miou_click`
    and `val/miou_box`.

    Args:
        network: The network.
        augment: Changes of the images.
        train: The training options.
        prompts: Objects per image.
        trunk: The trunk's learning rate as a share of the others'; 0 freezes it.
    """

    def __init__(
        self,
        network: PromptableSAM,
        augment: AugmentConfig,
        train: TrainConfig,
        prompts: int = 6,
        trunk: float = 1.0,
    ) -> None:
        super().__init__()
        self.network, self.options, self.prompts, self.trunk = network, train, prompts, trunk
        encoder: Any = network.encoder
        if trunk == 0:
            encoder.vision.backbone.requires_grad_(False)
        # clicks and boxes do not use these: the object score, drawn masks, and the memory
        unasked: tuple[Any, ...] = (network.decoder.pred_obj_score_head, network.prompts.mask_embed)
        for part in (*unasked, encoder.no_memory_embedding):
            part.requires_grad_(False)
        self.photometric = Photometric(augment)
        self.click, self.box = MeanMetric(), MeanMetric()

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Segment the same objects by clicks and by boxes; masks are compared at stride 4."""
        prompts = draw_prompts(batch.labels, self.prompts)
        encoded = self.network.encode(self.photometric(batch).rgb)
        asked: list[dict[str, Tensor]] = [{"points": prompts.points}, {"boxes": prompts.boxes}]
        answers = [self.network.decode_coarse(encoded, **prompt) for prompt in asked]
        targets = coarse_shares(prompts.targets, answers[0].logits)
        losses = [mask_losses(masks, targets, prompts.real) for masks in answers]
        terms = {name: torch.stack([part[name] for part in losses]).mean() for name in losses[0]}
        self.log_dict({f"train/{name}": term.detach() for name, term in terms.items()})
        total = torch.stack(list(terms.values())).sum()
        self.log("train/loss", total.detach())
        return total

    def validation_step(self, batch: Batch, index: int) -> None:
        """Segment the same objects by click and by box; the random draw is always the same."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(index)
            prompts = draw_prompts(batch.labels.cpu(), self.prompts)
        prompts = Prompts(*(part.to(self.device) for part in prompts))
        encoded = self.network.encode(batch.rgb)
        for metric, asked in (
            (self.click, {"points": prompts.points}),
            (self.box, {"boxes": prompts.boxes}),
        ):
            logits, _ = self.network.decode(encoded, **asked).best()
            metric.update(mask_iou(logits, prompts.targets)[prompts.real])

    def on_validation_epoch_end(self) -> None:
        """Log the means over the whole split."""
        click, box = self.click.compute(), self.box.compute()
        self.log_dict({"val/miou_click": click, "val/miou_box": box, "val/miou": (click + box) / 2})
        self.click.reset()
        self.box.reset()

    def configure_optimizers(self) -> Any:
        """As for SARTM, with the trunk's own learning rate."""
        encoder: Any = self.network.encoder
        vision, rate = encoder.vision, self.options.learning_rate
        rates: dict[nn.Module, float] = {
            vision.backbone: rate * self.trunk,
            vision.neck: rate,
            self.network.decoder: rate,
            self.network.prompts: rate,
        }
        return configure_adamw(rates, self.options, self.trainer)


def coarse_shares(targets: Tensor, logits: Tensor) -> Tensor:
    """The share of each square of 4x4 pixels that is inside targets (N, P, H, W).

    Returns:
        (N, P, h, w) in 0..1, with the size of coarse logits (..., h, w), whose image was padded at
        the bottom and at the right.
    """
    height, width = (4 * size for size in logits.shape[-2:])
    beyond = (0, width - targets.shape[-1], 0, height - targets.shape[-2])
    return F.avg_pool2d(F.pad(targets.float(), beyond), 4)


def mask_losses(masks: Masks, targets: Tensor, real: Tensor) -> dict[str, Tensor]:
    """The best of the three masks of a prompt gets the loss; all three learn to predict their IoU.

    Args:
        masks: Masks (N, P, 3, h, w) for P prompts.
        targets: (N, P, h, w) in 0..1, the share of a cell that is inside.
        real: (N, P) bool; false where there is no object.

    Returns:
        `mask`, the mean of 2 cross entropy + dice, and `quality`, the mean squared error of the
        predicted IoU; both are zero, with gradients, if there are no objects.
    """
    targets = targets[:, :, None].expand_as(masks.logits)
    pixels = F.binary_cross_entropy_with_logits(masks.logits, targets, reduction="none")
    losses = CROSS_ENTROPY * pixels.mean((-2, -1)) + dice_loss(masks.logits, targets)
    error = (masks.quality - mask_iou(masks.logits, targets >= 0.5).detach()).square()
    share = real.sum().clamp(min=1)
    return {
        "mask": (losses.amin(dim=2) * real).sum() / share,
        "quality": (error.mean(dim=2) * real).sum() / share,
    }


def mask_iou(logits: Tensor, targets: Tensor) -> Tensor:
    """IoU (...) of masks (..., H, W), inside where the logits are above 0; 0 if both are empty."""
    inside = logits > 0
    overlap = (inside & targets).sum(dim=(-2, -1))
    return overlap / (inside | targets).sum(dim=(-2, -1)).clamp(min=1)
