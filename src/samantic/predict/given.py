"""The pairs that a program gives, one by one or as a stream, as arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from samantic.data.camera import Camera, RawPair
from samantic.data.thermal import refuse_unit
from samantic.errors import InputError, UnreadableError
from samantic.predict.inputs import Channels, Picture, colour_of, heat_of
from samantic.predict.stream import Shot

Pair: TypeAlias = "tuple[Picture | None, Picture | None]"
"""RGB and thermal of a pair, as a program gives them; either may be missing."""
Image = TypeVar("Image")


def take_pair(pair: Pair, channels: Channels, camera: Camera) -> RawPair | InputError:
    """A pair as arrays, or why it cannot be used.

    Args:
        pair: RGB and thermal, as `PairPredictor.predict` takes them.
        channels: Their order in arrays and tensors.
        camera: How the model sees thermal images.
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
    """A pair of a stream as arrays; where cameras are watched, a damaged file is a sick camera.

    Args:
        pair: As `take_pair` takes it.
        number: Its number in the stream, for the message.
        channels: Their order in arrays and tensors.
        camera: How the model sees thermal images.
        watched: Whether cameras are watched.

    Raises:
        InputError: It cannot be used.
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
    """An item of a batch as a pair.

    Raises:
        InputError: It is none.
    """
    if isinstance(pair, tuple | list) and len(pair) == 2:
        return pair[0], pair[1]
    kind = f"a {type(pair).__name__}"
    raise InputError(
        f"predict_batch: takes pairs (rgb, thermal), either of which may be None, got {kind}; give "
        "zip(rgb, thermal), or call the model with two lists"
    )
