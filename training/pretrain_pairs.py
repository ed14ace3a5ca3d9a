r"""Pre-train the thermal encoder of a student on pairs that nobody labelled.

    python training/pretrain_pairs.py --data data/mfnet_folds --data PAIRS:pairs --out runs/pairs
    samantic train training/nano_labelled.yaml --train.start runs/pairs

Masked feature distillation across the cameras (after arXiv 1507.00448 and 2111.06377). The encoder
of RGB stays as ImageNet left it and sees the RGB image, whole and unchanged; that of thermal starts
from the same weights and sees the thermal image, changed and with squares hidden, and learns to
give the same features at the same places. With the maps t of RGB and x of thermal at stride s, each
channel brought to mean 0 and variance 1 over the places of a batch, and a 1x1 convolution P_s, the
identity at the start,

    L = mean_s mean_{c, places} (P_s(x) - t)^2

so that L is the share of RGB's variance that thermal does not tell: 2 for features that have
nothing in common, 1 for the best constant. Single frames alone: these pairs are no film whose
neighbours would show one place twice. Several --data are learnt together, without the frames that
--without lists. A stopped run goes on with --resume.
"""

from __future__ import annotations

import argparse
from copy import deepcopy
from pathlib import Path
from typing import Any

import lightning as L  # the name its documentation uses
import torch
import torch.nn.functional as F
from pretraining import augmentation, keep_recipe, optimisation, parser
from torch import Tensor, nn
from torch.utils.data import ConcatDataset

from samantic.config import AdaptConfig, AugmentConfig, StudentConfig, TrainConfig
from samantic.data import CATALOG
from samantic.data.augment import Photometric
from samantic.data.crop import RandomCrop
from samantic.data.loading import Batch, Source
from samantic.data.pairs import PairedFolder
from samantic.learn.callbacks import KeepRun, ProgressBar
from samantic.learn.fit import fit
from samantic.learn.optimizer import configure_adamw
from samantic.models.build import build
from samantic.models.encoders.efficientnet import GRAY, LiteEncoder
from samantic.predict.info import ModelInfo
from samantic.predict.model_folder import save_model

SQUARE = 32
"""Side in pixels of the squares that are hidden: a cell of the coarsest map."""


class PairTask(L.LightningModule):
    """Give of thermal what another encoder gives of RGB.

    Args:
        encoder: Of thermal; it learns.
        teacher: Of RGB; it does not.
        augment: Changes of the thermal images.
        train: The optimisation.
        hidden: Share of the squares of a thermal image that are hidden.
    """

    def __init__(
        self,
        encoder: LiteEncoder,
        teacher: LiteEncoder,
        augment: AugmentConfig,
        train: TrainConfig,
        hidden: float = 0.4,
    ) -> None:
        super().__init__()
        self.network, self.options, self.hidden = encoder, train, hidden
        self.teacher = teacher.eval().requires_grad_(False)
        self.photometric = Photometric(augment)
        self.project = nn.ModuleList(nn.Conv2d(width, width, 1) for width in encoder.widths)
        for project in self.project:
            nn.init.dirac_(project.weight)
            nn.init.zeros_(project.bias)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """The mean over the strides."""
        self.teacher.eval()
        with torch.no_grad():
            wanted = self.teacher(batch.rgb)
        found = self.network(masked(self.photometric(batch).thermal, self.hidden))
        losses = [
            F.mse_loss(project(standardised(own)).float(), standardised(target))
            for project, own, target in zip(self.project, found, wanted, strict=True)
        ]
        stages = {f"train/stride_{2 << i}": loss.detach() for i, loss in enumerate(losses)}
        total = torch.stack(losses).mean()
        self.log_dict({**stages, "train/loss": total.detach()})
        return total

    def configure_optimizers(self) -> Any:
        """AdamW; the projections, which are thrown away, learn ten times as fast."""
        rate = self.options.learning_rate
        rates: dict[nn.Module, float] = {self.network: rate, self.project: 10 * rate}
        return configure_adamw(rates, self.options, self.trainer)


def masked(images: Tensor, share: float) -> Tensor:
    """Images (N, C, H, W) of which a share of the squares, drawn at random, is gray."""
    cells = [-(-side // SQUARE) for side in images.shape[-2:]]
    hide = torch.rand(len(images), 1, *cells, device=images.device) < share
    hide = hide.repeat_interleave(SQUARE, 2).repeat_interleave(SQUARE, 3)
    return images.masked_fill(hide[..., : images.shape[2], : images.shape[3]], GRAY)


def standardised(maps: Tensor) -> Tensor:
    """Each channel of (N, C, h, w) at mean 0 and variance 1 over its places, in float32."""
    return F.batch_norm(maps.float(), None, None, training=True)


def main() -> None:
    options = parse()
    L.seed_everything(options.seed, verbose=False)
    augment, train = augmentation(options), optimisation(options)
    left_out = {name for path in options.without for name in path.read_text().split()}
    folders = []
    for root, layout in options.data:
        classes = None if CATALOG[layout].classes else ("none", "of interest")
        folder = PairedFolder(root, layout, options.train, classes=classes, labelled=False)
        folder.files = [files for files in folder.files if files.name not in left_out]
        folder.transform = RandomCrop(augment)
        folders.append(folder)
    print(f"{sum(map(len, folders))} pairs from {len(folders)} folders")
    model = StudentConfig(options.base)
    network = build(model, AdaptConfig("full"), 1)  # of one class, which no data set has
    info = ModelInfo(
        model, AdaptConfig("full"), ("(nothing yet)",), ((0, 0, 0),), "unlabelled pairs"
    )
    encoders: Any = network.encoders
    encoder = encoders["thermal"].train()
    fit(
        PairTask(encoder, deepcopy(encoders["rgb"]), augment, train, options.hidden),
        options.out,
        train,
        Source(ConcatDataset(folders), options.workers),
        None,
        [
            KeepRun(options.out, lambda: save_model(options.out / "model", network, info)),
            ProgressBar(f"pre-train {options.out.name}"),
        ],
        options.resume,
    )
    keep_recipe(options)
    print(f"start: {options.out}")


def parse() -> argparse.Namespace:
    defaults = {"train": "all", "crop": (256, 320), "steps": 1000, "batch_size": 6}
    made = parser(__doc__, **defaults, scale=(0.6, 1.75), learning_rate=5e-4, validations=1)
    made.add_argument("--without", type=Path, nargs="*", default=[], help="lists of names")
    made.add_argument("--hidden", type=float, default=0.4, help="share of thermal that is hidden")
    return made.parse_args()


if __name__ == "__main__":
    main()
