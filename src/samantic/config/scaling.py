"""How thermal values become 0..1, as a configuration, an option or a model's file gives it.

Imports no numpy.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from samantic.errors import InputError


class Scaling(NamedTuple):
    """How thermal values become 0..1.

    Attributes:
        kind: `8-bit` reads gray levels 0..255 and refuses deeper values, `fixed` maps low..high to
            0..1, `frame` uses each image's own percentiles.
        low: The value that becomes 0, in the unit of the files.
        high: The value that becomes 1.
        planck: Whether counts become kelvin first, by the constants in each file; low and high are
            then in kelvin.
        inverted: Whether hot is dark in the files, so that values are inverted.
    """

    kind: Literal["8-bit", "fixed", "frame"] = "8-bit"
    low: float = 0.0
    high: float = 255.0
    planck: bool = False
    inverted: bool = False

    def __str__(self) -> str:
        text: str = self.kind
        if self.kind == "fixed":
            off = ZERO if self.planck else 0
            text = f"{self.low - off:.9g},{self.high - off:.9g}"
        return INVERTED * self.inverted + f"{PLANCK}:" * self.planck + text


INVERTED = "inverted:"
"""Prefix of a scaling for files in which hot is dark."""

PLANCK = "flir-planck"
"""The unit of counts that become temperatures by Planck's law, with the constants in the file."""

ZERO = 273.15
"""Kelvin at 0 degrees Celsius."""


UNITS = {
    "celsius": (1.0, 0.0),
    "kelvin": (1.0, 273.15),
    "decikelvin": (10.0, 2731.5),
    "centikelvin": (100.0, 27315.0),
    "lepton-tlinear": (100.0, 27315.0),
    "optris": (10.0, 1000.0),
    PLANCK: (1.0, ZERO),
}
"""Factor and offset from degrees Celsius to file values. FLIR's Lepton with TLinear writes
hundredths of a kelvin (datasheet 500-0659-00-09, 4.1: its default), Optris (t + 100) x 10 (its SDK:
get_thermal_image)."""

COUNTS = ("counts", "boson")
"""Units without a known relation to temperature: LOW,HIGH are in the files' own unit. A FLIR Boson
sends such values."""


def parse_scaling(text: str | tuple[float, float]) -> Scaling:
    """Read `8-bit`, `frame`, `LOW,HIGH`, or `UNIT:LOW,HIGH` in degrees Celsius; or two numbers.

    The prefix `inverted:` says that hot is dark in the files.

    Raises:
        InputError: The text has another form.

    Example:
        >>> str(parse_scaling("centikelvin:0,40"))
        '27315,31315'
    """
    if not isinstance(text, str):
        text = ",".join(str(part) for part in (text if isinstance(text, Iterable) else [text]))
    if text.startswith(INVERTED):
        return parse_scaling(text.removeprefix(INVERTED))._replace(inverted=True)
    if text == "8-bit":
        return Scaling()
    if text == "frame":
        return Scaling("frame")
    unit, separated, bounds = text.rpartition(":")
    factor, offset = UNITS.get(unit, (1.0, 0.0))
    try:
        low, high = (offset + factor * float(part) for part in bounds.split(","))
    except ValueError:
        low = high = 0.0
    if not low < high < float("inf") or (separated and unit not in {*UNITS, *COUNTS}):
        raise InputError(
            f"thermal scaling {text!r}: give 8-bit, frame, LOW,HIGH in the files' unit, e.g. "
            "27315,31315, or UNIT:LOW,HIGH in degrees Celsius, e.g. centikelvin:0,40, of "
            f"{', '.join(UNITS)}; {' and '.join(COUNTS)} take the files' own"
        )
    return Scaling("fixed", low, high, planck=unit == PLANCK)
