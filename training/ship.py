r"""Make a trained model or a base small enough to ship: half precision, and a card of its limits.

    python training/ship.py runs/nano --metrics runs/evaluate/nano-mfnet-test/metrics.json \
        --limits training/nano_limits.md --unseen data/mfnet:test --out src/samantic/weights/nano
    python training/ship.py runs/sam/sam --limits training/sam_nano_card.md \
        --out src/samantic/weights/sam-nano

Weights are loaded back in full precision. `--unseen` names images that were not used in training:
the model's confidence on them is stored, without using their labels, so that `predict` and reports
can warn of images that differ. A base from `pretrain_sam.py` has no metrics: its card is the file
alone.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

from safetensors.torch import load_file

from samantic.data.pairs import PairedFolder
from samantic.files import read_json, write_tensors, write_text
from samantic.predict.info import CONFIG, read_info
from samantic.predict.model_folder import CARD, TEXT, WEIGHTS, find_model, store_info, write_card
from samantic.predict.predictor import load
from samantic.run.domain import confidence_range

SELECTED = "The model was selected on another split."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--metrics", type=Path, help="of a model's one test evaluation")
    parser.add_argument("--limits", type=Path, required=True, help="Markdown for the card's end")
    parser.add_argument("--unseen", metavar="FOLDER:SPLIT", help="in MFNet's layout")
    parser.add_argument("--last", action="store_true", help="no split selected it")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    source, out = find_model(options.model), options.out
    halves = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in load_file(source / WEIGHTS).items()
    }
    write_tensors(out / WEIGHTS, halves, {"format": "pt"})
    for name in (CONFIG, TEXT):
        if (source / name).exists():
            shutil.copy(source / name, out / name)
    if options.unseen:
        root, split = options.unseen.rsplit(":", 1)
        files = PairedFolder(Path(root), "mfnet", split, labelled=False).files
        seen = confidence_range(load(out, "cpu"), files)
        store_info(out, replace(read_info(out), confidence=seen))
    card = options.limits.read_text()
    if options.metrics:
        write_card(out, read_info(out), read_json(options.metrics))
        start = (out / CARD).read_text().replace("PATH_OF_THIS_FOLDER", out.name)
        if options.last:
            start = start.replace(SELECTED, "No split selected the model.")
        card = f"{start}\n{card}"
    write_text(out / CARD, card)
    print(f"{out}: {(out / WEIGHTS).stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
