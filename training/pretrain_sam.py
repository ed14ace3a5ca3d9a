"""Pre-train a small SAM on RGB images with instance ids, and save it as a base.

    samantic synthesize --layout mfnet --out data/scenes --count 4000 --seed 0 --size 240x320
    python training/pretrain_sam.py --data data/scenes --out runs/sam
    samantic train configs/mfnet.yaml --model.base runs/sam/sam --data.root FOLDER

Generated scenes have instance ids; in other data sets every connected region of a class is an
instance. Several --data, FOLDER or FOLDER:LAYOUT, are joined. A stopped run resumes with --resume.
"""

from __future__ import annotations

import argparse

import lightning as L  # L is the name that Lightning's documentation uses
from pretraining import augmentation, keep_recipe, optimisation, parser
from torch.utils.data import ConcatDataset

from samantic.data.crop import RandomCrop
from samantic.data.instances import InstanceFolder
from samantic.data.loading import Source, eval_loader
from samantic.learn.callbacks import KeepRun, ProgressBar
from samantic.learn.fit import fit
from samantic.learn.pretraining import PromptTask, bind_prompts
from samantic.models import load_sam2
from samantic.models.encoders.bases import is_random
from samantic.models.promptable import PromptableSAM


def main() -> None:
    options = parse()
    L.seed_everything(options.seed, verbose=False)
    augment, train = augmentation(options), optimisation(options)
    splits = {
        key: ConcatDataset([InstanceFolder(root, layout, name) for root, layout in options.data])
        for key, name in (("train", options.train), ("val", options.val))
    }
    for part in splits["train"].datasets:
        part.transform = RandomCrop(augment, fill=0)  # type: ignore[attr-defined]
    sam = load_sam2(options.base)
    sam.config.prompt_encoder_config.image_size = max(options.crop)  # size for later use as a base
    if is_random(options.base):
        bind_prompts(sam)
    fit(
        PromptTask(PromptableSAM(sam), augment, train, trunk=options.trunk),
        options.out,
        train,
        Source(splits["train"], options.workers),
        eval_loader(splits["val"], options.workers),
        [
            KeepRun(options.out, lambda: sam.save_pretrained(options.out / "sam")),
            ProgressBar(f"pre-train {options.out.name}"),
        ],
        options.resume,
    )
    keep_recipe(options)
    print(f"base: {options.out / 'sam'}")


def parse() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--val", default="val", help="split to select by, e.g. val[:20%%]")
    made.add_argument("--trunk", type=float, default=1.0, help="its share of the learning rate")
    return made.parse_args()


if __name__ == "__main__":
    main()
