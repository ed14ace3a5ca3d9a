"""Prediction of a stream: pairs are read ahead, cameras are watched, labels are smoothed."""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import replace
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from samantic.data.camera import RawPair
from samantic.errors import InputError
from samantic.predict.health import WELL, Gate
from samantic.predict.prediction import Prediction
from samantic.predict.smoothing import Smoother

if TYPE_CHECKING:
    from samantic.predict.asking import PairPredictor

Item = TypeVar("Item")

WAIT = 0.1
"""Seconds between two checks of whether a stream has ended."""


class Shot(NamedTuple):
    """The images of a stream's cameras at one time.

    Attributes:
        pair: The images.
        known: Why a camera has no image: `dropped` or `unreadable`, by camera.
    """

    pair: RawPair
    known: Mapping[str, str] = {}


class _Asked(NamedTuple):
    """A pair that waits for the network's answer."""

    shot: Shot
    states: dict[str, str]


def stream(
    model: PairPredictor,
    shots: Iterable[Shot],
    gate: Gate | None,
    smoother: Smoother | None,
    ahead: int,
    batch_size: int | None,
    probabilities: bool,
) -> Iterator[Prediction]:
    """Predict a stream in its order; see `PairPredictor.stream`.

    Once RGB was seen, thermal without an RGB partner is placed on RGB's pixels too.

    Args:
        model: The model.
        shots: The cameras' images; a separate thread reads them.
        gate: Watches the cameras; None uses images without tests.
        smoother: Smooths labels over time; None does not.
        ahead: Largest number of pairs that are read ahead.
        batch_size: As for `predict_each`.
        probabilities: Whether predictions keep the probabilities of all classes.

    Raises:
        InputError: A pair cannot be predicted although its cameras work.
    """
    asked: deque[_Asked] = deque()
    model = copy.copy(model)

    def watched() -> Iterator[_Asked]:
        for shot in shots:
            yield _Asked(shot, {} if gate is None else gate.check(shot.pair, shot.known))

    def pairs() -> Iterator[RawPair | InputError]:
        for one in reading:
            asked.append(one)
            pair = one.shot.pair if gate is None else gate.healthy(one.shot.pair, one.states)
            if (colours := one.shot.pair[0]) is not None:
                model.canvas = colours.shape[0], colours.shape[1]
            blind = pair[0] is None and pair[1] is None
            yield InputError("no camera is well") if blind else pair

    reading = read_ahead(watched(), ahead)
    try:
        keep = probabilities or smoother is not None
        size: tuple[int, ...] = (1, 1)
        for number, answer in enumerate(model.predict_each(pairs(), batch_size, keep)):
            one = asked.popleft()
            if isinstance(answer, InputError):
                if _well(one.states):
                    raise InputError(f"pair {number}: {answer}") from answer
                found = _unknown(model, one.shot.pair, size)
            else:
                found, size = answer, answer.labels.shape
            found = replace(found, cameras=one.states)
            yield found if smoother is None else smoother.steady(found, model.selection)
    finally:
        reading.close()


def _well(states: Mapping[str, str]) -> bool:
    """Whether no camera is faulty; a camera that never gave an image is not faulty."""
    return all(state in (*WELL, "missing") for state in states.values())


def _unknown(model: PairPredictor, pair: RawPair, size: tuple[int, ...]) -> Prediction:
    """The answer if no camera works: label 255 everywhere, with confidence 0."""
    rgb, thermal = pair
    given = next((x for x in pair if x is not None), None)
    tall, wide = (size if given is None or size != (1, 1) else given.shape)[:2]
    background = np.zeros((tall, wide, 3), np.uint8)
    if rgb is not None and rgb.shape == background.shape:
        background = rgb
    return Prediction(
        np.full((tall, wide), 255, np.uint8),
        np.zeros((tall, wide), np.float32),
        model.info.classes,
        model.info.palette,
        background,
        np.zeros((len(model.classes), tall, wide), np.float32),
        {"rgb": background},
        thermal,
        model.camera.rig,
    )


def read_ahead(items: Iterable[Item], count: int) -> Generator[Item, None, None]:
    """Yield items that a thread reads, at most `count` ahead; with 0 there is no thread.

    If the caller leaves the iteration, the thread ends after its current item.

    Raises:
        Exception: An error of reading, in place of the item.
    """
    if count < 1:
        yield from items
        return
    line: Queue[tuple[Item | None, BaseException | None, bool]] = Queue(count)
    left = threading.Event()

    def put(item: Item | None, error: BaseException | None = None, last: bool = False) -> None:
        while not left.is_set():
            try:
                line.put((item, error, last), timeout=WAIT)
            except Full:
                continue
            return

    def read() -> None:
        try:
            for item in items:
                put(item)
                if left.is_set():
                    return
            put(None, last=True)
        except BaseException as error:  # raised again in the caller's thread
            put(None, error)

    thread = threading.Thread(target=read, name="samantic-read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error, last = line.get()
            if error is not None:
                raise error
            if last:
                return
            yield item  # type: ignore[misc]  # an item, of which None may be one
    finally:
        left.set()
        while not line.empty():
            try:
                line.get_nowait()
            except Empty:
                break
        thread.join(timeout=1.0)
