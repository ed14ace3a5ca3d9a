"""SARTM: SAM2 for RGB-thermal semantic segmentation (arXiv 2505.01950)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor, nn

from samantic.config.networks import AdaptConfig, Auxiliary, Context, Fusion, Head
from samantic.data.sensors import SENSORS
from samantic.models.auxiliary import build_auxiliary
from samantic.models.encoders.door import as_base
from samantic.models.encoders.encoder import (
    Base,
    Encoder,
    encode_pyramid,
    frozen_view,
    to_image,
)
from samantic.models.encoders.lora import Adapter, add_lora
from samantic.models.fusion import PyramidFusion, ScaleFusion
from samantic.models.heads import MaskHead
from samantic.models.network import MODALITIES, Network, Output, presence_of
from samantic.models.pyramid import Pyramid

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class SARTM(Network):
    """Two views of a frozen SAM2 encoder, feature fusion, a mask head and an auxiliary head.

    Args:
        sam: A base from `open_base`, or its network of transformers; its encoder is adapted in
            place, its decoder is copied.
        num_classes: Number of classes K.
        fusion: `paper`, `figure`, `average`, `late`, `rgb` or `thermal`. A variant builds only the
            modules that it uses.
        auxiliary: `fpn`, `deeplab`, `segformer` or `none`.
        decoder: Whether the mask decoder's two-way transformer is `trained` or `frozen`.
        adapt: How the encoder is adapted.
        context: Whether FFM's context is a `sum` over the pixels or their `mean`.

    Raises:
        InputError: The encoder of the base has no layers that `adapt` can adapt.

    Example:
        >>> network = SARTM(open_base("random-micro"), num_classes=9, adapt=AdaptConfig("full"))
        >>> network(torch.rand(1, 3, 60, 80), torch.rand(1, 1, 60, 80)).logits.shape
        torch.Size([1, 9, 60, 80])
    """

    parts: ClassVar = {
        "encoders": "encoders",
        "fusion": "fusion",
        "pooled_fusion": "fusion",
        "mask_head": "heads",
        "auxiliary_head": "heads",
    }

    def __init__(
        self,
        sam: Base | PreTrainedModel,
        num_classes: int,
        *,
        fusion: Fusion = "paper",
        auxiliary: Auxiliary = "fpn",
        decoder: Literal["trained", "frozen"] = "trained",
        adapt: AdaptConfig | None = None,
        context: Context = "sum",
    ) -> None:
        base = as_base(sam)
        strides, width = base.encoder.strides, base.encoder.widths[2]
        modalities = (fusion,) if fusion in MODALITIES else MODALITIES
        heads: tuple[Head, ...] = ("mask", "auxiliary", "mean")
        heads = ("mask",) if auxiliary == "none" else heads
        super().__init__(fusion, modalities, num_classes, width, heads, stride=int(strides[2]))
        self.finest = strides[0]
        self.mask_head = MaskHead(base, num_classes, train_transformer=decoder == "trained")
        self.auxiliary_head = build_auxiliary(auxiliary, width, num_classes)
        self.fusion = (
            PyramidFusion(width, exchange=fusion == "paper", context=context)
            if fusion in ("paper", "figure", "average")
            else None
        )
        self.pooled_fusion = (
            ScaleFusion(width, 4, exchange=True, context=context) if fusion == "figure" else None
        )
        self.encoders = _adapted_encoders(base.encoder, self.modalities, adapt or AdaptConfig())
        if base.reloadable:
            self.learnt = frozenset(n for n, p in self.named_parameters() if p.requires_grad)

    def forward(
        self,
        rgb: Tensor | None = None,
        thermal: Tensor | None = None,
        present: Tensor | None = None,
        *,
        single_modality: bool = False,
    ) -> Output:
        """Segment a batch of pairs; see `Network.forward`.

        Raises:
            ValueError: A shape does not fit, or no given image is one that the variant reads.
        """
        images = self.select(rgb, thermal)
        size = next(iter(images.values())).shape[-2:]
        images, present = _hide(images, present)
        pyramids = self._encode(images)
        fused = self._fuse(pyramids, present)
        late, both = self.fusion_name == "late", len(pyramids) == 2
        decoded = pyramids.values() if both and (late or single_modality) else ()
        singles = tuple(self._heads(pyramid, size) for pyramid in decoded)
        if late and both:
            logits, auxiliary = _average_heads(singles, present)
        else:
            logits, auxiliary = self._heads(fused, size)
        features = self._pooled(fused, pyramids, present)
        return Output(logits, auxiliary, features, singles if single_modality else ())

    def encode(self, modality: str, images: Tensor) -> Pyramid:
        """Encode (N, C, H, W) images in [0, 1] of one modality, C = 1 or 3, into its pyramid."""
        colour = SENSORS[modality].as_colour(images)
        encoder: Encoder = self.encoders[modality]  # type: ignore[assignment]
        decoder = self.mask_head.decoder
        return self.encoded(modality, colour, lambda x: encode_pyramid(encoder, decoder, x))

    def merge(self) -> None:
        """Fold all LoRA updates into the weights that they adapt; `unmerge` reverses it."""
        for module in self.modules():
            if isinstance(module, Adapter):
                module.merge()

    def unmerge(self) -> None:
        """Undo `merge`, exactly."""
        for module in self.modules():
            if isinstance(module, Adapter):
                module.unmerge()

    def class_parts(self, index: int) -> Iterator[tuple[str, int | None]]:
        """A mask token, an MLP and an output of the auxiliary head; token and MLP 0 are SAM2's."""
        yield "mask_head.decoder.mask_tokens.weight", index + 1
        prefix = f"mask_head.decoder.output_hypernetworks_mlps.{index + 1}."
        for name in self.state_dict():
            if name.startswith(prefix):
                yield name, None
        if self.auxiliary_head is not None:
            yield "auxiliary_head.classify.weight", index
            yield "auxiliary_head.classify.bias", index

    def _encode(self, images: dict[str, Tensor]) -> dict[str, Pyramid]:
        """Encode the modalities: in one pass if they share an encoder, otherwise one by one."""
        if len(images) == 2 and self.encoders["rgb"] is self.encoders["thermal"]:
            thermal = images["thermal"].expand_as(images["rgb"])
            both = self.encode("rgb", torch.cat([images["rgb"], thermal]))
            halves = [level.chunk(2) for level in both]
            return {name: Pyramid(*(h[i] for h in halves)) for i, name in enumerate(MODALITIES)}
        return {name: self.encode(name, image) for name, image in images.items()}

    def _fuse(self, pyramids: dict[str, Pyramid], present: Tensor) -> Pyramid:
        if len(pyramids) == 1:
            return next(iter(pyramids.values()))
        rgb, thermal = pyramids["rgb"], pyramids["thermal"]
        if self.fusion is not None:
            fused: Pyramid = self.fusion(rgb, thermal, present)
            return fused
        return Pyramid(*(_average([a, b], present) for a, b in zip(rgb, thermal, strict=True)))

    def _pooled(self, fused: Pyramid, pyramids: dict[str, Pyramid], present: Tensor) -> Pyramid:
        """The pyramid for class vectors; the variant `figure` uses FRM and FFM only here."""
        if self.pooled_fusion is None or len(pyramids) == 1:
            return fused
        maps = (pyramids[name].semantic for name in MODALITIES)
        return fused._replace(semantic=self.pooled_fusion(*maps, present))

    def _heads(self, features: Pyramid, size: torch.Size) -> tuple[Tensor, Tensor | None]:
        """Logits of both heads at the image's size."""
        logits = to_image(self.mask_head(features), size, self.finest)
        if self.auxiliary_head is None:
            return logits, None
        return logits, to_image(self.auxiliary_head(features), size, self.finest)


def _adapted_encoders(
    encoder: Encoder, modalities: tuple[str, ...], adapt: AdaptConfig
) -> nn.ModuleDict:
    """One encoder per modality; shared parts are one object under two names."""
    match adapt.method:
        case "lora":
            views = [frozen_view(encoder) for _ in range(1 if adapt.shared else len(modalities))]
            for view in views:
                add_lora(view, adapt.rank, adapt.alpha)
            encoders = dict(zip(modalities, 2 * views, strict=False))
        case "frozen":
            encoders = dict.fromkeys(modalities, encoder.requires_grad_(False))
        case "full":
            encoders = dict.fromkeys(modalities, encoder)
        case "full-separate":
            encoders = {name: copy.deepcopy(encoder) for name in modalities}
    for view in encoders.values():
        view.freeze_constants()
    return nn.ModuleDict(encoders)


def _hide(images: dict[str, Tensor], present: Tensor | None) -> tuple[dict[str, Tensor], Tensor]:
    """Set absent images to 0; return the images and which are present, (N, 2) bool."""
    left = presence_of(images, present)
    if present is None:
        return images, left
    here = {name: present[:, i, None, None, None] for i, name in enumerate(MODALITIES)}
    return {name: torch.where(here[name], image, 0.0) for name, image in images.items()}, left


def _average_heads(
    singles: tuple[tuple[Tensor, Tensor | None], ...], present: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Late fusion: the mean of the modalities' logits, head by head."""
    masks = [mask for mask, _ in singles]
    auxiliaries = [auxiliary for _, auxiliary in singles if auxiliary is not None]
    return _average(masks, present), _average(auxiliaries, present) if auxiliaries else None


def _average(maps: list[Tensor], present: Tensor) -> Tensor:
    """Mean of an RGB and a thermal map (N, C, h, w) over the modalities that each pair has."""
    weights = present / present.sum(dim=1, keepdim=True).clamp(min=1)
    both = torch.stack(maps, dim=1)
    return (weights[:, :, None, None, None].to(both.dtype) * both).sum(dim=1)
