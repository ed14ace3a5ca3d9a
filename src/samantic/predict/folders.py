"""Predictions of whole folders: they resume where they stopped and skip unreadable files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from samantic.data.camera import Camera, RawPair
from samantic.data.folders import is_image, stems, tell
from samantic.data.lists import count_names
from samantic.data.pairing import partners
from samantic.data.samples import Files, read_pair
from samantic.data.sensors import given, noun
from samantic.data.timestamps import by_time, fitting_tolerance
from samantic.errors import InputError
from samantic.files import read_json, write_json
from samantic.predict.ahead import ahead
from samantic.predict.asking import PairPredictor, made_with
from samantic.predict.kept import Frame, Job, frame_of, kept, mark_of
from samantic.predict.prediction import Prediction
from samantic.predict.saving import KINDS, USUAL, Look, kinds_of, save_prediction
from samantic.progress import progress
from samantic.provenance import png_mark
from samantic.spelling import option, remedy


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
        rgbt: 4-channel image or folder, in place of the other two.
        unpaired: Whether images without a partner are skipped with a warning; otherwise they are
            refused.
        tolerance: Largest difference in seconds between the times in the names of partners; None
            pairs by name.

    Raises:
        InputError: Nothing was given, a folder is empty, or a partner is missing.
    """
    if (rgbt is None) == (rgb is None and thermal is None):
        raise InputError("give --rgb and/or --thermal, or --rgbt alone")
    if rgbt is not None:
        return [Files(stem, {"rgb": path, "thermal": path}) for stem, path in _images(rgbt).items()]
    if rgb is not None and thermal is not None and rgb.resolve() == thermal.resolve():
        raise InputError(
            f"{rgb}: --rgb and --thermal are the same; give images of 4 channels as --rgbt, and "
            "radiometric files as --thermal alone: their own picture is thermal in colours"
        )
    if rgb is not None and thermal is not None and rgb.is_file() and thermal.is_file():
        return [Files(rgb.stem, {"rgb": rgb, "thermal": thermal})]
    for one, other in ((rgb, thermal), (thermal, rgb)):
        if one and other and one.is_file() and other.is_dir() and not is_image(one):
            raise InputError(f"{one}: no image, but {other} is a folder; give two folders")
    colour, heat = (None if path is None else _images(path) for path in (rgb, thermal))
    if colour is not None and heat is not None and tolerance is not None:
        matched = by_time(colour, heat, tolerance)
        return [Files(name, {"rgb": one, "thermal": other}) for name, one, other in matched]
    if colour is not None and heat is not None:
        colour, heat = _by_name(colour, heat, (str(rgb), str(thermal)), unpaired)
    images = given({"rgb": colour, "thermal": heat})
    return [
        Files(stem, {name: found[stem] for name, found in images.items()})
        for stem in next(iter(images.values()), {})
    ]


def _by_name(
    colour: dict[str, Path], heat: dict[str, Path], places: tuple[str, str], unpaired: bool
) -> tuple[dict[str, Path], dict[str, Path]]:
    """RGB and thermal images, each by the name of its pair, which is that of the RGB image.

    Raises:
        InputError: An image has no partner and must not be skipped, or no image has a partner.
    """
    names = partners(colour, heat, ("rgb", "thermal"))
    heat = {names.get(name, name): path for name, path in heat.items()}
    problems = [
        f"{count_names(extra, 'has no partner', 'have no partner')} in {place}"
        for here, there, place in ((colour, heat, places[1]), (heat, colour, places[0]))
        if (extra := [path.name for stem, path in here.items() if stem not in there])
    ]
    both = [name for name in colour if name in heat]
    if not both and (fitting := fitting_tolerance(colour, heat)) is not None:
        count, tolerance = fitting
        raise InputError(
            f"{places[0]} and {places[1]}: no two images have the same name, but the names hold "
            f"times, and {count} pairs lie at most {tolerance} apart; pair them by "
            f"{remedy({'tolerance': tolerance})}"
        )
    if problems and not (unpaired and both):
        more = " (--allow-unpaired leaves them out)" if both else ""
        raise InputError(
            f"{'; '.join(problems)}; add the partners{more}, or give one modality alone; if "
            f"names hold times, pair by them with {option('tolerance')} SECONDS"
        )
    tell(f"{problem}; left out" for problem in problems)
    return {name: colour[name] for name in both}, {name: heat[name] for name in both}


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

    Each PNG stores a digest of the model, its options and the content of the images. A run resumes:
    a pair whose PNG has the right digest is not predicted again. A pair whose images have changed,
    or whose PNG is damaged, is predicted again. Pairs that cannot be predicted are skipped.

    Args:
        predictor: The model, loaded from a folder.
        files: The pairs.
        out: Folder to write to.
        batch_size: Pairs that are read ahead and predicted together; see `Predictor.predict_each`.
        kinds: Files to write for each pair; see `saving.KINDS`. A run without labels cannot resume.
        look: How overlays are drawn.

    Returns:
        The summary: model and options; number of frames; size, class shares and mean confidence of
            each frame; and the errors of the others.

    Raises:
        InputError: `out` holds files of another model or of other options, or files that are no
            predictions.
    """
    summary_path = out / "summary.json"
    made = made_with(predictor, (look := look or Look())._asdict())
    if summary_path.exists():
        _check_alike(out, read_json(summary_path), made)
    _check_own(out)
    write_json(summary_path, {**made, "complete": False})
    job = Job(predictor, out, made, kinds_of(kinds), look)
    found = kept(job, files)
    todo = [pair for pair in files if pair.name not in found]
    found |= _predict_pairs(job, todo, predictor.batch_size if batch_size is None else batch_size)
    frames = {pair.name: found[pair.name] for pair in files}
    failed = {name: str(why) for name, why in frames.items() if isinstance(why, InputError)}
    frames = {name: frame for name, frame in frames.items() if name not in failed}
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
    """Refuse a folder whose predictions come from another model or from other options."""
    if not isinstance(before, dict) or "model" not in before:
        raise InputError(f"{out}: holds a summary.json of something else; give another --out")
    if "recording" in before:
        raise InputError(f"{out}: holds predictions of a recording; give another --out")
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
    """An option as the user writes it; a square tile is one number."""
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
    job: Job, files: list[Files], batch_size: int
) -> Iterator[tuple[str, Frame | InputError]]:
    """Predict and save pairs; images are read and written while the network computes.

    Yields:
        The name of each pair and its entry in the summary, or the error that prevented it.
    """
    if not files:
        return
    images = ahead(partial(_read, job.predictor.camera), files, max(batch_size, 2))
    answers = job.predictor.predict_each(images, batch_size, "probabilities" in job.kinds)
    saved = ahead(partial(_save, job), zip(files, answers, strict=True), max(batch_size, 2))
    yield from progress(saved, "predict", noun(files[0].images), total=len(files))


class _UnreadError(InputError):
    """Images cannot be used; unlike a network's error, the line names the file."""


def _read(camera: Camera, pair: Files) -> RawPair | InputError:
    """The images of a pair, or the error for which they cannot be used."""
    try:
        rgb, raw = read_pair(pair, camera)
        if raw is not None:
            camera.check(raw, rgb, str(pair.thermal), str(pair.rgb))
    except InputError as error:
        return _UnreadError(str(error))
    return rgb, raw


def _save(
    job: Job, answered: tuple[Files, Prediction | InputError]
) -> tuple[str, Frame | InputError]:
    """Write the files of a prediction."""
    pair, answer = answered
    if isinstance(answer, _UnreadError):
        return pair.name, answer
    if isinstance(answer, InputError):
        return pair.name, InputError(f"{pair.rgb or pair.thermal}: {answer}")
    save_prediction(answer, job.out, pair.name, mark_of(pair, job.made), job.kinds, job.look)
    confidence = float(answer.confidence.mean())
    return pair.name, frame_of(answer.labels, confidence, answer.classes)


def _images(path: Path) -> dict[str, Path]:
    if path.is_file():
        return {path.stem: path}
    found = stems(path)
    if not found:
        why = "".join(f" ({line})" for line in found.notes())
        raise InputError(f"{path}: no images in this folder{why}")
    tell(found.notes())
    return found
