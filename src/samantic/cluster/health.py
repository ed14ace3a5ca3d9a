"""Whether the cameras of a pair are well, as far as one image tells.

The thresholds are those of the gate of streams.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from samantic.data.camera import RawPair
from samantic.predict.health import BLACK, FULL, SATURATED, STEP


def states_of(pair: RawPair) -> dict[str, str]:
    """The state of each camera: `ok`, `missing`, `black`, `saturated` or `uniform`."""
    rgb, thermal = pair
    return {"rgb_camera": _state(rgb), "thermal_camera": _state(thermal)}


def _state(image: NDArray[Any] | None) -> str:
    if image is None:
        return "missing"
    some = image[::STEP, ::STEP]
    finite = some[np.isfinite(some)]
    if not finite.size or finite.min() == finite.max():
        return "uniform"
    if image.dtype == np.uint8:
        if np.percentile(finite, 99) <= BLACK and image.ndim == 3:
            return "black"
        if (finite >= FULL).mean() > SATURATED:
            return "saturated"
    return "ok"
