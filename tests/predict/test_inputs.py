"""What a program may give for images: arrays, tensors, lists and batches; the rest is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import samantic
from samantic.config.scaling import Scaling
from samantic.errors import InputError
from samantic.predict.prediction import Prediction
from samantic.predict.predictor import Predictor

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (48, 64, 3), np.uint8)
HEAT = RNG.integers(0, 256, (48, 64), np.uint8)
TENSOR = torch.from_numpy(RGB).permute(2, 0, 1)
HEATED = torch.from_numpy(HEAT)


@pytest.fixture(scope="module")
def model(trained: Path) -> Predictor:
    return samantic.load(trained, device="cpu")


@pytest.fixture(scope="module")
def expected(model: Predictor) -> Prediction:
    return model.predict(RGB, HEAT)


def check_alike(found: Prediction, expected: Prediction) -> None:
    assert np.array_equal(found.labels, expected.labels)
    assert np.array_equal(found.background, expected.background)
    np.testing.assert_allclose(found.confidence, expected.confidence, atol=1e-6)


@pytest.mark.parametrize(
    ("rgb", "thermal"),
    [
        (RGB, HEAT),
        (RGB, HEAT[..., None]),
        (RGB.astype(np.float32) / 255, HEAT),
        (RGB.astype(np.float64) / 255, HEAT),
        (np.asfortranarray(RGB), HEAT[::-1][::-1]),
        (TENSOR, HEATED),
        (TENSOR, HEATED[None]),
        (TENSOR.permute(1, 2, 0), HEATED[..., None]),
        (TENSOR / 255, HEATED / 255),
        ((TENSOR / 255).double().requires_grad_(), HEATED[None] / 255),
        (Image.fromarray(RGB), Image.fromarray(HEAT)),
        (TENSOR, Image.fromarray(HEAT)),
    ],
)
def test_one_pair_in_every_form(
    model: Predictor, expected: Prediction, rgb: Any, thermal: Any
) -> None:
    check_alike(model(rgb, thermal), expected)
    check_alike(model.predict(rgb=rgb, thermal=thermal), expected)


@pytest.mark.parametrize("rgb", [RGB[..., ::-1], TENSOR.flip(0), RGB[..., ::-1] / 255])
def test_bgr(model: Predictor, expected: Prediction, rgb: Any) -> None:
    check_alike(model(rgb, HEAT, channels="bgr"), expected)
    check_alike(model.predict_batch([(rgb, HEAT)], channels="bgr")[0], expected)
    assert not np.array_equal(model(rgb, HEAT).confidence, expected.confidence)


@pytest.mark.parametrize(
    ("rgb", "thermal"),
    [
        ([RGB, RGB], [HEAT, HEAT]),
        ((TENSOR, RGB), (HEATED, HEAT[..., None])),
        (np.stack([RGB, RGB]), np.stack([HEAT, HEAT])),
        (np.stack([RGB, RGB]), np.stack([HEAT, HEAT])[..., None]),
        (torch.stack([TENSOR, TENSOR]), torch.stack([HEATED, HEATED])[:, None]),
        (torch.stack([TENSOR, TENSOR]) / 255, [HEAT, HEATED]),
    ],
)
def test_lists_and_batches(model: Predictor, expected: Prediction, rgb: Any, thermal: Any) -> None:
    found = model(rgb, thermal)
    assert isinstance(found, list)
    for one in (*found, *model.predict_batch(zip(rgb, thermal, strict=True))):
        check_alike(one, expected)
    assert len(found) == 2
    for one in model(rgb):
        check_alike(one, model.predict(RGB))


def test_pairs_without_a_camera_may_be_in_lists(model: Predictor) -> None:
    found = model([RGB, None], [None, HEAT])
    check_alike(found[0], model(rgb=RGB))
    check_alike(found[1], model(thermal=HEAT))
    assert model([], []) == []


BATCH = np.stack([RGB, RGB])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ({"rgb": BATCH}, r"rgb: a batch of 2 images, \(2, 48, 64, 3\); predict takes one, and pre"),
        ({"rgb": torch.stack([TENSOR] * 4)}, r"rgb: a batch of 4 images, \(4, 3, 48, 64\)"),
        ({"rgb": RGB, "thermal": np.stack([HEAT] * 2)}, r"thermal: a batch of 2 images"),
        ({"rgb": [RGB, RGB]}, r"rgb: a list of 2; predict takes one image, and predict_batch a li"),
        ({"rgb": HEAT}, "one channel: give a thermal image as thermal"),
        ({"rgb": RGB[..., :1]}, "one channel: give a thermal image as thermal"),
        (
            {"rgb": np.moveaxis(RGB, -1, 0)},
            r"first here; give x.transpose\(1, 2, 0\)",
        ),
        ({"rgb": np.dstack([RGB, HEAT])}, r"of four channels give x\[..., :3\] as rgb"),
        ({"rgb": RGB.astype(np.float32)}, "from 0 to 255; floats must lie in 0..1"),
        ({"rgb": TENSOR.float()}, "from 0 to 255; floats must lie in 0..1"),
        (
            {"rgb": RGB.astype(np.int64)},
            "int64 from 0 to 255; scale the values to 0..255",
        ),
        ({"rgb": RGB, "thermal": HEATED.float()}, "thermal: float32 values up to 255, deeper than"),
        ({"thermal": torch.rand(3, 48, 64)}, "must have one channel"),
        (
            {"rgb": "frame.png", "channels": "bgr"},
            'channels="bgr" is for arrays and tensors; a str',
        ),
        ({"rgb": Image.fromarray(RGB), "channels": "bgr"}, "a Image says the order itself"),
        ({"rgb": RGB, "channels": "grb"}, "channels is 'grb'; it must be rgb or bgr"),
        ({"rgb": b"png"}, "rgb: a bytes; give a path, a PIL image or a numpy array"),
        ({}, "no image was given"),
    ],
)
def test_what_is_no_pair_is_told_what_it_is(
    model: Predictor, images: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        model.predict(**images)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m([RGB], [HEAT, HEAT]), "1 RGB images, but 2 thermal ones"),
        (lambda m: m(RGB, [HEAT]), "rgb: one image with a list"),
        (lambda m: m([RGB], HEAT), "thermal: one image with a list"),
        (lambda m: m([RGB], "heat.png"), "thermal: one image with a list"),
        (lambda m: m.predict_batch([RGB]), r"takes pairs \(rgb, thermal\).* got a ndarray"),
        (lambda m: m.predict_batch(BATCH), "or call the model with two lists"),
        (lambda m: m.predict_batch([(RGB, HEAT), (HEAT, HEAT)]), "pair 1: rgb: must be"),
    ],
)
def test_what_is_no_batch_is_told_what_it_is(model: Predictor, call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call(model)


def test_a_range_of_two_numbers(trained: Path) -> None:
    model = samantic.load(trained, thermal_scaling=(27315, 31315))
    assert model.camera.scaling == Scaling("fixed", 27315.0, 31315.0)
    like = samantic.load(trained, thermal_scaling="27315,31315")
    raw = RNG.integers(28000, 31000, (48, 64)).astype(np.uint16)
    check_alike(model(RGB, raw), like(RGB, raw))
    for wrong in ((5, 2), (5,), 5, (1, 2, 3), (float("nan"), 3)):
        with pytest.raises(InputError, match="thermal scaling"):
            samantic.load(trained, thermal_scaling=wrong)  # type: ignore[arg-type]


def test_a_device_by_number(trained: Path) -> None:
    """The number of a GPU, which is refused where there is none."""
    if torch.accelerator.is_available():
        assert samantic.load(trained, device=0).device.index == 0
        return
    with pytest.raises(InputError, match="device 0: not there; this machine has cpu, and no GPU"):
        samantic.load(trained, device=0)
