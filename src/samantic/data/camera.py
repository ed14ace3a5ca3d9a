"""The thermal camera of a rig: its values brought to 0..1, its pixels to RGB's."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from samantic.config.scaling import Scaling, parse_scaling
from samantic.data.images import RawPair as RawPair
from samantic.data.rig import RESIZE, Rig, read_rig, rig_from
from samantic.data.thermal import SCALE, RawThermal, is_too_deep, refuse_depth, scale_thermal
from samantic.errors import SizeError
from samantic.spelling import remedy

PLACE = "say where the cameras look: a calibration file, or resize where both see the same"
"""What to do about two cameras of different sizes."""

STRETCHED = 0.05
"""Relative difference of two images' widths over heights, from which they see different views."""

CALIBRATED = "runs/calibrate/rig.yaml"
"""What `samantic calibrate` writes if nothing else is said."""


class Camera(NamedTuple):
    """How a raw thermal image becomes the input of a network.

    Attributes:
        scaling: How thermal values become 0..1.
        rig: How thermal pixels map to RGB pixels; None where both images are aligned and of one
            size.
    """

    scaling: Scaling = Scaling()
    rig: Rig | None = None

    def see(
        self,
        raw: RawThermal,
        rgb: NDArray[np.uint8] | None,
        name: str = "thermal",
        rgb_name: str = "rgb",
    ) -> NDArray[np.float32]:
        """Scale a thermal image, and align it with the RGB image if there is one.

        Args:
            raw: (h, w) as the file has it.
            rgb: (H, W, 3), or None: then the thermal image is not warped.
            name: What to call the thermal image in an error.
            rgb_name: What to call the RGB image in an error.

        Returns:
            (H, W) in 0..1; (h, w) without RGB.

        Raises:
            InputError: The scaling does not fit, or sizes differ and there is no rig.
        """
        self.check(raw, rgb, name, rgb_name)
        return self.align(scale_thermal(raw, self.scaling, name), rgb, name, rgb_name)

    def check(
        self,
        raw: RawThermal,
        rgb: NDArray[Any] | None,
        name: str = "thermal",
        rgb_name: str = "rgb",
    ) -> None:
        """Refuse what `see` would refuse, before anything is computed.

        Raises:
            InputError: The scaling does not fit, or sizes differ and there is no rig.
        """
        if rgb is None or not self.misplaces(raw, rgb):
            refuse_depth(raw, self.scaling, name)
            self._check_rig(raw, rgb, name, rgb_name)
        elif not is_too_deep(raw, self.scaling):
            _refuse_size(raw, name, rgb, rgb_name)
        else:
            (h, w), (tall, wide) = raw.shape, rgb.shape[:2]
            what, rig = _rig_cure(raw.shape, rgb.shape, name, rgb_name)
            cure = {"data.thermal_scaling": "frame", "data.rig": rig}
            raise SizeError(
                f"{name}: {raw.dtype} values up to {np.nanmax(raw):g}, deeper than 8 bits, and "
                f"{w}x{h} pixels, but {rgb_name} has {wide}x{tall}; {SCALE}; and {what}; as in "
                f"{remedy(cure)}"
            )

    def misplaces(self, raw: RawThermal, rgb: NDArray[Any]) -> bool:
        """Whether the two images differ in size and no rig says where the cameras look."""
        return self.rig is None and raw.shape != rgb.shape[:2]

    def align(
        self,
        thermal: NDArray[np.float32],
        rgb: NDArray[Any] | None,
        name: str = "thermal",
        rgb_name: str = "rgb",
    ) -> NDArray[np.float32]:
        """Warp (h, w) thermal values into RGB's (H, W); without RGB they are returned unchanged.

        Raises:
            InputError: Sizes differ and there is no rig.
        """
        if rgb is None:
            return thermal
        if self.rig is not None:
            self._check_rig(thermal, rgb, name, rgb_name)
            return self.rig.warp(thermal, (rgb.shape[0], rgb.shape[1]))
        if thermal.shape != rgb.shape[:2]:
            _refuse_size(thermal, name, rgb, rgb_name)
        return thermal

    def _check_rig(
        self, thermal: NDArray[Any], rgb: NDArray[Any] | None, name: str, rgb_name: str
    ) -> None:
        """Refuse a pair that does not fit the rig; see `Rig.check`."""
        if self.rig is not None and rgb is not None:
            own, other = thermal.shape, rgb.shape
            self.rig.check((own[0], own[1]), (other[0], other[1]), name, rgb_name)

    def stored(self) -> dict[str, Any]:
        """The entries of a model's config.json that `stored_camera` reads back."""
        rig = None if self.rig is None else self.rig.stored()
        return {"thermal_scaling": str(self.scaling), "rig": rig}

    def changed(
        self,
        scaling: str | tuple[float, float] | None,
        rig: str | list[list[float]] | dict[str, Any] | None,
        inverted: bool | None = None,
    ) -> Camera:
        """A copy with another scaling or rig, where one is given.

        Args:
            scaling: `8-bit`, `frame` or `LOW,HIGH`.
            rig: `resize`, a matrix, a YAML file that holds a matrix, or the content of one.
            inverted: Whether hot is dark in the files; None keeps the present value.

        Raises:
            InputError: A value is none of these.
        """
        changed = self.scaling if scaling is None else parse_scaling(scaling)
        turned = changed.inverted or self.scaling.inverted if inverted is None else inverted
        changed = changed._replace(inverted=turned)
        return Camera(changed, self.rig if rig is None else read_rig(rig))


def _refuse_size(thermal: NDArray[Any], name: str, rgb: NDArray[Any], rgb_name: str) -> NoReturn:
    """Refuse a pair whose images differ in size.

    Raises:
        SizeError: Always.
    """
    (h, w), (tall, wide) = thermal.shape, rgb.shape[:2]
    what, rig = _rig_cure(thermal.shape, rgb.shape, name, rgb_name)
    raise SizeError(
        f"{name}: {w}x{h} pixels, but {rgb_name} has {wide}x{tall}; align the pair and save both "
        f"in one size, or {what}, as in {remedy({'data.rig': rig})}"
    )


def _rig_cure(
    thermal: tuple[int, ...], rgb: tuple[int, ...], name: str, rgb_name: str
) -> tuple[str, str]:
    """What to do about two sizes, and what to give as the rig.

    Images of one shape may be of one view; others are not, and stretching would hide that.
    """
    if abs(thermal[1] * rgb[0] / (thermal[0] * rgb[1]) - 1) <= STRETCHED:
        return PLACE, RESIZE
    files = {"RGB": Path(rgb_name), "THERMAL": Path(name)}
    folders = [str(file.parent) if file.is_file() else word for word, file in files.items()]
    command = shlex.join(["samantic", "calibrate", "--rgb", folders[0], "--thermal", folders[1]])
    return (
        "say where the cameras look: images of such different shapes are not of one view, so find "
        f"the calibration by `{command}`, and give its file",
        CALIBRATED,
    )


ALIGNED_8_BIT = Camera()
"""The camera of the benchmarks: gray levels, aligned with RGB."""


def stored_camera(values: dict[str, Any]) -> Camera:
    """The camera in a model's config.json; 8-bit and aligned where it says nothing."""
    rig = values.get("rig")
    scaling = parse_scaling(values.get("thermal_scaling", "8-bit"))
    if rig is None or rig == RESIZE:
        return Camera(scaling, None if rig is None else Rig(None))
    return Camera(scaling, rig_from(rig, "config.json"))
