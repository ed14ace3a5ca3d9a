"""Predictions of whole folders, which continue where they stopped and go on past bad files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samantic.data.camera import Camera
from samantic.data.folders import stems, tell
from samantic.data.images import open_image
from samantic.data.lists import count_names
from samantic.data.pairs import Files, read_pair
from samantic.data.sensors import given
from samantic.errors import InputError
from samantic.files import read_json, write_json
from samantic.predict.prediction import class_shares
from samantic.predict.predictor import Predictor, RawPair
from samantic.progress import progress
from samantic.provenance import digest, files_digest, png_mark

KINDS = ("overlays", "labels")
"""Folders of predictions, in the order in which they are written."""


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
        return [Files(stem, {"rgb": path, "thermal": path}) for stem, path in _images(rgbt).items()]
    if rgb is not None and thermal is not None and rgb.is_file() and thermal.is_file():
        return [Files(rgb.stem, {"rgb": rgb, "thermal": thermal})]
    colour, heat = (None if path is None else _images(path) for path in (rgb, thermal))
    if colour is not None and heat is not None:
        problems = [
            f"{count_names(extra, 'has no partner', 'have no partner')} in {place}"
            for here, there, place in ((colour, heat, thermal), (heat, colour, rgb))
            if (extra := [path.name for stem, path in here.items() if stem not in there])
        ]
        if problems:
            raise InputError(f"{'; '.join(problems)}; add the partners, or give one modality alone")
    images = given({"rgb": colour, "thermal": heat})
    return [
        Files(stem, {name: found[stem] for name, found in images.items()})
        for stem in next(iter(images.values()), {})
    ]


def predict_files(
    predictor: Predictor, files: list[Files], out: Path, batch_size: int | None = None
) -> dict[str, Any]:
    """Predict pairs into a folder: labels/, overlays/ and summary.json.

    Each PNG says what it was made from: the model, its options and the content of the images. A
    pair whose PNG says so already is not predicted again, so a run continues where it stopped; one
    whose images have changed, or whose PNG is damaged, is. Pairs that cannot be predicted are left
    out.

    Args:
        predictor: The model, loaded from a folder.
        files: The pairs.
        out: Folder to write to.
        batch_size: Pairs that are read ahead and predicted together; see `Predictor.predict_each`.

    Returns:
        The summary: model and options, the number of frames, per frame its size and class shares,
        and why others failed.

    Raises:
        InputError: `out` holds what another model or other options have made, or what is no
            prediction.
    """
    summary_path = out / "summary.json"
    made = {"model": predictor.fingerprint, **json.loads(json.dumps(predictor.options))}
    if summary_path.exists():
        _check_alike(out, read_json(summary_path), made)
    _check_own(out)
    write_json(summary_path, {**made, "complete": False})
    frames, failed = {}, {}
    for pair, found in _predict_pairs(predictor, files, out, made, batch_size):
        if isinstance(found, InputError):
            failed[pair.name] = str(found)
            continue
        shares = class_shares(found, predictor.info.classes)
        frames[pair.name] = {"size": list(found.shape), "shares": shares}
    summary = {
        **made,
        "complete": not failed,
        "count": len(frames),
        "frames": frames,
        "failed": failed,
    }
    write_json(summary_path, summary)
    return summary


def _check_alike(out: Path, before: Any, made: dict[str, Any]) -> None:
    """Refuse a folder whose predictions were made by another model or with other options."""
    if not isinstance(before, dict) or "model" not in before:
        raise InputError(f"{out}: holds a summary.json of something else; give another --out")
    if before["model"] != made["model"]:
        raise InputError(f"{out}: holds another model's predictions; give another --out")
    if before.get("panorama", False) != made["panorama"]:
        how = "without" if made["panorama"] else "with"
        raise InputError(f"{out}: holds predictions {how} --panorama; give another --out")
    for key, value in made.items():
        if before.get(key, value) != value:
            option = key.replace("_", "-")
            raise InputError(
                f"{out}: holds predictions with {option} {_word(before[key])}, not {_word(value)}; "
                "give another --out"
            )


def _word(value: object) -> str:
    """An option as the user gives it; tiles have a height and a width, mostly the same."""
    if isinstance(value, list) and all(isinstance(part, int) for part in value):
        return "x".join(dict.fromkeys(map(str, value)))
    return str(value or "none")


def _check_own(out: Path) -> None:
    """Refuse a folder with files that would be overwritten or taken for predictions."""
    if (out / "report.html").exists() and not (out / "summary.json").exists():
        raise InputError(f"{out}: holds another report; give another --out")
    for kind in KINDS:
        for path in sorted((out / kind).glob("*")):
            if not path.name.startswith(".") and (not path.is_file() or png_mark(path) is None):
                raise InputError(
                    f"{path}: not written by this version of samantic predict, and would be taken "
                    "for a prediction; give another --out"
                )


def _predict_pairs(
    predictor: Predictor,
    files: list[Files],
    out: Path,
    made: dict[str, Any],
    batch_size: int | None,
) -> Iterator[tuple[Files, NDArray[np.uint8] | InputError]]:
    """Each pair with its labels: those in `out` if they were made alike, or else new ones, saved.

    Why there are none in their place.
    """
    pairs = iter(progress(files, "predict", "pair"))
    while ahead := list(islice(pairs, batch_size or predictor.batch_size)):
        marks = [_forget(pair, out, made) for pair in ahead]
        kept = [_kept(_places(out, p), m) for p, m in zip(ahead, marks, strict=True)]
        todo = [pair for pair, labels in zip(ahead, kept, strict=True) if labels is None]
        answers = predictor.predict_each((_read(p, predictor.camera) for p in todo), batch_size)
        for pair, mark, labels in zip(ahead, marks, kept, strict=True):
            if labels is not None:
                yield pair, labels
            elif isinstance(answer := next(answers), InputError):
                yield pair, answer
            else:
                answer.save(out, pair.name, mark or _mark(pair, made))
                yield pair, answer.labels


def _read(pair: Files, camera: Camera) -> RawPair | InputError:
    """The images of a pair, or why they cannot be used."""
    try:
        rgb, raw = read_pair(pair)
        if raw is not None:
            camera.check(raw, rgb, str(pair.thermal), str(pair.rgb))
    except InputError as error:
        return error
    return rgb, raw


def _places(out: Path, pair: Files) -> list[Path]:
    return [out / kind / f"{pair.name}.png" for kind in KINDS]


def _forget(pair: Files, out: Path, made: dict[str, Any]) -> str | None:
    """Remove what was made of other images, should these not be readable.

    Returns:
        What a prediction of the pair is made from; None where there is no old one to compare, or
        the images cannot be read.
    """
    paths = _places(out, pair)
    if not any(path.exists() for path in paths):
        return None
    try:
        mark = _mark(pair, made)
    except InputError:
        return None
    for path in paths:
        if png_mark(path) != mark:
            path.unlink(missing_ok=True)
    return mark


def _mark(pair: Files, made: dict[str, Any]) -> str:
    """What a prediction is made from: the model and its options, and the images' content."""
    return files_digest(pair.paths, digest(made))


def _kept(paths: list[Path], mark: str | None) -> NDArray[np.uint8] | None:
    """The labels of an overlay and a label file; None where one is damaged or out of date."""
    if mark is None or any(png_mark(path) != mark for path in paths):
        return None
    try:
        _, labels = (np.asarray(open_image(path)) for path in paths)
    except InputError:  # cut off: it is made anew
        return None
    return labels


def _images(path: Path) -> dict[str, Path]:
    if path.is_file():
        return {path.stem: path}
    found = stems(path)
    if not found:
        why = "".join(f" ({line})" for line in found.notes())
        raise InputError(f"{path}: no images in this folder{why}")
    tell(found.notes())
    return found
