from __future__ import annotations

import pytest
import torch

from samantic.config import AugmentConfig
from samantic.data.augment import Photometric, RandomCrop, modality_dropout
from samantic.data.loading import collate
from samantic.data.pairs import Sample


def sample(height: int = 60, width: int = 80) -> Sample:
    """Every image encodes the labels, so that a different geometry would show."""
    labels = torch.randint(0, 9, (height // 10, width // 10)).repeat_interleave(10, 0)
    labels = labels.repeat_interleave(10, 1)
    code = labels.float() / 10
    return Sample("x", code.expand(3, -1, -1).clone(), code[None].clone(), labels)


@pytest.mark.parametrize("crop", [(32, 32), (48, 64), (64, 96)])
@pytest.mark.parametrize("scale", [(0.5, 2.0), (1.0, 1.0)])
def test_images_and_labels_move_together(crop: tuple[int, int], scale: tuple[float, float]) -> None:
    transform = RandomCrop(AugmentConfig(crop=crop, scale=scale))
    for _ in range(20):
        out = transform(sample())
        assert out.rgb is not None
        assert out.thermal is not None
        assert out.labels is not None
        assert out.rgb.shape == (3, *crop)
        assert out.labels.shape == crop
        assert not (out.labels == 255).any()
        code = out.labels.float() / 10
        for image in (out.rgb[0], out.thermal[0]):  # equal but for the seams between blocks
            assert ((image - code).abs() < 0.02).float().mean() > 0.6
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


def test_magnification_covers_its_range() -> None:
    windows = []
    transform = RandomCrop(AugmentConfig(crop=(32, 32), scale=(0.5, 2.0)))
    for _ in range(500):
        _, _, h, w = transform._window(100, 100)
        assert h == w
        windows.append(32 / h)
    assert 0.49 < min(windows) < 0.55
    assert 1.85 < max(windows) <= 2.0
    middle = torch.tensor(windows).log().mean()
    assert abs(float(middle)) < 0.1  # log-uniform around 1


def test_photometric_changes_each_modality_in_its_own_way() -> None:
    config = AugmentConfig(modality_dropout=0.0, thermal_noise=0.0, blur=0.0)
    batch = collate([sample()._replace(thermal=torch.rand(1, 60, 80)) for _ in range(16)])
    out = Photometric(config)(batch)
    for image, before in ((out.rgb, batch.rgb), (out.thermal, batch.thermal)):
        assert image.min() >= 0
        assert image.max() <= 1
        assert not torch.equal(image, before)
    assert torch.equal(out.labels, batch.labels)
    assert out.present.all()
    inside = (out.thermal > 0) & (out.thermal < 1)
    for i in range(16):  # gain and offset: an affine function of the values
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
