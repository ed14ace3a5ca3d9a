"""Convert nano to one encoder for both cameras, without training.

    python training/merge_nano.py --out runs/nano_merged

Its two encoders become one in the same way as `train.start: nano` merges them for a student (see
`samantic.models.students.two_stream.one_stream`).
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from samantic.models.build import build
from samantic.predict.model_folder import load_model, save_model, start_from


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    _, info = load_model("nano")
    model = replace(info.model, fusion="early")
    info = replace(info, model=model, origin="nano's two encoders made one, without training.")
    network = build(info.model, info.adapt, len(info.classes), trained=True)
    start_from(network, info, "nano")
    save_model(options.out / "model", network.eval(), info)


if __name__ == "__main__":
    main()
