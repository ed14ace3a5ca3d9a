"""The training targets of a student, image by image: teacher, masks, and their ensemble."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samantic.data.sensors import REFERENCE, SENSORS
from samantic.distill.ensemble import Answer
from samantic.distill.windows import Corner
from samantic.measure.gallery import Frame
from samantic.predict.info import ModelInfo
from samantic.report.pictures import Panel, Picture, labels_picture, picture

STRENGTH = 0.6
"""Opacity of a mask's colour over the image."""


def lesson_panel(frame: Frame, answer: Answer, info: ModelInfo) -> Panel:
    """A row of pictures: image, teacher, masks, ensemble, its confident part, student.

    Args:
        frame: The image, and the student's prediction.
        answer: The predictions of teacher and ensemble.
        info: Classes and colours.
    """

    def labels(title: str, ids: Tensor) -> Picture:
        return labels_picture(title, frame, ids.byte().numpy(), info)

    return Panel(
        frame.name,
        "",
        [
            picture(SENSORS[REFERENCE].title, frame.images[REFERENCE]),
            labels("teacher", answer.teacher),
            picture("masks", painted(frame.images[REFERENCE], answer.masks, answer.corners)),
            labels("ensemble", answer.ensemble),
            labels("confident part", answer.confident),
            labels_picture("student", frame, frame.prediction, info),
        ],
    )


def painted(
    pixels: NDArray[np.uint8], masks: Sequence[Tensor], corners: Sequence[Corner]
) -> NDArray[np.uint8]:
    """Draw masks in random colours over an image, the smallest on top.

    Args:
        pixels: (H, W, 3).
        masks: (M_i, h, w) bool for each window i.
        corners: Upper left corners of the windows.
    """
    photo = torch.from_numpy(pixels.astype(np.float32))
    image = photo.clone()
    colours = torch.Generator().manual_seed(0)
    every = [(part, corner) for parts, corner in zip(masks, corners, strict=True) for part in parts]
    for mask, (top, left) in sorted(every, key=lambda one: int(one[0].sum()), reverse=True):
        rows, columns = mask.nonzero(as_tuple=True)
        place = rows + top, (columns + left) % image.shape[1]
        colour = 255 * torch.rand(3, generator=colours)
        image[place] = (1 - STRENGTH) * photo[place] + STRENGTH * colour
    return image.byte().numpy()
