"""A promptable SAM: masks for clicks or boxes, on images of any size.

SARTM starts from such a network; GoodSAM uses one for masks without classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from samantic.models.encoders.door import as_base
from samantic.models.encoders.encoder import (
    Base,
    encode_pyramid,
    position_grid,
    to_image,
)
from samantic.models.pyramid import Pyramid

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Encoded(NamedTuple):
    """An encoded batch of images, ready for prompts.

    Attributes:
        features: The pyramid of the padded images.
        size: Height and width of the images in pixels, before padding.
    """

    features: Pyramid
    size: tuple[int, int]


class Masks(NamedTuple):
    """Three masks for each prompt: a part, the object and the whole, in no fixed order.

    Attributes:
        logits: (N, P, 3, H, W); above 0 is inside.
        quality: (N, P, 3), the network's estimate of each mask's IoU.
    """

    logits: Tensor
    quality: Tensor

    def best(self) -> tuple[Tensor, Tensor]:
        """The mask of the highest quality: logits (N, P, H, W) and quality (N, P)."""
        quality, index = self.quality.max(dim=2)
        chosen = index[..., None, None, None].expand(-1, -1, 1, *self.logits.shape[-2:])
        return self.logits.gather(2, chosen).squeeze(2), quality


class PromptableSAM(nn.Module):
    """A SAM's image path: one encoding, then any number of prompts.

    SAM2's own prompt encoder divides coordinates by the side of a square image. Here x is scaled by
    the width and y by the height, so that a click lands at its place in a rectangular image.

    Args:
        sam: A base from `open_base`, or its network of transformers; its modules are used without a
            copy.

    Example:
        >>> sam = PromptableSAM(open_base("random-micro"))
        >>> encoded = sam.encode(torch.rand(1, 3, 48, 64))
        >>> sam.decode(encoded, points=torch.tensor([[[[20.0, 30.0]]]])).logits.shape
        torch.Size([1, 1, 3, 48, 64])
    """

    def __init__(self, sam: Base | PreTrainedModel) -> None:
        super().__init__()
        base = as_base(sam)
        self.encoder = base.encoder
        self.decoder: nn.Module = base.mask_decoder
        self.prompts: nn.Module = base.prompt_encoder
        self.positional: nn.Module = base.shared_image_embedding

    @property
    def stride(self) -> float:
        """Stride in pixels of the masks of `decode_coarse`."""
        return self.encoder.strides[0]

    @property
    def trained_size(self) -> int:
        """Longer side in pixels of its training images, according to its config.json."""
        return int(cast(Any, self.prompts.input_image_size))

    def encode(self, images: Tensor) -> Encoded:
        """Encode images.

        Args:
            images: (N, 3, H, W) in [0, 1].
        """
        height, width = images.shape[-2:]
        return Encoded(encode_pyramid(self.encoder, self.decoder, images), (height, width))

    def decode(
        self,
        encoded: Encoded,
        *,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes: Tensor | None = None,
    ) -> Masks:
        """Masks in pixels for P prompts on each image; `decode_coarse`, upsampled.

        Args:
            encoded: Result of `encode` for N images.
            points: (N, P, n, 2) pixels (x, y); n clicks belong to one prompt.
            labels: (N, P, n), 1 for a click on the object, 0 for a click outside it; None means all
                1.
            boxes: (N, P, 4) pixels (left, top, right, bottom).

        Raises:
            ValueError: Neither points nor boxes are given.
        """
        coarse = self.decode_coarse(encoded, points=points, labels=labels, boxes=boxes)
        logits = to_image(coarse.logits.flatten(0, 1), encoded.size, self.stride)
        return Masks(logits.reshape(*coarse.logits.shape[:3], *encoded.size), coarse.quality)

    def decode_coarse(
        self,
        encoded: Encoded,
        *,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes: Tensor | None = None,
    ) -> Masks:
        """Masks at `stride` for P prompts on each image, padding included; see `decode`.

        Raises:
            ValueError: Neither points nor boxes are given.
        """
        if points is None and boxes is None:
            raise ValueError("a prompt is a click or a box: give points, boxes or both")
        features = encoded.features
        if points is not None and labels is None:
            labels = torch.ones(points.shape[:-1], dtype=torch.int64, device=points.device)
        sparse, _ = self.prompts(
            None if points is None else self._scale(points, features),
            labels,
            None if boxes is None else self._corners(boxes, features),
            None,
        )
        masks, quality = self.decoder(
            image_embeddings=features.semantic,
            image_positional_embeddings=position_grid(self.positional, features.semantic),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=cast(Any, self.prompts.no_mask_embed).weight[:, :, None, None],
            multimask_output=True,
            high_resolution_features=[features.fine, features.intermediate],
        )[:2]
        return Masks(masks, quality)

    def _corners(self, boxes: Tensor, features: Pyramid) -> Tensor:
        return self._scale(boxes.view(*boxes.shape[:2], 2, 2), features).flatten(2)

    def _scale(self, points: Tensor, features: Pyramid) -> Tensor:
        """Scale pixels (..., 2) to the square image that the prompt encoder assumes."""
        height, width = features.semantic.shape[-2:]
        stride = self.encoder.strides[2]
        sides = torch.tensor([stride * width, stride * height], device=points.device)
        square: Any = self.prompts.input_image_size
        scaled: Tensor = (points + 0.5) * square / sides - 0.5
        return scaled
