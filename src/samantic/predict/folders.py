"""Predictions of whole folders, which continue where they stopped and go on past bad files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from samantic.data.camera import Camera, RawPair
from samantic.data.folders import stems, tell
from samantic.data.images import open_image
from samantic.data.lists import count_names
from samantic.data.pairing import partners
from samantic.data.pairs import Files, read_pair
from samantic.data.sensors import given, noun
from samantic.errors import InputError
from samantic.files import read_json, write_json
from samantic.predict.asking import PairPredictor
from samantic.predict.prediction import class_shares
from samantic.predict.saving import (
    CONFIDENCE,
    KINDS,
    USUAL,
    Look,
    kinds_of,
    made_with,
    save_prediction,
)
from samantic.predict.timestamps import by_time
from samantic.progress import progress
from samantic.provenance import digest, files_digest, png_mark


def find_files(
    rgb: Path | None,
    thermal: Path | None,
    rgbt: Path | None,
    unpaired: bool = False,
    tolerance: float | None = None,
) -> list[Files]:
    """Pair the images of files or folders by name, see `pairing.partners`, or by time.

    Args:
        rgb: RGB image or folder, or None.
        thermal: Thermal image or folder, or None.
        rgbt: 4-channel image or folder, instead of the other two.
        unpaired: Whether images without a partner are left out and told, and not refused.
        tolerance: Names hold times, and partners lie at most so many seconds apart; None pairs by
            name.

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
    if colour is not None and heat is not None and tolerance is not None:
        matched = by_time(colour, heat, tolerance)
        return [Files(name, {"rgb": one, "thermal": other}) for name, one, other in matched]
    if colour is not None and heat is not None:
        names = partners(colour, heat, ("rgb", "thermal"))
        heat = {names.get(name, name): path for name, path in heat.items()}
        problems = [
            f"{count_names(extra, 'has no partner', 'have no partner')} in {place}"
            for here, there, place in ((colour, heat, thermal), (heat, colour, rgb))
            if (extra := [path.name for stem, path in here.items() if stem not in there])
        ]
        both = [name for name in colour if name in heat]
        if problems and not (unpaired and both):
            more = " (--allow-unpaired leaves them out)" if both else ""
            raise InputError(
                f"{'; '.join(problems)}; add the partners{more}, or give one modality alone; if "
                "names hold times, pair by them with --tolerance SECONDS"
            )
        tell(f"{problem}; left out" for problem in problems)
        colour = {name: colour[name] for name in both}
    images = given({"rgb": colour, "thermal": heat})
    return [
        Files(stem, {name: found[stem] for name, found in images.items()})
        for stem in next(iter(images.values()), {})
    ]


class _Found(NamedTuple):
    """A predicted pair: labels (H, W), and their mean confidence."""

    labels: NDArray[np.uint8]
    confidence: float


class _Job(NamedTuple):
    """What a folder is predicted with."""

    predictor: PairPredictor
    out: Path
    made: dict[str, Any]
    kinds: tuple[str, ...]
    look: Look


def predict_files(
    predictor: PairPredictor,
    files: list[Files],
    out: Path,
    batch_size: int | None = None,
    *,
    kinds: Sequence[str] = USUAL,
    look: Look | None = None,
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
        kinds: What to write of each pair; see `saving.KINDS`. Without labels nothing is continued.
        look: How overlays are drawn.

    Returns:
        The summary: model and options, the number of frames, per frame its size, class shares and
        mean confidence, and why others failed.

    Raises:
        InputError: `out` holds what another model or other options have made, or what is no
            prediction.
    """
    summary_path = out / "summary.json"
    made = made_with(predictor, look := look or Look())
    if summary_path.exists():
        _check_alike(out, read_json(summary_path), made)
    _check_own(out)
    write_json(summary_path, {**made, "complete": False})
    frames, failed = {}, {}
    job = _Job(predictor, out, made, kinds_of(kinds), look)
    for pair, found in _predict_pairs(job, files, batch_size):
        if isinstance(found, InputError):
            failed[pair.name] = str(found)
            continue
        frames[pair.name] = {
            "size": list(found.labels.shape),
            "shares": class_shares(found.labels, predictor.info.classes),
            "confidence": found.confidence,
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
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(part, int) for part in value):
        return "x".join(dict.fromkeys(map(str, value)))
    return str(value or "none")


def _check_own(out: Path) -> None:
    """Refuse a folder with files that would be overwritten or taken for predictions."""
    if (out / "report.html").exists() and not (out / "summary.json").exists():
        raise InputError(f"{out}: holds another report; give another --out")
    for kind in KINDS.values():
        marked = kind.suffix == ".png" or not (out / "summary.json").exists()
        for path in sorted((out / kind.folder).glob("*") if marked else ()):
            if not path.name.startswith(".") and (not path.is_file() or png_mark(path) is None):
                raise InputError(
                    f"{path}: not written by this version of samantic predict, and would be taken "
                    "for a prediction; give another --out"
                )


def _predict_pairs(
    job: _Job, files: list[Files], batch_size: int | None
) -> Iterator[tuple[Files, _Found | InputError]]:
    """Each pair with its labels: those in `out` if they were made alike, or else new ones, saved.

    Why there are none in their place.
    """
    predictor, out = job.predictor, job.out
    probabilities = "probabilities" in job.kinds
    pairs = iter(progress(files, "predict", noun(files[0].images)))
    while ahead := list(islice(pairs, batch_size or predictor.batch_size)):
        marks = [_forget(pair, out, job.made) for pair in ahead]
        kept = [_kept(job, pair, mark) for pair, mark in zip(ahead, marks, strict=True)]
        todo = [pair for pair, found in zip(ahead, kept, strict=True) if found is None]
        images = (_read(pair, predictor.camera) for pair in todo)
        answers = predictor.predict_each(images, batch_size, probabilities)
        for pair, mark, found in zip(ahead, marks, kept, strict=True):
            if found is not None:
                yield pair, found
            elif isinstance(answer := next(answers), InputError):
                yield pair, answer
            else:
                made_from = mark or _mark(pair, job.made)
                save_prediction(answer, out, pair.name, made_from, job.kinds, job.look)
                yield pair, _Found(answer.labels, float(answer.confidence.mean()))


def _read(pair: Files, camera: Camera) -> RawPair | InputError:
    """The images of a pair, or why they cannot be used."""
    try:
        rgb, raw = read_pair(pair)
        if raw is not None:
            camera.check(raw, rgb, str(pair.thermal), str(pair.rgb))
    except InputError as error:
        return error
    return rgb, raw


def _forget(pair: Files, out: Path, made: dict[str, Any]) -> str | None:
    """Remove what was made of other images, should these not be readable.

    A file that bears no mark is as old as the labels beside it, which are written after it.

    Returns:
        What a prediction of the pair is made from; None where there is no old one to compare, or
        the images cannot be read.
    """
    paths = {name: kind.path(out, pair.name) for name, kind in KINDS.items()}
    if not any(path.exists() for path in paths.values()):
        return None
    try:
        mark = _mark(pair, made)
    except InputError:
        return None
    current = png_mark(paths["labels"]) == mark
    for path in paths.values():
        if not (png_mark(path) == mark if path.suffix == ".png" else current):
            path.unlink(missing_ok=True)
    return mark


def _mark(pair: Files, made: dict[str, Any]) -> str:
    """What a prediction is made from: the model and its options, and the images' content."""
    return files_digest(pair.paths, digest(made))


def _kept(job: _Job, pair: Files, mark: str | None) -> _Found | None:
    """What lies in the folder of a pair; None where a file is missing, damaged or out of date."""
    paths = {name: KINDS[name].path(job.out, pair.name) for name in job.kinds}
    if mark is None or "labels" not in paths:
        return None
    try:
        for name, path in paths.items():
            if path.suffix != ".png":
                if not KINDS[name].whole(path):
                    return None
            elif png_mark(path) != mark:
                return None
            else:
                pixels = open_image(path)
    except InputError:  # cut off: it is made anew
        return None
    confidence = png_mark(paths["labels"], CONFIDENCE.encode())
    return None if not confidence else _Found(pixels, float(confidence))  # labels come last


def _images(path: Path) -> dict[str, Path]:
    if path.is_file():
        return {path.stem: path}
    found = stems(path)
    if not found:
        why = "".join(f" ({line})" for line in found.notes())
        raise InputError(f"{path}: no images in this folder{why}")
    tell(found.notes())
    return found
