"""Predictions of whole folders, which continue where they stopped and go on past bad files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from samantic.data.folders import stems, tell
from samantic.data.images import open_image
from samantic.data.lists import count_names
from samantic.data.pairs import Files, read_images
from samantic.errors import InputError
from samantic.files import read_json, write_json
from samantic.predict import Predictor, class_shares


def find_files(rgb: Path | None, thermal: Path | None, rgbt: Path | None) -> list[Files]:
    """Pair the images of files or folders by stem.

    Args:
        rgb: RGB image or folder, or None.
        thermal: Thermal image or folder, or None.
        rgbt: 4-channel image or folder, instead of the other two.

    Raises:
        InputError: Nothing was given, a folder is empty, or a partner is missing.
    """
    if (rgbt is None) == (rgb is None and thermal is None):
        raise InputError("give --rgb and/or --thermal, or --rgbt alone")
    if rgbt is not None:
        return [Files(stem, path, path) for stem, path in _images(rgbt).items()]
    if rgb is not None and thermal is not None and rgb.is_file() and thermal.is_file():
        return [Files(rgb.stem, rgb, thermal)]
    colour, heat = (None if path is None else _images(path) for path in (rgb, thermal))
    if colour is not None and heat is not None:
        problems = [
            f"{count_names(extra, 'has no partner', 'have no partner')} in {place}"
            for here, there, place in ((colour, heat, thermal), (heat, colour, rgb))
            if (extra := [path.name for stem, path in here.items() if stem not in there])
        ]
        if problems:
            raise InputError(f"{'; '.join(problems)}; add the partners, or give one modality alone")
    names = colour if colour is not None else heat
    return [
        Files(
            stem,
            None if colour is None else colour[stem],
            None if heat is None else heat[stem],
        )
        for stem in names or {}
    ]


def predict_files(
    predictor: Predictor, files: list[Files], out: Path, fingerprint: str
) -> dict[str, Any]:
    """Predict pairs into a folder: labels/, overlays/ and summary.json.

    Pairs whose files are there already are not predicted again, so a run continues where it
    stopped. Pairs that cannot be predicted are left out.

    Args:
        predictor: The model.
        files: The pairs.
        out: Folder to write to.
        fingerprint: Identity of the model's weights.

    Returns:
        The summary: model, whether frames are panoramas, their number, per frame its size and
        class shares, and why others failed.

    Raises:
        InputError: `out` holds predictions of another model, or panoramas beside other images.
    """
    summary_path = out / "summary.json"
    made = {"model": fingerprint, "panorama": predictor.panorama}
    if summary_path.exists():
        _check_alike(out, read_json(summary_path), made)
    write_json(summary_path, {**made, "complete": False})
    frames, failed = {}, {}
    for pair in tqdm(files, desc="predict", unit="pair", disable=None):
        try:
            ids = _predict_pair(predictor, pair, out)
        except InputError as error:
            failed[pair.name] = str(error)
            continue
        frames[pair.name] = {
            "size": list(ids.shape),
            "shares": class_shares(ids, predictor.info.classes),
        }
    summary = {
        **made,
        "complete": not failed,
        "count": len(frames),
        "frames": frames,
        "failed": failed,
    }
    write_json(summary_path, summary)
    return summary


def _check_alike(out: Path, before: dict[str, Any], made: dict[str, Any]) -> None:
    """Refuse a folder whose predictions were made otherwise."""
    if before.get("model") != made["model"]:
        raise InputError(f"{out}: holds another model's predictions; give another --out")
    if before.get("panorama", False) != made["panorama"]:
        how = "without" if made["panorama"] else "with"
        raise InputError(f"{out}: holds predictions {how} --panorama; give another --out")


def _predict_pair(predictor: Predictor, pair: Files, out: Path) -> NDArray[np.uint8]:
    """The labels of a pair: those in `out`, or else predicted and saved there."""
    done = out / "labels" / f"{pair.name}.png"
    if done.exists():
        return np.asarray(open_image(done))
    prediction = predictor.segment(*read_images(pair, predictor.camera))
    prediction.save(out, pair.name)
    return prediction.labels


def _images(path: Path) -> dict[str, Path]:
    if path.is_file():
        return {path.stem: path}
    found = stems(path)
    if not found:
        why = "".join(f" ({line})" for line in found.notes())
        raise InputError(f"{path}: no images in this folder{why}")
    tell(found.notes())
    return found
