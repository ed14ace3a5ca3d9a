"""Pairs that a program passes in memory, one by one or as a stream, converted to arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from samantic.data.camera import Camera, RawPair
from samantic.data.thermal import refuse_unit
from samantic.errors import InputError, UnreadableError
from samantic.predict.inputs import Channels, Picture, colour_of, heat_of
from samantic.predict.stream import Shot

Pair: TypeAlias = "tuple[Picture | None, Picture | None]"
"""RGB and thermal of a pair, as a program passes them; either may be None."""
Image = TypeVar("Image")


def take_pair(pair: Pair, channels: Channels, camera: Camera) -> RawPair | InputError:
    """A pair as arrays, or the error for which it cannot be used.

    Args:
        pair: RGB and thermal, as for `PairPredictor.predict`.
        channels: The order of the channels in arrays and tensors.
        camera: How the model scales and warps thermal images.
    """
    try:
        rgb, thermal = _two(pair)
        if rgb is None and thermal is None:
            raise InputError("predict: no image was given; give rgb, thermal or both")
        colour = None if rgb is None else colour_of(rgb, channels)
        raw = None if thermal is None else heat_of(thermal, camera.scaling)
        if raw is not None:
            option = "thermal_scaling of load"
            refuse_unit([("thermal", raw)], camera.scaling, "thermal", option)
            camera.check(raw, colour)
    except InputError as error:
        return error
    return colour, raw


def take_shot(pair: Pair, number: int, channels: Channels, camera: Camera, watched: bool) -> Shot:
    """A pair of a stream as arrays; a damaged file counts as a fault of a watched camera.

    Args:
        pair: As for `take_pair`.
        number: Its number in the stream, for the error.
        channels: The order of the channels in arrays and tensors.
        camera: How the model scales and warps thermal images.
        watched: Whether cameras are watched.

    Raises:
        InputError: The pair cannot be used.
    """
    known: dict[str, str] = {}

    def read(name: str, image: Picture | None, reader: Callable[[Picture], Image]) -> Image | None:
        try:
            return None if image is None else reader(image)
        except UnreadableError:
            if not watched:
                raise
            known[name] = "unreadable"
            return None

    try:
        rgb, thermal = _two(pair)
        colour = read("rgb", rgb, lambda image: colour_of(image, channels))
        raw = read("thermal", thermal, lambda image: heat_of(image, camera.scaling))
        if raw is not None:
            camera.check(raw, colour)
    except InputError as error:
        raise InputError(f"pair {number}: {error}") from error
    return Shot((colour, raw), known)


def _two(pair: object) -> Pair:
    """Check that an item of a batch is a pair.

    Raises:
        InputError: It is not.
    """
    if isinstance(pair, tuple | list) and len(pair) == 2:
        return pair[0], pair[1]
    kind = f"a {type(pair).__name__}"
    raise InputError(
        f"predict_batch: takes pairs (rgb, thermal), either of which may be None, got {kind}; give "
        "zip(rgb, thermal), or call the model with two lists"
    )
