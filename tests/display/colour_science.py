"""CIELAB, CIEDE2000, contrast and colour-blindness, written from their papers for the tests."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
     [0.0193339, 0.1191920, 0.9503041]]
)  # fmt: skip

MACHADO = {
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
         [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
         [-0.011820, 0.042940, 0.968881]]
    ),
}  # fmt: skip
"""Of linear RGB at severity 1 (Machado, Oliveira and Fernandes 2009, table 1)."""


def linear(colour: tuple[int, int, int]) -> Floats:
    """Linear RGB in 0..1 of sRGB in 0..255 (IEC 61966-2-1)."""
    parts = np.array(colour) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(colour: tuple[int, int, int], vision: str = "normal") -> Floats:
    """CIELAB at D65, as a kind of vision sees the colour."""
    seen = linear(colour)
    if vision != "normal":
        seen = np.clip(MACHADO[vision] @ seen, 0, 1)
    x, y, z = (
        part ** (1 / 3) if part > (6 / 29) ** 3 else part / (3 * (6 / 29) ** 2) + 4 / 29
        for part in (TO_XYZ @ seen) / (0.95047, 1.0, 1.08883)
    )
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def ciede2000(first: Floats, second: Floats) -> float:
    """Sharma, Wu and Dalal 2005, equations 2 to 22."""
    (l1, a1, b1), (l2, a2, b2) = first, second
    mean = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    g = 0.5 * (1 - math.sqrt(mean**7 / (mean**7 + 25**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = (math.degrees(math.atan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    grey = c1 * c2 == 0
    turn = 0.0 if grey else (h2 - h1 + 180) % 360 - 180
    if not grey and h2 - h1 == 180:
        turn = 180.0
    dh = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2))
    if grey or abs(h1 - h2) <= 180:
        h = h1 + h2 if grey else (h1 + h2) / 2
    else:
        h = (h1 + h2 + 360) / 2 if h1 + h2 < 360 else (h1 + h2 - 360) / 2
    lightness, c = (l1 + l2) / 2, (c1 + c2) / 2

    def cosine(angle: float) -> float:
        return math.cos(math.radians(angle))

    t = (
        1 - 0.17 * cosine(h - 30) + 0.24 * cosine(2 * h)
        + 0.32 * cosine(3 * h + 6) - 0.20 * cosine(4 * h - 63)
    )  # fmt: skip
    sl = 1 + 0.015 * (lightness - 50) ** 2 / math.sqrt(20 + (lightness - 50) ** 2)
    sc, sh = 1 + 0.045 * c, 1 + 0.015 * c * t
    turned = 60 * math.exp(-(((h - 275) / 25) ** 2))
    rt = -2 * math.sqrt(c**7 / (c**7 + 25**7)) * math.sin(math.radians(turned))
    parts = (l2 - l1) / sl, (c2 - c1) / sc, dh / sh
    return math.sqrt(sum(part**2 for part in parts) + rt * parts[1] * parts[2])


def contrast(first: tuple[int, int, int], second: tuple[int, int, int]) -> float:
    """The contrast ratio of WCAG 2, 1 to 21."""
    dark, light = sorted(float(TO_XYZ[1] @ linear(colour)) for colour in (first, second))
    return (light + 0.05) / (dark + 0.05)
