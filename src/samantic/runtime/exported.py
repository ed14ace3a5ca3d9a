"""An exported model that predicts pairs from cameras or files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samantic.config.scaling import Scaling
from samantic.data.camera import RawPair
from samantic.data.thermal import PERCENTILES, RawThermal
from samantic.errors import InputError, SizeError
from samantic.predict.asking import PairPredictor
from samantic.predict.blending import Blend, Floats, Places, blend_tiles
from samantic.predict.info import info_of
from samantic.predict.prediction import Prediction
from samantic.provenance import file_digest
from samantic.runtime.backends import open_backend

NAMES = ("rgb", "thermal")

OUTPUTS = ("labels", "confidence", "probabilities")
"""Outputs of an exported file, in this order: (N, H, W) uint8, (N, H, W), (N, K, H, W) float32."""


class ExportedModel(PairPredictor):
    """A model that `samantic export` has written.

    It predicts images of the size for which it was exported, and larger ones in tiles of that size.

    Args:
        path: NAME.onnx, or NAME.xml with NAME.bin beside it.
        threads: Number of threads; None means OMP_NUM_THREADS, or the CPUs that this process may
            use.
        panorama: Whether images cover 360 degrees; tiles then lie across their left and right
            edges. None means as the training images.

    Attributes:
        made: The file's metadata besides the model: precision, format, versions, mIoU.
        height: Height of its images or tiles in pixels.
        width: Width of its images or tiles in pixels.

    Raises:
        InputError: There is no such file, it is broken, or its backend is not installed.

    Example:
        >>> model = ExportedModel("nano.onnx")
        >>> model.predict("rgb.png", "thermal.png").shares()["car"]
        0.031
    """

    def __init__(
        self, path: str | Path, threads: int | None = None, panorama: bool | None = None
    ) -> None:
        self.path = Path(path)
        self.backend = open_backend(self.path, threads)
        try:
            self.made: dict[str, Any] = json.loads(self.backend.metadata or "{}")
            values = self.made.pop("model")
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(
                f"{self.path}: does not say what model it holds; export one with `samantic export`"
            ) from None
        self.info = info_of(values, str(self.path), "a file that samantic export has written")
        self.camera = self.info.camera
        self.panorama = self.info.projection == "equirectangular" if panorama is None else panorama
        self.height, self.width = self.made["size"]
        batch = next(iter(self.backend.inputs.values()))[0][0]
        self.batch_size = max(1, batch)
        self.fixed = batch if batch > 0 else None

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the model: a digest of its files."""
        return "".join(file_digest(file) for file in self.files)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the model; a NAME.bin beside NAME.onnx is not one of them."""
        weights = self.path.with_suffix(".bin")
        return (self.path, weights) if self.path.suffix == ".xml" else (self.path,)

    @property
    def options(self) -> dict[str, Any]:
        where = {"panorama": self.panorama, "tile": [self.height, self.width]}
        return where | {"size": self.info.eval_size} | self.camera.stored()

    def _predict(self, pairs: list[RawPair], probabilities: bool) -> list[Prediction | InputError]:
        try:
            self._check(pairs[0])
        except InputError as error:
            return [error] * len(pairs)
        first = next(n for n in self.backend.inputs if self._image(pairs[0], n) is not None)
        shape = self._image(pairs[0], first).shape[:2]
        if self.panorama or shape != self.backend.inputs[first][0][1:3]:
            return [self._in_tiles(pair, probabilities) for pair in pairs]
        wanted = OUTPUTS if probabilities else OUTPUTS[:2]
        found = self._ask(pairs, wanted)
        return [
            self._answer(pair, *(output[i] for output in found)) for i, pair in enumerate(pairs)
        ]

    def _image(self, pair: RawPair, name: str) -> Any:
        """The image of a pair for an input; None if it is missing, or the input takes none."""
        return {"rgb": pair[0], "thermal": pair[1]}.get(name)

    def _check(self, pair: RawPair) -> None:
        """Refuse a pair that the file cannot predict.

        Raises:
            InputError: The file cannot predict it.
        """
        given = {n: x for n, x in zip(NAMES, pair, strict=True) if x is not None}
        reads = [name for name in NAMES if name in self.backend.inputs]
        if not given.keys() & set(reads):
            raise InputError(
                f"the pair does not fit the model: {self.path.name} reads {' or '.join(reads)}: "
                "none was given"
            )
        for name, image in given.items():
            if name not in self.backend.inputs:
                continue
            (_, height, width, *_), kind = self.backend.inputs[name]
            if not np.can_cast(image.dtype, kind, "safe") or image.dtype.kind > kind.kind:
                raise InputError(
                    f"{name}: {image.dtype} values, but {self.path.name} takes {kind}; export it "
                    f"with --thermal-type {image.dtype}"
                )
            tall, wide = image.shape[:2]
            if tall < height or wide < width:
                raise SizeError(
                    f"{name}: {wide}x{tall} pixels, but {self.path.name} takes {width}x{height}; "
                    f"export it with --size {tall}x{wide}"
                )
            if (tall, wide) != (height, width) and not self._tiled():
                raise SizeError(
                    f"{name}: {wide}x{tall} pixels, but {self.path.name} takes {width}x{height} "
                    f"and cannot be asked in tiles; export it with --size {tall}x{wide}"
                )

    def _warps(self, pair: RawPair) -> bool:
        """Whether the file warps thermal to RGB, also where RGB is missing: it reads both then."""
        return "present" in self.backend.inputs

    def _tiled(self) -> bool:
        """Whether the answer for a tile equals that for the same place in a larger image.

        It does not if thermal values are scaled by the image's own range, if images are resized to
        one size, or if a calibration warps thermal to RGB.
        """
        scaling, size, rig = self.camera.scaling, self.info.eval_size, self.camera.rig
        return scaling.kind != "frame" and size is None and rig is None

    def _in_tiles(self, pair: RawPair, probabilities: bool) -> Prediction:
        read = [x if n in self.backend.inputs else None for n, x in zip(NAMES, pair, strict=True)]
        height, width = next(x.shape[:2] for x in read if x is not None)

        def predict(rows: slice, columns: Places) -> Floats:
            parts: list[Any] = [
                tuple(None if x is None else x[rows][:, places] for x in read) for places in columns
            ]
            return self._ask(parts, OUTPUTS[2:])[0][:, None]

        found: Blend = blend_tiles(
            predict,
            height,
            width,
            (self.height, self.width),
            self.panorama,
            self.batch_size,
            probabilities,
        )
        all_classes = None if found.probabilities is None else found.probabilities[0]
        return self._answer(pair, found.labels[0], found.confidence[0], all_classes)

    def _ask(self, pairs: Sequence[RawPair], wanted: Sequence[str]) -> list[NDArray[Any]]:
        """Outputs for pairs of the file's size, in its batches if their size is fixed."""
        count = self.fixed or len(pairs)
        parts: list[list[NDArray[Any]]] = []
        for first in range(0, len(pairs), count):
            some = pairs[first : first + count]
            filled = [*some, *[some[-1]] * (count - len(some))]
            parts.append([x[: len(some)] for x in self.backend.run(self.inputs_of(filled), wanted)])
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    def inputs_of(self, pairs: Sequence[RawPair]) -> dict[str, NDArray[Any]]:
        """The file's inputs: a missing image is 0 and marked as not present."""
        given: dict[str, NDArray[Any]] = {}
        present = np.ones((len(pairs), 2), np.bool_)
        for column, name in enumerate(NAMES):
            if name not in self.backend.inputs:
                continue
            shape, kind = self.backend.inputs[name]
            images = [pair[column] for pair in pairs]
            present[:, column] = [image is not None for image in images]
            empty = np.zeros(shape[1:], kind)
            given[name] = np.stack([empty if x is None else x for x in images]).astype(kind)
        return given | ({"present": present} if "present" in self.backend.inputs else {})

    def _answer(
        self,
        pair: RawPair,
        labels: NDArray[Any],
        confidence: NDArray[Any],
        probabilities: NDArray[Any] | None = None,
    ) -> Prediction:
        rgb, thermal = pair
        heat = None if thermal is None else _gray(thermal, self.camera.scaling)
        if heat is not None and self.camera.rig is not None and self._warps(pair):
            heat = self.camera.rig.nearest(heat, (labels.shape[0], labels.shape[1]))
        images = {} if rgb is None else {"rgb": rgb}
        if heat is not None and heat.shape == labels.shape:
            images["thermal"] = heat
        background = np.dstack(3 * [heat]) if rgb is None and heat is not None else rgb
        assert background is not None  # noqa: S101  # otherwise the pair was refused
        return Prediction(
            labels.astype(np.uint8),
            confidence.astype(np.float32),
            self.info.classes,
            self.info.palette,
            background,
            probabilities,
            images,
        )


def _gray(thermal: RawThermal, scaling: Scaling) -> NDArray[np.uint8]:
    """A thermal image (H, W) as background, scaled by a fixed range or by its own."""
    if thermal.dtype == np.uint8:
        levels = thermal.astype(np.uint8)
        return 255 - levels if scaling.inverted else levels
    low, high = scaling.low, scaling.high
    if scaling.kind != "fixed":
        low, high = np.nanpercentile(thermal, PERCENTILES)
    scaled = np.nan_to_num((thermal - low) / max(high - low, 1e-12))
    gray: NDArray[np.uint8] = np.rint(255 * scaled.clip(0, 1)).astype(np.uint8)
    return 255 - gray if scaling.inverted else gray
