from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from samantic.config import AugmentConfig
from samantic.config.read import read_config
from samantic.data.crop import Crop, RandomCrop, crop_sample
from samantic.data.samples import Sample
from samantic.errors import InputError

ROOT = Path(__file__).parents[2]


def sample(height: int = 60, width: int = 80) -> Sample:
    """Every image encodes the labels, so that a different geometry would show."""
    labels = torch.randint(0, 9, (height // 10, width // 10)).repeat_interleave(10, 0)
    labels = labels.repeat_interleave(10, 1)
    code = labels.float() / 10
    return Sample(
        "x", {"rgb": code.expand(3, -1, -1).clone(), "thermal": code[None].clone()}, labels
    )


@pytest.mark.parametrize("crop", [(32, 32), (48, 64), (64, 96), (100, 40)])
@pytest.mark.parametrize("scale", [(0.5, 2.0), (1.0, 1.0), (0.6, 0.8)])
@pytest.mark.parametrize("zoom", ["image", "crop"])
def test_images_and_labels_move_together(
    crop: tuple[int, int], scale: tuple[float, float], zoom: str
) -> None:
    transform = RandomCrop(AugmentConfig(crop=crop, scale=scale, zoom=zoom))
    for _ in range(10):
        whole = sample()
        out = transform(whole)
        assert out.rgb is not None
        assert out.thermal is not None
        assert out.labels is not None
        assert whole.thermal is not None
        assert out.rgb.shape == (3, *crop)
        assert out.labels.shape == crop
        inside = out.labels != 255
        code = out.labels.float() / 10
        for image in (out.rgb[0], out.thermal[0]):  # equal but for the seams between blocks
            assert ((image - code).abs() < 0.02)[inside].float().mean() > 0.3
            outside = image[~inside]
            torch.testing.assert_close(outside, whole.thermal.mean().expand_as(outside))
        assert torch.equal(out.rgb[0], out.thermal[0])


def test_unscaled_crop_is_exact_and_flips_half_of_the_time() -> None:
    whole = sample(40, 60)
    transform = RandomCrop(AugmentConfig(crop=(40, 60), scale=(1.0, 1.0)))
    flips = 0
    for _ in range(200):
        out = transform(whole)
        assert out.labels is not None
        assert whole.labels is not None
        straight, mirrored = whole.labels, whole.labels.flip(-1)
        flips += int(torch.equal(out.labels, mirrored))
        assert torch.equal(out.labels, straight) or torch.equal(out.labels, mirrored)
    assert 70 < flips < 130


@pytest.mark.parametrize("crop", [(32, 32), (100, 100), (160, 160)])
def test_magnification_is_the_configured_range_for_every_crop(crop: tuple[int, int]) -> None:
    """Its lower end is not raised where the crop then shows more than the image."""
    found = []
    transform = RandomCrop(AugmentConfig(crop=crop, scale=(0.5, 2.0)))
    for _ in range(500):
        window = transform.draw(100, 100)
        assert window.height == window.width
        found.append(crop[0] / window.height)
    assert 0.49 < min(found) < 0.55
    assert 1.85 < max(found) < 2.04
    assert abs(float(torch.tensor(found).log().mean())) < 0.1  # log-uniform around 1


def test_magnification_relative_to_the_crop_is_that_of_the_lineage() -> None:
    """MFNet's 480x640 with a crop of 800: 0.83 to 3.33, uniform; evaluation at 800 is 1.67."""
    transform = RandomCrop(AugmentConfig(crop=(800, 800), scale=(0.5, 2.0), zoom="crop"))
    found = torch.tensor([800 / transform.draw(480, 640).height for _ in range(500)])
    assert 0.83 <= found.min() < 0.86
    assert 3.25 < found.max() < 3.35
    assert abs(float(found.mean()) - 1.25 * 800 / 480) < 0.1


def test_what_lies_outside_is_where_it_should_be() -> None:
    """A window of twice the image's size, by hand: half the result is image, in its place."""
    whole = Sample("x", {"rgb": torch.rand(3, 20, 30)}, torch.randint(0, 9, (20, 30)))
    out = crop_sample(whole, Crop(-10, -20, 40, 60, (40, 60), False))
    assert out.rgb is not None
    assert out.labels is not None
    assert torch.equal(out.rgb[:, 10:30, 20:50], whole.rgb)
    assert torch.equal(out.labels[10:30, 20:50], whole.labels)
    assert int((out.labels == 255).sum()) == 40 * 60 - 20 * 30
    assert torch.equal(out.labels[10:30, 20:50], whole.labels)
    half = crop_sample(whole, Crop(-10, -20, 40, 60, (20, 30), True))
    assert half.labels is not None
    assert torch.equal((half.labels != 255).nonzero().min(0).values, torch.tensor([5, 5]))
    assert int((half.labels != 255).sum()) == 10 * 15
    assert out.thermal is None


def test_padding_is_the_mean_of_each_channel() -> None:
    means = torch.tensor([0.2, 0.5, 0.8])
    image = (means[:, None, None] + 0.1 * torch.rand(3, 20, 30)).clamp(0, 1)
    out = Crop(-10, -20, 40, 60, (40, 60), False).smooth(image)
    for channel in range(3):
        torch.testing.assert_close(out[channel, 0, 0], image[channel].mean())


@pytest.mark.parametrize("size", [(6, 8), (18, 30), (12, 16)])
def test_labels_are_those_under_the_middle_of_a_pixel(size: tuple[int, int]) -> None:
    """Pixel i of n shows the label at (i + 1/2) / n of the window, in either direction."""
    labels = torch.arange(9 * 12).view(9, 12)
    window = labels[1:, 2:10]
    rows, columns = (
        [math.floor((i + 0.5) * whole / n) for i in range(n)]
        for n, whole in zip(size, window.shape, strict=True)
    )
    found = Crop(1, 2, 8, 8, size, False).nearest(labels)
    assert torch.equal(found, window[rows][:, columns])


@pytest.mark.parametrize("first", [-1, -3, -7, -9, -13])
def test_the_image_begins_at_the_nearest_pixel(first: int) -> None:
    """A window of 20 pixels brought to 5, whose image begins and ends between two of them."""
    image = torch.ones(1, 14, 14)
    rows = Crop(first, 0, 20, 14, (5, 14), False).nearest(image)[0, :, 0]
    begin, stop = (math.floor(5 * (edge - first) / 20 + 0.5) for edge in (0, 14))
    expected = [float(begin <= i < stop) for i in range(5)]
    assert rows.tolist() == expected


def test_places_cover_all_that_a_window_can_show() -> None:
    """Corners of the image are seen as often inside a small window as around a large one."""
    small = RandomCrop(AugmentConfig(crop=(32, 32), scale=(1.0, 1.0)))
    tops = {small.draw(35, 40).top for _ in range(200)}
    assert tops == {0, 1, 2, 3}
    large = RandomCrop(AugmentConfig(crop=(35, 35), scale=(1.0, 1.0)))
    assert {large.draw(32, 35).top for _ in range(200)} == {0, -1, -2, -3}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": (0.05, 1.0)}, "would be less than 16 pixels high or wide; set its lower end to"),
        ({"scale": (1.0, 20.0)}, "would show less than 2 pixels in a crop; set its upper end to"),
        ({"scale": (0.1, 1.0), "zoom": "crop"}, "would be less than 16 pixels high or wide"),
    ],
)
def test_a_magnification_that_leaves_nothing_is_refused(
    options: dict[str, object], message: str
) -> None:
    transform = RandomCrop(AugmentConfig(crop=(32, 32), **options))
    with pytest.raises(InputError, match=message) as caught:
        transform.draw(240, 320)
    cure = float(str(caught.value).split("end to ")[1].split(" ")[0])  # the line brings its cure
    scale = list(transform.config.scale)
    scale[0 if "lower" in str(caught.value) else 1] = cure
    fixed = AugmentConfig(crop=(32, 32), scale=tuple(scale), zoom=transform.config.zoom)
    RandomCrop(fixed).draw(240, 320)


def test_paper_presets_follow_their_lineage_value_by_value() -> None:
    """DELIVER's augmentation (arXiv 2303.01480) with the crops of the released configuration."""
    for name, side in (("mfnet", 800), ("pst900", 1280), ("fmb", 800)):
        config = read_config(ROOT / "configs" / f"{name}_paper.yaml")
        expected = AugmentConfig(
            crop=(side, side),
            scale=(0.5, 2.0),
            zoom="crop",
            flip=0.5,
            color=0.5,
            hue=0.0,
            color_probability=0.2,
            blur=0.2,
            blur_size=3,
            blur_sigma=(0.8, 0.8),
            thermal_gain=0.0,
            thermal_noise=0.0,
            misalign=0,
            modality_dropout=0.0,
        )
        assert config.augment == expected
        assert config.data.eval_size == side
        text = (ROOT / "configs" / f"{name}_paper.yaml").read_text()
        block = text.split("augment:")[1].split("text:")[0].splitlines()
        for line in block[1:-4]:  # every value of the lineage names its source
            assert "#" in line, line


def test_masks_are_false_outside() -> None:
    crop = Crop(-4, -4, 16, 16, (16, 16), False)
    masks = torch.ones(2, 8, 8, dtype=torch.bool)
    out = crop.nearest(masks)
    assert out.dtype == torch.bool
    assert int(out.sum()) == 2 * 64
    assert math.prod(out.shape) == 2 * 256
