"""What is deployed answers raw images as the Predictor does, and can be exported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import samantic
from samantic.config.scaling import parse_scaling
from samantic.data.camera import ALIGNED_8_BIT
from samantic.data.pairs import PairedFolder
from samantic.data.samples import read_pair
from samantic.data.thermal import RawThermal, scale_thermal
from samantic.models import SARTM
from samantic.predict.predictor import Predictor
from samantic.predict.scaling import scale_images
from samantic.scenes.write import write_scenes
from tests.helpers import info_of


def sensor_image(dtype: Any, size: tuple[int, int], kind: str) -> RawThermal:
    """A thermal image with hot and dead pixels in the middle, at the border and in a corner."""
    image = np.random.default_rng(1).normal(120, 12, size).astype(dtype)
    most = 250 if dtype == np.uint8 else 900
    image[3, 4] = image[0, 7] = image[-1, -1] = most
    image[0, 0] = image[8, 2] = 0
    if kind == "holes":
        image[5:9, 5:9] = np.nan
        image[0, 1], image[2, 0] = np.inf, -np.inf
    if kind == "nothing":
        image[:] = np.nan
    return image


KINDS = [(np.uint8, "plain"), (np.uint16, "plain"), *((np.float32, k) for k in ("plain", "holes"))]


@pytest.mark.parametrize("text", ["8-bit", "frame", "100,140", "0.5,250.25"])
@pytest.mark.parametrize(("dtype", "kind"), [*KINDS, (np.float32, "nothing")])
@pytest.mark.parametrize("size", [(16, 16), (37, 54)])
def test_scaling_is_that_of_numpy(dtype: Any, kind: str, text: str, size: tuple[int, int]) -> None:
    """To the bit, and of each image of a batch by itself."""
    images = [sensor_image(dtype, size, kind), sensor_image(dtype, size, "plain")[::-1].copy()]
    scaling, batch = parse_scaling(text), torch.from_numpy(np.stack(images))
    if text == "8-bit" and dtype != np.uint8:
        with pytest.raises(ValueError, match="thermal scaling 8-bit: the images are torch"):
            scale_images(batch, scaling)
        return
    found = scale_images(batch, scaling)
    assert (found.shape, found.dtype) == ((2, 1, *size), torch.float32)
    for image, result in zip(images, found[:, 0], strict=True):
        np.testing.assert_array_equal(result.numpy(), scale_thermal(image, scaling))


def test_counts_of_16_bits_may_come_as_int32() -> None:
    """Where a runtime knows no uint16."""
    image, scaling = sensor_image(np.uint16, (20, 30), "plain"), parse_scaling("frame")
    found = scale_images(torch.from_numpy(image.astype(np.int32))[None], scaling)
    assert torch.equal(found, scale_images(torch.from_numpy(image)[None], scaling))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, Any]]:
    """RGB and thermal of three generated scenes."""
    root = tmp_path_factory.mktemp("scenes")
    write_scenes(root, "pairs", {"test": range(3)}, seed=5, size=(90, 110))
    files = PairedFolder(root, classes=["a", "b"], labelled=False).files
    return [read_pair(one, ALIGNED_8_BIT) for one in files]


def counts_of(thermal: Any) -> Any:
    """Gray levels as a radiometric camera would count them, with a hot pixel."""
    counts = thermal.astype(np.uint16) * 40 + 27000
    counts[4, 5] = 65000
    return counts


def tensor(images: list[Any]) -> Tensor | None:
    return None if images[0] is None else torch.from_numpy(np.stack(images))


@pytest.mark.parametrize("given", ["both", "rgb", "thermal"])
@pytest.mark.parametrize("scaling", ["8-bit", "frame", "27500,36000"])
def test_it_equals_predict_to_the_pixel(
    pairs: list[tuple[Any, Any]], scaling: str, given: str
) -> None:
    model = samantic.load("nano", device="cpu", thermal_scaling=scaling)
    raw = [
        (
            None if given == "thermal" else rgb,
            None if given == "rgb" else thermal if scaling == "8-bit" else counts_of(thermal),
        )
        for rgb, thermal in pairs
    ]
    with torch.inference_mode():
        found = model.deployed(*map(tensor, map(list, zip(*raw))), probabilities=True)  # noqa: B905
    assert found.labels.dtype == torch.uint8
    for i, pair in enumerate(raw):
        expected = model.predict(*pair, probabilities=True)
        assert expected.probabilities is not None
        assert expected.probabilities.shape == (9, 90, 110)
        assert np.array_equal(found.labels[i].numpy(), expected.labels)
        np.testing.assert_allclose(found.confidence[i], expected.confidence, atol=1e-5)
        np.testing.assert_allclose(found.probabilities[i], expected.probabilities, atol=1e-5)
        assert np.array_equal(expected.probabilities.argmax(0), expected.labels)


@pytest.mark.parametrize("name", ["nano", "sartm-nano"])
def test_a_camera_that_is_not_present_has_no_influence(
    pairs: list[tuple[Any, Any]], name: str
) -> None:
    model = samantic.load(name, device="cpu")
    rgb, thermal = (tensor(list(images)) for images in zip(*pairs, strict=True))
    present = torch.tensor([[True, True], [True, False], [False, True]])
    with torch.inference_mode():
        found = model.deployed(rgb, thermal, present)
    for i, (colour, heat) in enumerate(pairs):
        here = (colour if present[i, 0] else None, heat if present[i, 1] else None)
        expected = model.predict(*here)
        agreement = (found.labels[i].numpy() == expected.labels).mean()
        assert agreement == 1


@pytest.mark.parametrize("fusion", ["rgb", "thermal"])
def test_a_network_of_one_camera_needs_no_other(
    make_network: Callable[..., SARTM], pairs: list[tuple[Any, Any]], fusion: str
) -> None:
    model = Predictor(make_network(fusion, classes=9), info_of(fusion), "cpu")
    rgb, thermal = pairs[0]
    raw = {
        "rgb": torch.from_numpy(rgb.copy())[None],
        "thermal": torch.from_numpy(thermal.copy())[None],
    }
    with torch.inference_mode():
        found = model.deployed(**{fusion: raw[fusion]})
        both = model.deployed(**raw)
    assert np.array_equal(found.labels[0].numpy(), model.predict(rgb, thermal).labels)
    assert torch.equal(found.labels, both.labels)
    with pytest.raises(ValueError, match=f"reads {fusion}: none was given"):
        model.deployed(**{name: x for name, x in raw.items() if name != fusion})


@pytest.mark.parametrize(
    ("name", "scaling", "size", "masked"),
    [
        ("nano", "frame", 64, False),
        ("nano", "8-bit", None, True),
        ("sartm-nano", "27500,36000", None, True),
    ],
)
def test_it_can_be_exported(
    pairs: list[tuple[Any, Any]], name: str, scaling: str, size: int | None, masked: bool
) -> None:
    """With any number of pairs: no branch depends on a value, and no resize is antialiased."""
    model = samantic.load(name, device="cpu", thermal_scaling=scaling, size=size)
    raw = [(c, h if scaling == "8-bit" else counts_of(h).astype(np.int32)) for c, h in pairs]
    rgb, thermal = (tensor(list(images)) for images in zip(*raw, strict=True))
    present = torch.tensor([[True, True], [True, False], [False, True]]) if masked else None
    batch = {0: torch.export.Dim("batch", min=1, max=64)}
    names = ("rgb", "thermal", "present")
    shapes = {n: None if n == "present" and not masked else batch for n in names}
    with torch.no_grad():
        arguments = (rgb, thermal, present)
        exported = torch.export.export(model.deployed, arguments, dynamic_shapes=shapes)
        part = tuple(None if x is None else x[1:] for x in arguments)
        found, expected = exported.module()(*part), model.deployed(*part)
    assert not [n for n in exported.graph.nodes if "_aa" in str(n.target)]
    assert (found.labels == expected.labels).float().mean() > 0.999
