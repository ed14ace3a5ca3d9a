"""Where a solid shows its second paint: windows, pickets, courses of stone, lamps."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

Pattern = Literal[
    "plain", "windows", "glass", "band", "pickets", "courses", "lamp", "ring", "books"
]


def shares(pattern: Pattern, local: Floats, half: Floats, face: NDArray[np.intp]) -> Floats:
    """The share of the second paint at n points, (n,) in 0..1.

    Args:
        pattern: Kind of the pattern.
        local: (n, 3) metres from the solid's centre along its own axes.
        half: (n, 3) half its extent.
        face: (n,) the axis that is normal to the face.
    """
    upright, across = face != 1, np.where(face == 0, local[:, 2], local[:, 0])
    height, total = local[:, 1] + half[:, 1], 2 * half[:, 1]
    shown: NDArray[Any]
    match pattern:
        case "plain":
            shown = np.zeros(len(local))
        case "windows":
            pane = (abs(across / 2.6 % 1 - 0.5) < 0.27) & (abs(height / 3.1 % 1 - 0.55) < 0.24)
            shown = upright & pane & (total - height > 0.5)
        case "glass":
            shown = upright & ((across / 1.2 + 0.5) % 1 > 0.07) & (height > 0.05)
        case "band":
            shown = upright & (abs(height / total - 0.64) < 0.17) & (across / 1.4 % 1 > 0.08)
        case "pickets":
            shown = upright & (across / 0.24 % 1 > 0.5) & (abs(height / total - 0.5) < 0.38)
        case "courses":
            shown = upright & (height / 0.3 % 1 < 0.12)
        case "lamp":
            wide = half[:, 0]
            shown = upright & (np.hypot(across, total - height - wide) < 0.7 * wide)
        case "ring":
            shown = np.hypot(local[:, 0] / half[:, 0], local[:, 2] / half[:, 2]) > 0.72
        case "books":
            spine = 13 * np.floor(across / 0.05) + 78 * np.floor(height / 0.4)
            shown = np.where(upright & (height / 0.4 % 1 > 0.14), 43758.5 * np.sin(spine) % 1, 0)
    return shown.astype(np.float32)
