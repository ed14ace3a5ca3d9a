"""Whether the cameras of a stream work: cheap tests of each image before it is predicted.

The tests of a single image are in `levels`; the tests here compare it with earlier images.
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
from samantic.predict.levels import gray, level_state, pair_states, spread
from samantic.predict.rows import rows_are_shifted, rows_have_jumped

FROZEN = 5
"""An image is frozen if it is at least this many-th of equal images in a row."""

SETTLED = 3
"""A camera with shifted rows works again with this many-th image, counted from the last image in
which a seam was found; a seam is not visible in every image."""

WELL = ("ok", "doubled")
"""States in which an image is used."""

USED = ("present", *WELL)
"""The same states, and that of an image that was not tested."""

STATES = (
    *WELL,
    *("missing", "dropped", "unreadable", "black", "saturated", "uniform", "shutter"),
    *("out of range", "frozen", "shifted rows"),
)
"""The states of a camera. `doubled`: equal to the previous image, but not `frozen` yet; `shutter`:
the thermal camera sees its own shutter while it calibrates itself."""

_LOG = logging.getLogger("samantic")


class Gate:
    """Watches the cameras of one stream; a faulty camera counts as missing.

    Args:
        camera: The model's knowledge of the thermal camera.
        frozen: Number of equal images in a row from which a camera counts as frozen.
        act: Whether a faulty camera counts as missing; otherwise its state is only logged.

    Attributes:
        counts: Number of pairs by camera and state.

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
        self._usual = 0.0

    def check(self, pair: RawPair, known: Mapping[str, str] | None = None) -> dict[str, str]:
        """The state of each camera, one of `STATES`; changes are logged.

        Args:
            pair: The images of the pair.
            known: States of cameras without an image that are known already.
        """
        states: dict[str, str] = {}
        for name, image in zip(SENSORS, pair, strict=True):
            states[name] = (known or {}).get(name) or self.state_of(name, image)
            self.counts[name][states[name]] += 1
            self._tell(name, states[name])
        self.seen += 1
        return states

    def healthy(self, pair: RawPair, states: Mapping[str, str]) -> RawPair:
        """The pair without the images of faulty cameras, if these count as missing."""
        return well_of(pair, states) if self.act else pair

    def state_of(self, name: str, image: NDArray[Any] | None) -> str:
        """The state of one camera after its next image; see `check` for both cameras."""
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
        """Whether rows are shifted in this image, or were in one of the last images."""
        now, clear = gray(image), self._clear.get(name)
        if rows_are_shifted(now) or (clear is not None and rows_have_jumped(clear, now)):
            self._torn[name] = SETTLED
        self._torn[name] = max(0, self._torn[name] - 1)
        if self._torn[name]:
            return True
        self._clear[name] = now
        return False

    def _level(self, name: str, image: NDArray[Any]) -> str:
        """The fault in the levels of an image; "" if there is none."""
        state = level_state(name, image, self.camera.scaling, self._usual)
        if image.dtype != np.uint8 and state in ("", "out of range"):
            width = spread(image)
            self._usual = 0.9 * self._usual + 0.1 * width if self._usual else width
        return state

    def _tell(self, name: str, state: str) -> None:
        """Log that a camera has a new fault, or works again."""
        before = self._states.get(name)
        now = "ok" if state in WELL else state
        self._states[name] = now
        if now == before or (before is None and now in ("ok", "missing")):
            return
        use = "; counts as missing" if self.act else ""
        what = "ok again" if now == "ok" else f"{now}{use}"
        _LOG.warning("pair %d: %s camera: %s", self.seen, SENSORS[name].title, what)


def look_at(pair: RawPair, camera: Camera, test: bool) -> dict[str, str]:
    """The state of each camera from one pair alone, without earlier images.

    Args:
        pair: The images of the pair.
        camera: The model's knowledge of the thermal camera.
        test: Whether images are tested; if not, the state of a camera with an image is `present`.
    """
    if test:
        return pair_states(pair, camera)
    named = zip(SENSORS, pair, strict=True)
    return {name: "missing" if image is None else "present" for name, image in named}


def well_of(pair: RawPair, states: Mapping[str, str]) -> RawPair:
    """The pair without the images of faulty cameras."""
    rgb, thermal = pair
    return (
        rgb if states["rgb"] in USED else None,
        thermal if states["thermal"] in USED else None,
    )
