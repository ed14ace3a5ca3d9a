"""Predictions of recordings: labelled videos, and a list of camera faults."""

from __future__ import annotations

import json
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from samantic.data.video import VideoWriter
from samantic.display.confidence import confidence_levels
from samantic.display.legend import with_legend
from samantic.errors import InputError
from samantic.files import read_json, replacing, write_json
from samantic.predict.asking import PairPredictor, made_with
from samantic.predict.domain import unlike
from samantic.predict.health import Gate
from samantic.predict.prediction import Prediction
from samantic.predict.recording import Meeting, Recording
from samantic.predict.saving import KINDS, Look, save_prediction
from samantic.predict.smoothing import Smoother
from samantic.predict.stream import Shot, stream
from samantic.progress import open_progress
from samantic.provenance import digest

NAMES = {"overlay": "overlay.mp4", "labels": "labels.mkv", "confidence": "confidence.mkv"}
"""Kinds that become a video; every other kind is written as one file per frame."""

RECORDING = "recording"
"""Key that only the summary of a recording has, and not that of images."""

MOST_RUNS = 1000
"""Largest number of runs of frames that are listed."""

AHEAD = 4
"""Number of pairs that are read ahead."""


class Order(NamedTuple):
    """What to write for a recording.

    Attributes:
        kinds: Kinds of file; see `saving.KINDS`.
        look: How overlays are drawn.
        smooth: Weight of the past in each label; see `smoothing`.
        gate: Whether a faulty camera counts as missing; faults are listed in any case.
    """

    kinds: tuple[str, ...]
    look: Look
    smooth: float = 0.0
    gate: bool = True


class Runs:
    """Runs of frames with a camera fault.

    Attributes:
        found: By camera and state: first and last frame, and the time of the first in seconds.
        left_out: Number of runs beyond `MOST_RUNS`.
    """

    def __init__(self) -> None:
        self.found: dict[str, dict[str, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
        self.left_out = 0
        self._last: dict[str, str] = {}

    def add(self, number: int, seconds: float, states: dict[str, str]) -> None:
        """Add the states of a frame; equal images before a frozen one count as frozen too."""
        for camera, state in states.items():
            before, self._last[camera] = self._last.get(camera), state
            if state in ("ok", "missing"):
                continue
            runs = self.found[camera]
            if state == "frozen" and before == "doubled" and runs["doubled"]:
                runs["frozen"].append(runs["doubled"].pop())
            elif state != before:
                self._begin(runs[state], number, seconds)
            if runs[state]:
                runs[state][-1][1] = number

    def _begin(self, runs: list[list[float]], number: int, seconds: float) -> None:
        count = sum(len(part) for camera in self.found.values() for part in camera.values())
        if count < MOST_RUNS:
            runs.append([number, number, round(seconds, 3)])
        else:
            self.left_out += 1


def predict_recording(
    predictor: PairPredictor, recording: Recording, out: Path, order: Order, made_from: list[str]
) -> dict[str, Any]:
    """Predict a recording into a folder; only a few frames are in memory at a time.

    The folder gets overlay.mp4 (H.264), labels.mkv and confidence.mkv (FFV1, gray: class ids, and
    255 for confidence 1), one file per frame for other kinds, frames.jsonl with one line per frame
    (time, cameras, shares, mean confidence), and summary.json.

    Args:
        predictor: The model.
        recording: The pairs.
        out: Folder to write to.
        order: What to write.
        made_from: Names of the recordings.

    Returns:
        The summary.

    Raises:
        InputError: `out` holds other files, no pair was found, or a pair cannot be predicted.
    """
    if predictor.camera.scaling.planck:
        recording.take_kelvin()
    summary_path = out / "summary.json"
    _make_way(out, summary_path, made_from)
    more = order._asdict() | {"look": order.look._asdict()}
    made = {RECORDING: made_from, **made_with(predictor, more)}
    write_json(summary_path, {**made, "complete": False})
    began = time.perf_counter()
    gate, runs = Gate(predictor.camera, act=order.gate), Runs()
    count = strange = 0
    first = last = 0.0
    with ExitStack() as stack:
        writer = _Writer(out, order, recording.rate, digest(made), stack)
        for meeting, found in _answers(predictor, recording, gate, order):
            last = meeting.seconds
            runs.add(count, last, dict(found.cameras))
            mean = writer.write(count, last, found)
            strange += len(unlike({"": mean}, predictor.info.confidence))
            first, count = (first if count else last), count + 1
        if not count:
            raise InputError(
                f"no RGB and thermal frame lie within {recording.tolerance:g} s; start both "
                "recordings together, or raise --tolerance"
            )
    summary = {
        **made,
        "complete": True,
        "count": count,
        "seconds": round(last - first + 1 / recording.rate, 3),
        "took": round(time.perf_counter() - began, 3),
        **_of_cameras(recording, gate, runs),
        "unlike": strange,
    }
    write_json(summary_path, summary)
    return summary


def _of_cameras(recording: Recording, gate: Gate, runs: Runs) -> dict[str, Any]:
    """The summary of the cameras: their frames, times and faults."""
    return {
        "apart": round(recording.apart, 6),
        "tolerance": recording.tolerance,
        "frames": {name: camera.stored() for name, camera in recording.cameras.items()},
        "states": {n: dict(gate.counts[n]) for n in recording.cameras},
        "runs": {name: dict(found) for name, found in runs.found.items()},
        "runs_left_out": runs.left_out,
    }


def _make_way(out: Path, summary_path: Path, made_from: list[str]) -> None:
    """Remove the files of an earlier run, which may be longer or of other kinds.

    Raises:
        InputError: The folder holds other files.
    """
    names = [out / name for name in (*NAMES.values(), "frames.jsonl")]
    if summary_path.exists() and RECORDING not in (read_json(summary_path) or {}):
        raise InputError(f"{out}: holds predictions of images; give another --out")
    there = [path for path in names if path.exists()]
    given = [path for path in there if any(path.samefile(one) for one in made_from)]
    if given or (there and not summary_path.exists()):
        path = (given or there)[0]
        raise InputError(f"{path}: is there already; give another --out")
    for path in there:
        path.unlink()
    for name, kind in KINDS.items():
        if name not in NAMES:
            for path in (out / kind.folder).glob(f"{6 * '[0-9]'}{kind.suffix}"):
                path.unlink()


def _answers(
    predictor: PairPredictor, recording: Recording, gate: Gate, order: Order
) -> Iterator[tuple[Meeting, Prediction]]:
    """Each pair with its prediction; a progress bar is shown."""
    asked: deque[Meeting] = deque()

    def shots() -> Iterator[Shot]:
        for meeting in recording:
            asked.append(meeting._replace(**{n: _bare(f) for n, f in _frames(meeting).items()}))
            known = {n: f.why for n, f in _frames(meeting).items() if f.why}
            images = (None if frame is None else frame.image for frame in meeting)
            rgb, thermal = images
            if thermal is not None:
                predictor.camera.check(thermal, rgb)
            yield Shot((rgb, thermal), known)

    smoother = Smoother(order.smooth) if order.smooth else None
    keep = "probabilities" in order.kinds
    found = stream(predictor, shots(), gate, smoother, AHEAD, predictor.batch_size, keep)
    bar = open_progress("predict", "frame", total=recording.count or None)
    with bar:
        for prediction in found:
            yield asked.popleft(), prediction
            bar.update(1)


def _frames(meeting: Meeting) -> dict[str, Any]:
    return {name: f for name, f in meeting._asdict().items() if f is not None}


def _bare(frame: Any) -> Any:
    """The frame without its image, so that the image is freed before the answer comes."""
    return frame._replace(image=None)


class _Writer:
    """Writes the files of each frame; every file is complete or absent."""

    def __init__(
        self, out: Path, order: Order, rate: float, made_from: str, stack: ExitStack
    ) -> None:
        self.out, self.order, self.rate, self.made_from = out, order, rate, made_from
        self.stack = stack
        self.videos: dict[str, VideoWriter] = {}
        self.single = tuple(kind for kind in order.kinds if kind not in NAMES)
        lines = stack.enter_context(replacing(out / "frames.jsonl"))
        self.lines = stack.enter_context(lines.open("w", encoding="utf-8"))

    def write(self, number: int, seconds: float, found: Prediction) -> float:
        """Write a frame; return its mean confidence."""
        for kind in self.order.kinds:
            if kind in NAMES:
                pixels = self._pixels(kind, found)
                self._video(kind, pixels).write(pixels, seconds)
        if self.single:
            name = f"{number:06d}"
            look = self.order.look
            save_prediction(found, self.out, name, self.made_from, self.single, look)
        mean = float(found.confidence.mean())
        line = {
            "frame": number,
            "seconds": round(seconds, 6),
            "cameras": dict(found.cameras),
            "confidence": round(mean, 4),
            "shares": {k: round(v, 5) for k, v in found.shares().items() if v},
        }
        self.lines.write(json.dumps(line) + "\n")
        return mean

    def _pixels(self, kind: str, found: Prediction) -> NDArray[np.uint8]:
        if kind == "labels":
            return found.labels
        if kind == "confidence":
            return confidence_levels(found.confidence)
        # without this, a camera that fails would let `auto` switch to the other camera's image
        look = self.order.look
        ground = look.ground if found.images.keys() >= {"rgb", "thermal"} else "auto"
        picture = found.overlay(ground=ground)
        if look.legend:  # a legend of all classes: the frames of a video have one size
            every = np.arange(len(found.classes), dtype=np.uint8)
            picture = with_legend(picture, every, found.classes)
        return np.asarray(picture)

    def _video(self, kind: str, like: NDArray[np.uint8]) -> VideoWriter:
        if kind not in self.videos:
            path = self.stack.enter_context(replacing(self.out / NAMES[kind]))
            video = VideoWriter(path, like, self.rate)
            self.videos[kind] = self.stack.enter_context(video)
        return self.videos[kind]
