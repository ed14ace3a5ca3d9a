from __future__ import annotations

import pytest
import torch

from samantic.distill.windows import cut_windows, stitch, window_starts
from samantic.errors import InputError


@pytest.mark.parametrize(
    ("width", "window", "expected"),
    [
        (2048, 1024, [0, 512, 1024, 1536]),
        (2048, 512, list(range(0, 2048, 256))),
        (100, 60, [0, 25, 50, 75]),
        (90, 60, [0, 30, 60]),
        (64, 64, [0]),
    ],
)
def test_windows_around_a_panorama(width: int, window: int, expected: list[int]) -> None:
    assert window_starts(width, window) == expected


@pytest.mark.parametrize("width", [40, 57, 101])
@pytest.mark.parametrize("window", [2, 7, 16, 33])
def test_neighbours_share_half_a_window(width: int, window: int) -> None:
    starts = window_starts(width, window)
    ends = [*starts[1:], starts[0] + width]
    steps = [right - left for left, right in zip(starts, ends, strict=True)]
    assert 1 <= min(steps) <= max(steps) <= -(-window // 2)


@pytest.mark.parametrize("window", [0, 1, 65])
def test_a_window_must_fit(window: int) -> None:
    with pytest.raises(InputError, match=f"window of {window} pixels: the image is 64 wide"):
        window_starts(64, window)


def test_cutting_goes_around_the_right_end() -> None:
    image = torch.arange(2 * 3 * 10).reshape(2, 3, 10)
    windows = cut_windows(image, [0, 5, 8], 6)
    assert windows.shape == (3, 2, 3, 6)
    for window, start in zip(windows, [0, 5, 8], strict=True):
        for x in range(6):
            assert torch.equal(window[..., x], image[..., (start + x) % 10])


def test_stitching_undoes_cutting() -> None:
    image = torch.rand(3, 4, 25)
    starts = window_starts(25, 10)
    torch.testing.assert_close(stitch(cut_windows(image, starts, 10), starts, 25), image)


def test_stitching_is_the_mean_of_a_loop() -> None:
    starts, window, width = [0, 4, 8], 7, 12
    parts = torch.rand(3, 2, 3, window, dtype=torch.float64, requires_grad=True)
    expected = torch.zeros(2, 3, width, dtype=torch.float64)
    for x in range(width):
        seen = [parts[i][..., (x - s) % width] for i, s in enumerate(starts) if (x - s) % width < 7]
        expected[..., x] = torch.stack(seen).mean(0)
    torch.testing.assert_close(stitch(parts, starts, width), expected)
    assert torch.autograd.gradcheck(lambda z: stitch(z, starts, width), parts)
    image = torch.rand(1, 2, width, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: cut_windows(z, starts, window), image)
