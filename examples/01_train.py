"""Train on generated scenes from Python: the same run as `samantic train CONFIG`.

python examples/01_train.py OUT
"""

import shutil
import sys
from pathlib import Path

from samantic.config import AdaptConfig, AugmentConfig, Config, DataConfig, SartmConfig, TrainConfig
from samantic.errors import InputError, one_line
from samantic.run.train import train
from samantic.scenes.write import split_indices, write_scenes


def main(out: Path) -> None:
    write_scenes(out / "data", "mfnet", split_indices(40), seed=0, size=(64, 96))
    config = Config(
        out=str(out / "run"),
        data=DataConfig(root=str(out / "data"), layout="mfnet", workers=0),
        model=SartmConfig(base="random-micro"),  # facebook/sam2.1-hiera-small, if a hub is in reach
        adapt=AdaptConfig("full"),  # lora, on a base with weights
        augment=AugmentConfig(crop=(64, 96)),
        train=TrainConfig(steps=30, batch_size=4, learning_rate=3e-3, validations=2),
    )
    metrics = train(config)
    print(f"mIoU {metrics['miou']:.3f} on {metrics['frames']} test pairs")


with one_line("01_train.py"):
    if len(sys.argv) != 2:
        raise InputError("give the folder to write to: python examples/01_train.py OUT")
    folder = Path(sys.argv[1])
    if folder.exists():
        raise InputError(f"{folder}: is there already; give a new folder")
    try:
        main(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # leave no partial run
        raise
