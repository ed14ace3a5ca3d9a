from __future__ import annotations

import torch
import torch.nn.functional as F

from samantic.config import AugmentConfig
from samantic.data.augment import Photometric, modality_dropout
from samantic.data.loading import collate
from samantic.data.samples import Sample


def sample(height: int = 60, width: int = 80) -> Sample:
    """Every image encodes the labels, so that a different geometry would show."""
    labels = torch.randint(0, 9, (height // 10, width // 10)).repeat_interleave(10, 0)
    labels = labels.repeat_interleave(10, 1)
    code = labels.float() / 10
    return Sample(
        "x", {"rgb": code.expand(3, -1, -1).clone(), "thermal": code[None].clone()}, labels
    )


def test_photometric_changes_each_modality_in_its_own_way() -> None:
    config = AugmentConfig(modality_dropout=0.0, thermal_noise=0.0, blur=0.0)
    batch = collate([sample()] * 16).changed(thermal=torch.rand(16, 1, 60, 80))
    out = Photometric(config)(batch)
    for image, before in ((out.rgb, batch.rgb), (out.thermal, batch.thermal)):
        assert image.min() >= 0
        assert image.max() <= 1
        assert not torch.equal(image, before)
    assert torch.equal(out.labels, batch.labels)
    assert out.present.all()
    inside = (out.thermal > 0) & (out.thermal < 1)
    for i in range(16):  # contrast and level: an affine function of the values
        x, y = batch.thermal[i][inside[i]], out.thermal[i][inside[i]]
        slope = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
        assert 0.8 <= slope <= 1.2
        torch.testing.assert_close(y, y.mean() + slope * (x - x.mean()), atol=1e-4, rtol=0)


def test_no_photometric_change_where_all_strengths_are_zero() -> None:
    config = AugmentConfig(color=0, blur=0, thermal_gain=0, thermal_noise=0, modality_dropout=0)
    batch = collate([sample() for _ in range(3)])
    out = Photometric(config)(batch)
    torch.testing.assert_close(out.rgb, batch.rgb)
    torch.testing.assert_close(out.thermal, batch.thermal)


def test_modality_dropout_frequencies() -> None:
    present = modality_dropout(torch.ones(20000, 2, dtype=torch.bool), 0.1)
    assert present.any(dim=1).all()
    for modality in range(2):
        assert 0.09 < (~present[:, modality]).float().mean() < 0.11
    one = torch.tensor([[True, False]]).repeat(1000, 1)
    assert torch.equal(modality_dropout(one, 0.5), one)


def dark(mean: float) -> torch.Tensor:
    """(16, 3, 60, 80) of a night scene: a mean of 0..1 and a small deviation."""
    return (mean + 0.02 * torch.randn(16, 3, 60, 80)).clamp(0.004, 1)


def test_colour_changes_multiply_so_that_dark_images_stay_as_they_are_but_for_a_factor() -> None:
    """Up to 40 % of a mean of 0.06 is 0.024; added brightness moved it by up to 0.4."""
    batch = collate([sample()] * 16).changed(rgb=dark(0.06))
    config = AugmentConfig(
        color=0.4, hue=0.0, color_probability=1.0, blur=0, thermal_gain=0, thermal_noise=0
    )
    ratios = []
    for _ in range(10):
        out = Photometric(config)(batch).rgb
        ratios += (out.mean((1, 2, 3)) / batch.rgb.mean((1, 2, 3))).tolist()
        at_the_ends = ((out <= 0) | (out >= 1)).float().mean((1, 2, 3))
        assert at_the_ends.max() < 0.05
    assert 0.58 < min(ratios) < 0.7
    assert 1.3 < max(ratios) < 1.42


def test_thermal_level_moves_within_the_room_that_an_image_leaves() -> None:
    """A cold night uses a small part of the range: none of it is cut off, and levels do move."""
    batch = collate([sample()] * 16).changed(thermal=dark(0.25)[:, :1])
    config = AugmentConfig(color=0, blur=0, thermal_gain=0.3, thermal_noise=0)
    means = []
    for _ in range(10):
        out = Photometric(config)(batch).thermal
        assert ((out <= 0) | (out >= 1)).float().mean() < 0.001
        means += out.mean((1, 2, 3)).tolist()
    assert 0.17 < min(means) < 0.19  # 0.25 - 0.3 * 0.25
    assert 0.45 < max(means) < 0.48  # 0.25 + 0.3 * 0.75


def test_thermal_noise_is_normal_with_a_deviation_of_its_own_for_each_image() -> None:
    """On flat images, where nothing else changes: mean 0, deviations uniform up to the largest."""
    flat = torch.full((200, 1, 60, 80), 0.5)
    batch = collate([sample()] * 200).changed(thermal=flat)
    config = AugmentConfig(color=0, blur=0, thermal_gain=0, thermal_noise=0.1)
    noise = (Photometric(config)(batch).thermal - 0.5).double()
    deviations = noise.std((1, 2, 3))
    assert (noise.mean((1, 2, 3)).abs() < 5 * deviations / 4800**0.5 + 1e-6).all()
    assert 0.04 < deviations.mean() < 0.06
    assert deviations.min() < 0.01
    assert 0.09 < deviations.max() < 0.105
    widest = noise[deviations.argmax()]
    share = (widest.abs() < deviations.max()).double().mean()
    assert 0.65 < share < 0.71, "68 % lie within one deviation"


def test_thermal_is_shifted_by_whole_pixels_each_image_by_its_own() -> None:
    """By -1, 0 or 1 rows and columns, all nine alike often; the border is repeated."""
    thermal = torch.rand(1, 1, 6, 8).expand(180, -1, -1, -1)
    batch = collate([sample()])._replace(
        images={"rgb": torch.rand(180, 3, 6, 8), "thermal": thermal},
        present=torch.ones(180, 2, dtype=torch.bool),
    )
    config = AugmentConfig(color=0, blur=0, thermal_gain=0, thermal_noise=0, misalign=1)
    out = Photometric(config)(batch)
    assert torch.equal(out.rgb, batch.rgb)
    around = F.pad(thermal[:1], (1, 1, 1, 1), mode="replicate")
    views = [around[..., y : y + 6, x : x + 8] for y in range(3) for x in range(3)]
    alike = torch.stack([(out.thermal - view).abs().amax((1, 2, 3)) < 1e-5 for view in views])
    assert (alike.sum(0) == 1).all()
    assert alike.sum(1).min() > 5


def test_colour_probability_and_hue_are_those_that_are_configured() -> None:
    batch = collate([sample()] * 16).changed(rgb=torch.rand(16, 3, 60, 80))
    never = AugmentConfig(color=0.4, color_probability=0.0, blur=0)
    torch.testing.assert_close(Photometric(never)(batch).rgb, batch.rgb)
    gray = batch.changed(rgb=torch.rand(16, 1, 60, 80).expand(-1, 3, -1, -1))
    colourful = batch.changed(
        rgb=torch.tensor([0.9, 0.1, 0.1]).view(1, 3, 1, 1).expand(16, 3, 60, 80)
    )
    no_hue = AugmentConfig(color=0.4, hue=0.0, color_probability=1.0, blur=0)
    out = Photometric(no_hue)(colourful).rgb
    torch.testing.assert_close(out[:, 1], out[:, 2])  # red stays red
    assert not torch.equal(out, colourful.rgb)
    out = Photometric(no_hue)(gray).rgb
    torch.testing.assert_close(out[:, 0], out[:, 1])
    turned = Photometric(AugmentConfig(color=0.0, hue=0.3, color_probability=1.0, blur=0))
    out = turned(colourful).rgb
    assert (out[:, 1] - out[:, 2]).abs().max() > 0.1


def test_blur_has_the_configured_kernel() -> None:
    """A point spreads over the kernel, and not beyond."""
    point = torch.zeros(1, 3, 15, 15)
    point[..., 7, 7] = 1.0
    batch = collate([sample()]).changed(rgb=point)
    config = AugmentConfig(color=0, blur=1.0, blur_size=3, blur_sigma=(0.8, 0.8))
    out = Photometric(config)(batch).rgb[0, 0]
    assert (out > 0).nonzero().min(0).values.tolist() == [6, 6]
    assert (out > 0).nonzero().max(0).values.tolist() == [8, 8]
    g = torch.exp(-torch.tensor([1.0, 0.0, 1.0]) / (2 * 0.8**2))
    torch.testing.assert_close(out[6:9, 6:9], torch.outer(g, g) / g.sum() ** 2)
