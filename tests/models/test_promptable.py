from __future__ import annotations

import pytest
import torch
from transformers import Sam2Model

from samantic.models import load_sam2
from samantic.models.encoders.encoder import normalise, position_grid
from samantic.models.encoders.sam2 import _random_config
from samantic.models.promptable import Masks, PromptableSAM


@pytest.fixture(scope="module")
def square() -> Sam2Model:
    """A SAM2 for images of 64x64, the only size that transformers' own forward takes."""
    config = _random_config("random-micro")
    config.vision_config.image_size = 64
    config.prompt_encoder_config.image_size = 64
    config.vision_config.backbone_feature_sizes = [[16, 16], [8, 8], [4, 4]]
    return Sam2Model(config).eval()


@torch.no_grad()
def test_equals_sam2_where_sam2_works(square: Sam2Model) -> None:
    images = torch.rand(2, 3, 64, 64)
    points = 64 * torch.rand(2, 3, 2, 2)
    labels = torch.tensor([1, 0]).expand(2, 3, 2)
    corner = 30 * torch.rand(2, 3, 2)
    boxes = torch.cat([corner, corner + 20], dim=2)
    ours = PromptableSAM(square)
    encoded = ours.encode(images)
    for prompt in ({"points": points, "labels": labels}, {"boxes": boxes}):
        expected = square(
            pixel_values=normalise(images),
            multimask_output=True,
            **{f"input_{name}": value for name, value in prompt.items()},
        )
        masks = ours.decode(encoded, **prompt)
        torch.testing.assert_close(masks.quality, expected.iou_scores)
        full = torch.nn.functional.interpolate(
            expected.pred_masks.flatten(0, 1), scale_factor=4.0, mode="bilinear"
        )
        torch.testing.assert_close(masks.logits.flatten(0, 1), full)


@pytest.mark.parametrize("size", [(64, 160), (96, 64), (80, 112)])
def test_a_click_lands_where_it_was_put(size: tuple[int, int]) -> None:
    """The embedding of a click on a cell's centre is that cell's place in the positional grid."""
    sam = PromptableSAM(load_sam2("random-micro"))
    features = sam.encode(torch.rand(1, 3, *size)).features
    grid = position_grid(sam.positional, features.semantic)[0]
    row, column = 2, 3
    middle = torch.tensor([[[[16 * column + 7.5, 16 * row + 7.5]]]])  # of pixels 0..15 of the cell
    scaled = sam._scale(middle, features)
    sparse, _ = sam.prompts(scaled, torch.ones(1, 1, 1, dtype=torch.int64), None, None)
    place = sparse[0, 0, 0] - sam.prompts.point_embed.weight[1]
    torch.testing.assert_close(place, grid[:, row, column], atol=1e-4, rtol=1e-4)


def test_any_size_and_both_kinds_of_prompt() -> None:
    sam = PromptableSAM(load_sam2("random-micro"))
    encoded = sam.encode(torch.rand(2, 3, 50, 70))
    masks = sam.decode(
        encoded,
        points=torch.full((2, 4, 1, 2), 20.0),
        boxes=torch.tensor([[[5.0, 5, 30, 30]] * 4] * 2),
    )
    assert masks.logits.shape == (2, 4, 3, 50, 70)
    assert masks.quality.shape == (2, 4, 3)
    assert ((masks.quality >= 0) & (masks.quality <= 1)).all()
    with pytest.raises(ValueError, match="give points, boxes or both"):
        sam.decode(encoded)


def test_best_takes_the_answer_of_the_highest_quality() -> None:
    quality = torch.rand(2, 3, 3)
    logits = torch.randn(2, 3, 3, 4, 5)
    chosen, best = Masks(logits, quality).best()
    for n in range(2):
        for p in range(3):
            assert best[n, p] == quality[n, p].max()
            assert torch.equal(chosen[n, p], logits[n, p, quality[n, p].argmax()])
