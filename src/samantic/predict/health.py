"""Whether the cameras of a stream are well: cheap tests of each image before it is predicted.

The thresholds stand in `docs/video.md`, with how they were chosen.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samantic.data.camera import Camera, RawPair
from samantic.data.sensors import SENSORS
from samantic.data.thermal import CLIPPED, beyond
from samantic.predict.rows import rows_are_shifted, rows_have_jumped

FROZEN = 5
"""An image is frozen if it is at least the fifth of equal ones in a row."""

SETTLED = 3
"""After moved rows so many images in a row must be without: a seam does not show in all."""

BLACK = 16
"""Gray level that one pixel in a hundred of a picture exceeds, or the picture is black."""

DARK_THERMAL = 8
"""The same of a thermal image of 8 bits."""

FULL = 250
"""Least gray level of all channels of a pixel that is saturated."""

SATURATED = 0.5
"""Share of the pixels from which an image is saturated."""

UNIFORM = 8
"""Gray levels between the first and the last percent of the pixels of an image of something."""

UNIFORM_SHARE = 0.1
"""The same of a thermal image deeper than 8 bits, as a share of what is usual in the stream."""

UNIFORM_COUNTS = 2
"""Counts of a 16-bit image below which it shows nothing, whatever is usual."""

WELL = ("ok", "doubled")
"""States in which an image is used."""

USED = ("present", *WELL)
"""The same, with an image that was not tested."""

STATES = (
    *WELL,
    *("missing", "dropped", "unreadable", "black", "saturated", "uniform", "shutter"),
    *("out of range", "frozen", "shifted rows"),
)
"""What a camera can be. `doubled`: equal to the image before, but not `frozen` yet; `shutter`: a
thermal camera that looks at its own shutter while it calibrates itself."""

STEP = 4
"""Every fourth row and column tell enough of the levels of an image."""

_LOG = logging.getLogger("samantic")


class Gate:
    """Watches the cameras of one stream; a sick one counts as missing.

    Args:
        camera: What the model knows of the thermal camera.
        frozen: Equal images in a row of which the last counts as frozen.
        act: Whether a sick camera counts as missing, or is only told.

    Attributes:
        counts: Pairs by camera and state.

    Example:
        >>> gate = Gate(model.camera)
        >>> gate.check((rgb, np.zeros_like(thermal)))
        {'rgb': 'ok', 'thermal': 'black'}
    """

    def __init__(self, camera: Camera, frozen: int = FROZEN, act: bool = True) -> None:
        self.camera, self.frozen, self.act = camera, frozen, act
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in SENSORS}
        self.seen = 0
        self._states: dict[str, str] = {}
        self._last: dict[str, NDArray[Any]] = {}
        self._equal: Counter[str] = Counter()
        self._clear: dict[str, NDArray[Any]] = {}
        self._torn: Counter[str] = Counter()
        self._usual: float | None = None

    def check(self, pair: RawPair, known: Mapping[str, str] | None = None) -> dict[str, str]:
        """The state of each camera, of `STATES`; a change is logged.

        Args:
            pair: What the cameras gave.
            known: States that are known already, of cameras that gave no image.
        """
        states: dict[str, str] = {}
        for name, image in zip(SENSORS, pair, strict=True):
            states[name] = (known or {}).get(name) or self.state_of(name, image)
            self.counts[name][states[name]] += 1
            self._tell(name, states[name])
        self.seen += 1
        return states

    def healthy(self, pair: RawPair, states: Mapping[str, str]) -> RawPair:
        """A pair without the images of sick cameras, if these count as missing."""
        return well_of(pair, states) if self.act else pair

    def state_of(self, name: str, image: NDArray[Any] | None) -> str:
        """The state of a camera by its next image; see `check` for both."""
        if image is None:
            return "missing"
        before, self._last[name] = self._last.get(name), image
        equal = before is not None and np.array_equal(before, image)
        self._equal[name] = self._equal[name] + 1 if equal else 1
        return (
            self._level(name, image)
            or ("frozen" if self._equal[name] >= self.frozen else "")
            or ("shifted rows" if self._is_torn(name, image) else "")
            or ("doubled" if equal else "ok")
        )

    def _is_torn(self, name: str, image: NDArray[Any]) -> bool:
        """Whether rows have been moved in an image, or in one of the last ones."""
        gray, clear = _gray(image), self._clear.get(name)
        if rows_are_shifted(gray) or (clear is not None and rows_have_jumped(clear, gray)):
            self._torn[name] = SETTLED
        self._torn[name] = max(0, self._torn[name] - 1)
        if self._torn[name]:
            return True
        self._clear[name] = gray
        return False

    def _level(self, name: str, image: NDArray[Any]) -> str:
        """What is wrong with the levels of an image; empty if nothing is."""
        some = image[::STEP, ::STEP]
        if image.dtype == np.uint8:
            colours = some.reshape(*some.shape[:2], -1)
            low, high = np.percentile(colours.max(-1), (1, 99))
            if high <= (BLACK if name == "rgb" else DARK_THERMAL):
                return "black"
            if (colours.min(-1) >= FULL).mean() > SATURATED:
                return "saturated"
            narrow = high - low < UNIFORM
        else:
            narrow = self._is_narrow(some)
            if image.dtype == np.uint16 and (some == np.iinfo(np.uint16).max).mean() > SATURATED:
                return "saturated"
        if narrow:
            return "shutter" if name == "thermal" else "uniform"
        if name == "thermal" and sum(beyond(some, self.camera.scaling)) > CLIPPED:
            return "out of range"
        return ""

    def _is_narrow(self, values: NDArray[Any]) -> bool:
        """Whether deep thermal values span far less than they used to; NaN are passed over."""
        finite = values[np.isfinite(values)]
        if finite.size == 0:
            return True
        low, high = np.percentile(finite, (1, 99))
        width, scaling = float(high - low), self.camera.scaling
        least = UNIFORM_COUNTS if values.dtype == np.uint16 else 1e-6
        if scaling.kind == "fixed":
            least = max(least, UNIFORM / 255 * (scaling.high - scaling.low))
        if width < max(least, UNIFORM_SHARE * (self._usual or 0.0)):
            return True
        self._usual = width if self._usual is None else 0.9 * self._usual + 0.1 * width
        return False

    def _tell(self, name: str, state: str) -> None:
        """Log that a camera has become sick, or well again."""
        before = self._states.get(name)
        now = "ok" if state in WELL else state
        self._states[name] = now
        if now == before or (before is None and now in ("ok", "missing")):
            return
        use = "; counts as missing" if self.act else ""
        what = "ok again" if now == "ok" else f"{now}{use}"
        _LOG.warning("pair %d: %s camera: %s", self.seen, SENSORS[name].title, what)


def look_at(pair: RawPair, camera: Camera, test: bool) -> dict[str, str]:
    """The state of each camera by one pair alone, which nothing went before.

    Args:
        pair: What the cameras gave.
        camera: What the model knows of the thermal camera.
        test: Whether an image is tested; if not, its camera is `present`.
    """
    gate = Gate(camera)
    return {
        name: gate.state_of(name, image) if test or image is None else "present"
        for name, image in zip(SENSORS, pair, strict=True)
    }


def well_of(pair: RawPair, states: Mapping[str, str]) -> RawPair:
    """A pair without the images of sick cameras."""
    rgb, thermal = pair
    return (
        rgb if states["rgb"] in USED else None,
        thermal if states["thermal"] in USED else None,
    )


def _gray(image: NDArray[Any]) -> NDArray[Any]:
    """One channel, (H, W); green stands for the colours."""
    return image[..., 1] if image.ndim == 3 else image
