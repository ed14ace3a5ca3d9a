"""The interface of every model that predicts pairs, with PyTorch or without."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, cast, overload

import numpy as np
from numpy.typing import NDArray

from samantic.data.camera import Camera, RawPair
from samantic.data.rig import RESIZE
from samantic.errors import InputError
from samantic.predict.batches import in_batches
from samantic.predict.given import take_pair, take_shot
from samantic.predict.health import Gate
from samantic.predict.info import ModelInfo
from samantic.predict.inputs import Channels, Picture, paired, several
from samantic.predict.prediction import Prediction
from samantic.predict.selection import Selection
from samantic.predict.smoothing import Smoother
from samantic.predict.stream import stream

Image = TypeVar("Image")


class PairPredictor(ABC):
    """A trained model, ready to predict pairs.

    Attributes:
        info: Its classes, their colours, and how it was made.
        camera: How thermal images become the network's input.
        batch_size: Default number of pairs that go through the network together.
        selection: Which classes are wanted, and the smallest confidence of each.
        canvas: Height and width of RGB in a stream. A rig warps thermal to it where RGB is missing.
            None leaves thermal alone on its own pixels.
    """

    info: ModelInfo
    camera: Camera
    batch_size: int
    selection: Selection = Selection()
    canvas: tuple[int, int] | None = None

    def __repr__(self) -> str:
        """What it is, in a line: a notebook shows it."""
        rig = self.camera.rig
        view = "none" if rig is None else RESIZE if rig.matrix is None else "a matrix"
        return (
            f"<{type(self).__name__} of {len(self.classes)} classes: {', '.join(self.classes)}; "
            f"thermal_scaling {self.camera.scaling}, rig {view}>"
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names by label id."""
        return self.info.classes

    @property
    @abstractmethod
    def options(self) -> dict[str, Any]:
        """All settings, apart from model and images, that change the answers; values fit JSON."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Identity of the model."""

    @abstractmethod
    def _predict(self, pairs: list[RawPair], probabilities: bool) -> list[Prediction | InputError]:
        """Predict pairs of one size; an error takes the place of a prediction that fails."""

    def predict(
        self,
        rgb: Picture | None = None,
        thermal: Picture | None = None,
        *,
        channels: Channels = "rgb",
        probabilities: bool = False,
    ) -> Prediction:
        """Segment a pair.

        Arrays are taken as RGB. OpenCV reads BGR: give `channels="bgr"` for its arrays. Without it,
        red and blue are swapped, no error is raised, and the labels are worse.

        Args:
            rgb: Path, PIL image, array (H, W, 3) or tensor (3, H, W) of uint8 or of floats in 0..1;
                None if the camera is missing.
            thermal: Path, PIL image, or array (H, W) or (H, W, 1) or tensor (1, H, W) of uint8,
                uint16 or floats; None if the camera is missing.
            channels: The order of the channels in an array or tensor: rgb, or bgr.
            probabilities: Whether the prediction keeps the probabilities of all classes. If it does
                not, reading them runs the model again.

        Raises:
            InputError: An image cannot be used, sizes differ, all thermal values lie beyond one end
                of the model's range, or the model reads neither image.
        """
        pairs = [(rgb, thermal)]
        return self.predict_batch(pairs, channels=channels, probabilities=probabilities)[0]

    @overload
    def __call__(
        self,
        rgb: Picture | None = None,
        thermal: Picture | None = None,
        *,
        channels: Channels = "rgb",
        probabilities: bool = False,
    ) -> Prediction: ...

    @overload
    def __call__(
        self,
        rgb: Sequence[Picture | None] | None = None,
        thermal: Sequence[Picture | None] | None = None,
        *,
        channels: Channels = "rgb",
        probabilities: bool = False,
    ) -> list[Prediction]: ...

    def __call__(
        self,
        rgb: Picture | Sequence[Picture | None] | None = None,
        thermal: Picture | Sequence[Picture | None] | None = None,
        *,
        channels: Channels = "rgb",
        probabilities: bool = False,
    ) -> Prediction | list[Prediction]:
        """Segment one pair as `predict` does, or the pairs of two lists or batches.

        A batch of RGB images is an array (N, H, W, 3) or a tensor (N, 3, H, W); a batch of thermal
        images is (N, H, W) or (N, 1, H, W). Type checkers do not see shapes: for them, give
        `list(batch)`.
        """
        if several(rgb) or several(thermal):
            pairs = paired(
                cast("Sequence[Picture | None]", rgb), cast("Sequence[Picture | None]", thermal)
            )
            return self.predict_batch(pairs, channels=channels, probabilities=probabilities)
        one = cast("Picture | None", rgb), cast("Picture | None", thermal)
        return self.predict(*one, channels=channels, probabilities=probabilities)

    def predict_batch(
        self,
        pairs: Iterable[tuple[Picture | None, Picture | None]],
        batch_size: int | None = None,
        *,
        channels: Channels = "rgb",
        probabilities: bool = False,
    ) -> list[Prediction]:
        """Segment pairs; pairs of one size go through the network together.

        Args:
            pairs: RGB and thermal of each pair, as for `predict`.
            batch_size: Largest number of pairs that go through the network together; None means the
                predictor's `batch_size`.
            channels: As for `predict`.
            probabilities: Whether predictions keep the probabilities of all classes.

        Raises:
            InputError: As `predict` raises it, for the first pair that cannot be predicted. Use
                `predict_each` to continue after such a pair.
        """
        found: list[Prediction] = []
        read = (take_pair(pair, channels, self.camera) for pair in pairs)
        for answer in self.predict_each(read, batch_size, probabilities):
            if isinstance(answer, InputError):
                place = f"pair {len(found)}: " if len(found) else ""
                raise InputError(f"{place}{answer}") from answer
            found.append(answer)
        return found

    def predict_each(
        self,
        pairs: Iterable[RawPair | InputError],
        batch_size: int | None = None,
        probabilities: bool = False,
    ) -> Iterator[Prediction | InputError]:
        """Segment pairs one after the other; at most `batch_size` pairs are read ahead.

        Args:
            pairs: Images of a pair, or the error with which a pair could not be read.
            batch_size: As for `predict_batch`.
            probabilities: Whether predictions keep the probabilities of all classes.

        Yields:
            The prediction of each pair in order, or the error that prevented it.
        """
        count = self.batch_size if batch_size is None else batch_size

        def answer(alike: list[RawPair]) -> list[Prediction | InputError]:
            return self._answer_pairs(alike, probabilities)

        for found in in_batches(pairs, count, _kind, answer):
            yield found if isinstance(found, InputError) else found[1]

    def stream(
        self,
        pairs: Iterable[tuple[Picture | None, Picture | None]],
        *,
        gate: bool | Gate = True,
        smooth: float = 0.0,
        ahead: int = 4,
        batch_size: int = 1,
        channels: Channels = "rgb",
        probabilities: bool = False,
    ) -> Iterator[Prediction]:
        """Segment the pairs of a stream in order; the stream may be endless.

        A thread reads the next pairs while the network computes. Each prediction gives the state of
        the cameras in `cameras`. A faulty camera counts as missing, see `predict.health`. If no
        camera works, all labels are 255 (unknown).

        Args:
            pairs: RGB and thermal of each pair, as for `predict`, in temporal order.
            gate: Whether to watch the cameras; or the caller's own `Gate`, which keeps counts.
            smooth: Weight of earlier frames in each label, from 0 to below 1, see
                `predict.smoothing`; it needs the probabilities of all classes.
            ahead: Largest number of pairs that are read ahead; 0 reads without a thread.
            batch_size: Pairs that go through the network together: 1 has the smallest delay, more
                are faster on a GPU.
            channels: As for `predict`.
            probabilities: Whether predictions keep the probabilities of all classes.

        Raises:
            InputError: A pair cannot be used or predicted although its cameras work.

        Example:
            >>> for prediction in model.stream(zip(rgb_frames, thermal_frames)):
            ...     if prediction.cameras["thermal"] != "ok":
            ...         print("thermal camera:", prediction.cameras["thermal"])
        """
        watching = (Gate(self.camera) if gate else None) if isinstance(gate, bool) else gate
        smoother = Smoother(smooth) if smooth else None
        shots = (
            take_shot(pair, number, channels, self.camera, watching is not None)
            for number, pair in enumerate(pairs)
        )
        return stream(self, shots, watching, smoother, ahead, batch_size, probabilities)

    def _answer_pairs(
        self, pairs: list[RawPair], probabilities: bool
    ) -> list[Prediction | InputError]:
        """`_predict`, completed with the data of each pair and the selection of classes."""
        start = time.perf_counter()
        found = self._predict(pairs, probabilities)
        seconds = (time.perf_counter() - start) / len(pairs)
        return [
            one if isinstance(one, InputError) else self._completed(one, pair, seconds)
            for one, pair in zip(found, pairs, strict=True)
        ]

    def _completed(self, found: Prediction, pair: RawPair, seconds: float) -> Prediction:
        return replace(
            found,
            labels=self.selection.labels(found.labels, found.confidence, found.classes)
            if self.selection != Selection()
            else found.labels,
            raw=pair[1],
            rig=self.camera.rig if self._warps(pair) else None,
            again=partial(self._probabilities, pair),
            seconds=seconds,
        )

    def _warps(self, pair: RawPair) -> bool:
        """Whether the labels of a pair lie on RGB's pixels, so that thermal is warped to them."""
        return pair[0] is not None or self.canvas is not None

    def _probabilities(self, pair: RawPair) -> NDArray[np.float32]:
        """Probabilities (K, H, W) of a pair that was predicted before."""
        (found,) = self._predict([pair], True)
        if isinstance(found, InputError):
            raise found
        return found.probabilities


def _kind(pair: RawPair) -> Hashable:
    """A key that pairs with the same cameras, sizes and depths share; they can form a batch."""
    return tuple(None if x is None else (x.shape, x.dtype) for x in pair)


def made_with(predictor: PairPredictor, more: dict[str, Any]) -> dict[str, Any]:
    """The settings on which all files of a model's predictions depend; values fit JSON.

    Args:
        predictor: The model.
        more: Further settings, besides its fingerprint, options and selection.
    """
    options = predictor.options | predictor.selection.stored() | more
    return {"model": predictor.fingerprint, **json.loads(json.dumps(options))}
