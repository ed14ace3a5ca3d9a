"""Pre-train a small SAM on RGB images with instance ids, and save it as a base.

    samantic synthesize --layout mfnet --out data/scenes --count 4000 --seed 0 --size 240x320
    python training/pretrain_sam.py --data data/scenes --out runs/sam
    samantic train configs/mfnet.yaml --model.base runs/sam/sam --data.root FOLDER

Generated scenes have instance ids; in other data sets every connected region of a class is an
instance. Several --data, FOLDER or FOLDER:LAYOUT, are joined. A stopped run resumes with --resume.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import cast, get_args

import lightning as L  # L is the name that Lightning's documentation uses
from torch.utils.data import ConcatDataset

from samantic.config import AugmentConfig, TrainConfig
from samantic.config.data import Layout
from samantic.data.crop import RandomCrop
from samantic.data.instances import InstanceFolder
from samantic.data.loading import Source, eval_loader
from samantic.files import write_json
from samantic.learn.callbacks import KeepRun, ProgressBar
from samantic.learn.fit import fit
from samantic.learn.pretraining import PromptTask, bind_prompts
from samantic.models import load_sam2
from samantic.models.encoders.bases import is_random
from samantic.models.promptable import PromptableSAM


def main() -> None:
    options = parse()
    L.seed_everything(options.seed, verbose=False)
    augment = AugmentConfig(
        crop=tuple(options.crop), scale=tuple(options.scale), modality_dropout=0.0
    )
    train = TrainConfig(
        steps=options.steps,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        validations=options.validations,
        seed=options.seed,
    )
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
    recipe = {key: str(value) for key, value in vars(options).items() if key != "resume"}
    write_json(options.out / "recipe.json", recipe)
    print(f"base: {options.out / 'sam'}")


def source(text: str) -> tuple[Path, Layout]:
    """A data set's folder and layout; the default layout is MFNet's."""
    root, _, layout = text.partition(":")
    if layout not in ("", *get_args(Layout)):
        raise argparse.ArgumentTypeError(f"unknown layout {layout}")
    return Path(root), cast(Layout, layout or "mfnet")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=source, action="append", required=True)
    parser.add_argument("--train", default="train", help="split to learn from")
    parser.add_argument("--val", default="val", help="split to select by, e.g. val[:20%%]")
    parser.add_argument("--base", default="efficientnet-lite0")
    parser.add_argument("--trunk", type=float, default=1.0, help="its share of the learning rate")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--crop", type=int, nargs=2, default=(192, 256), metavar=("H", "W"))
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--scale", type=float, nargs=2, default=(0.7, 1.5), metavar=("MIN", "MAX"))
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--validations", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
