from __future__ import annotations

import itertools

import pytest
import torch

from samantic.distill.windows import cut_window, cut_windows, plan_windows, stitch, window_starts
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
    cut = plan_windows(window, (40, width))
    assert cut.corners == [(0, left) for left in expected]
    assert (cut.window, cut.size, cut.wrap) == ((40, window), (40, width), True)


@pytest.mark.parametrize(
    ("height", "window", "expected"),
    [
        (64, 64, [0]),
        (64, 32, [0, 16, 32]),
        (100, 60, [0, 20, 40]),
        (100, 67, [0, 33]),
        (10, 2, list(range(9))),
    ],
)
def test_rows_of_windows(height: int, window: int, expected: list[int]) -> None:
    cut = plan_windows((window, 10), (height, 20))
    assert cut.tops == expected
    assert cut.corners == [(top, left) for top in expected for left in (0, 5, 10, 15)]
    assert cut.window == (window, 10)


@pytest.mark.parametrize("width", [40, 57, 101])
@pytest.mark.parametrize("window", [2, 7, 16, 33])
def test_neighbours_share_half_a_window(width: int, window: int) -> None:
    starts = window_starts(width, window)
    ends = [*starts[1:], starts[0] + width]
    steps = [right - left for left, right in zip(starts, ends, strict=True)]
    assert 1 <= min(steps) <= max(steps) <= -(-window // 2)
    tops = plan_windows((window, 2), (width, 2)).tops  # upright, between two edges
    assert (tops[0], tops[-1]) == (0, width - window)
    steps = [below - above for above, below in itertools.pairwise(tops)]
    assert 1 <= min(steps) <= max(steps) <= -(-window // 2)


@pytest.mark.parametrize("window", [0, 1, 65])
def test_a_window_must_fit(window: int) -> None:
    with pytest.raises(InputError, match=f"window of {window} pixels: the image is 64 wide"):
        window_starts(64, window)
    with pytest.raises(InputError, match=f"a height of {window} pixels: the image is 64 high"):
        plan_windows((window, 20), (64, 128))


@pytest.mark.parametrize("corner", [(0, 0), (1, 5), (2, 8)])
def test_cutting_goes_around_the_right_end(corner: tuple[int, int]) -> None:
    image = torch.arange(2 * 3 * 10).reshape(2, 3, 10)
    window = cut_window(image, corner, (1, 6))
    assert window.shape == (2, 1, 6)
    for x in range(6):
        assert torch.equal(window[:, 0, x], image[:, corner[0], (corner[1] + x) % 10])


@pytest.mark.parametrize("window", [None, 10, (4, 10), (7, 13)])
def test_stitching_undoes_cutting(window: int | tuple[int, int] | None) -> None:
    image = torch.rand(3, 9, 25)
    cut = plan_windows(window, (9, 25))
    parts = cut_windows(image, cut)
    assert parts.shape == (len(cut.corners), 3, *cut.window)
    torch.testing.assert_close(stitch(parts, cut), image)


def test_stitching_is_the_mean_of_a_loop() -> None:
    cut = plan_windows((3, 7), (4, 12))
    parts = torch.rand(8, 2, 3, 7, dtype=torch.float64, requires_grad=True)
    expected = torch.zeros(2, 4, 12, dtype=torch.float64)
    for y in range(4):
        for x in range(12):
            seen = [
                part[:, y - top, (x - left) % 12]
                for part, (top, left) in zip(parts, cut.corners, strict=True)
                if 0 <= y - top < 3 and (x - left) % 12 < 7
            ]
            expected[:, y, x] = torch.stack(seen).mean(0)
    torch.testing.assert_close(stitch(parts, cut), expected)
    assert torch.autograd.gradcheck(lambda z: stitch(z, cut), parts)
    image = torch.rand(1, 4, 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: cut_windows(z, cut), image)
