"""How a model is asked about pairs, whatever computes its answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samantic.data.camera import Camera
from samantic.data.images import ImageLike, rgb_array, thermal_array
from samantic.data.thermal import RawThermal, refuse_unit
from samantic.errors import InputError
from samantic.predict.batches import in_batches
from samantic.predict.info import ModelInfo
from samantic.predict.prediction import Prediction

RawPair = tuple[NDArray[np.uint8] | None, RawThermal | None]
"""RGB (H, W, 3) and thermal (h, w) as the cameras gave them, of which one may be missing."""


class PairPredictor(ABC):
    """A trained model, ready for pairs.

    Attributes:
        info: Its classes, their colours, and how it was made.
        camera: How thermal images become what the network reads.
        batch_size: Pairs that go through the network together, if not said otherwise.
    """

    info: ModelInfo
    camera: Camera
    batch_size: int

    @property
    @abstractmethod
    def options(self) -> dict[str, Any]:
        """All that its answers depend on besides the model and the images, as JSON has it."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Identity of the model."""

    @abstractmethod
    def _predict(self, pairs: list[RawPair], probabilities: bool) -> list[Prediction | InputError]:
        """The predictions of pairs of one size; why there is none in place of one."""

    def predict(
        self,
        rgb: ImageLike | None = None,
        thermal: ImageLike | None = None,
        *,
        probabilities: bool = False,
    ) -> Prediction:
        """Segment a pair.

        Args:
            rgb: Path, PIL image or (H, W, 3) uint8; None if the camera is missing.
            thermal: Path, PIL image or (H, W) array of uint8, uint16 or floats; None if the camera
                is missing.
            probabilities: Whether the prediction keeps those of all classes.

        Raises:
            InputError: An image cannot be used, sizes differ, all thermal values lie at one end
                beyond the range of the model, or it reads neither image.
        """
        return self.predict_batch([(rgb, thermal)], probabilities=probabilities)[0]

    def predict_batch(
        self,
        pairs: Iterable[tuple[ImageLike | None, ImageLike | None]],
        batch_size: int | None = None,
        *,
        probabilities: bool = False,
    ) -> list[Prediction]:
        """Segment pairs; those of one size go through the network together.

        Args:
            pairs: RGB and thermal of each pair, as `predict` takes them.
            batch_size: Pairs that go together at most; None means `batch_size` of the predictor.
            probabilities: Whether predictions keep those of all classes.

        Raises:
            InputError: As `predict` raises it, of the first pair that cannot be predicted. See
                `predict_each` to go on past it.
        """
        found: list[Prediction] = []
        for answer in self.predict_each(map(self._read, pairs), batch_size, probabilities):
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
        """Segment pairs as they come; no more are read ahead than go together.

        Args:
            pairs: What the cameras gave, or why a pair could not be read.
            batch_size: As in `predict_batch`.
            probabilities: Whether predictions keep those of all classes.

        Yields:
            The prediction of each pair in their order; in its place, why there is none.
        """
        count = self.batch_size if batch_size is None else batch_size

        def answer(alike: list[RawPair]) -> list[Prediction | InputError]:
            return self._predict(alike, probabilities)

        for found in in_batches(pairs, count, _kind, answer):
            yield found if isinstance(found, InputError) else found[1]

    def _read(self, pair: tuple[ImageLike | None, ImageLike | None]) -> RawPair | InputError:
        """A pair as arrays, or why it cannot be used."""
        rgb, thermal = pair
        try:
            if rgb is None and thermal is None:
                raise InputError("predict: no image was given; give rgb, thermal or both")
            colour = None if rgb is None else rgb_array(rgb)
            raw = None if thermal is None else thermal_array(thermal)
            if raw is not None:
                option = "thermal_scaling of load"
                refuse_unit([("thermal", raw)], self.camera.scaling, "thermal", option)
                self.camera.check(raw, colour)
        except InputError as error:
            return error
        return colour, raw


def _kind(pair: RawPair) -> Hashable:
    """Pairs with the same cameras, sizes and depths can go together."""
    return tuple(None if x is None else (x.shape, x.dtype) for x in pair)
