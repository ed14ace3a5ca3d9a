"""A compact network that starts from ImageNet weights, which need no model hub.

Each modality has its own EfficientNet-Lite, like the two encoders of RTFNet (Sun et al., RA-L
2019), or one encoder reads both as four channels. Features are fused at every stage, and a U-Net
decoder reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samantic.config.networks import SHORT, TwoStreamFusion
from samantic.errors import SizeError
from samantic.models.encoders.efficientnet import GRAY, LiteEncoder, imagenet_weights
from samantic.models.encoders.norms import BatchNorm
from samantic.models.network import (
    CHANNELS,
    MODALITIES,
    Network,
    Output,
    presence_of,
    put_back,
    taken,
)
from samantic.models.pyramid import Pyramid


class Widths(NamedTuple):
    """Widths of a decoder.

    Attributes:
        fused: Widths of the fused features at strides 4, 8, 16 and 32.
        decoder: Widths of the decoder at strides 4, 8 and 16.
    """

    fused: tuple[int, ...]
    decoder: tuple[int, ...]


FULL = Widths((64, 96, 128, 160), (96, 96, 128))
NARROW = Widths((32, 48, 64, 96), (48, 64, 64))

DROP = 0.1
"""Dropout rate of the features before the classifier in training."""

SMALLEST = STRIDE = 32
"""Smallest height and width in pixels, the encoder's stride. Images are padded to multiples of it;
otherwise, maps of different strides would not be aligned with each other."""


class TwoStream(Network):
    """An EfficientNet-Lite for each modality, fused at every stage, or one for both.

    Features of an image that is missing or not present are 0, and so are its channels if it shares
    an encoder. A hidden image therefore has no influence on the output, on batch statistics or on
    gradients.

    Args:
        base: One of `EFFICIENTNETS`; a short one has a narrow decoder.
        num_classes: Number of classes K.
        fusion: `two-stream`, `early` (RGB and thermal as four channels), `rgb` or `thermal`.
        pretrained: Whether to start from ImageNet weights.

    Raises:
        InputError: The packages of the base are not installed.

    Example:
        >>> network = TwoStream("efficientnet-lite0", num_classes=9)
        >>> network(torch.rand(1, 3, 61, 80), torch.rand(1, 1, 61, 80)).logits.shape
        torch.Size([1, 9, 61, 80])
    """

    parts: ClassVar = {
        "encoders": "encoders",
        "fuse": "fusion",
        "decoder": "heads",
        "classifier": "heads",
    }

    def __init__(
        self,
        base: str,
        num_classes: int,
        *,
        fusion: TwoStreamFusion = "two-stream",
        pretrained: bool = True,
    ) -> None:
        layout = NARROW if base.endswith(SHORT) else FULL
        modalities = MODALITIES if fusion in ("two-stream", "early") else (fusion,)
        super().__init__(fusion, modalities, num_classes, layout.fused[2])
        weights = imagenet_weights(base) if pretrained else None
        streams = {"early": 4} if fusion == "early" else dict.fromkeys(modalities, 3)
        encoders = {name: LiteEncoder(base, weights, streams[name]) for name in streams}
        self.encoders = nn.ModuleDict(encoders)
        widths = next(iter(encoders.values())).widths
        self.fuse = nn.ModuleList(
            _convolution(width * len(streams), out, 1)
            for width, out in zip(widths[1:], layout.fused, strict=True)
        )
        skips, deeper = layout.fused[:-1], (*layout.decoder[1:], layout.fused[-1])
        self.decoder = nn.ModuleList(
            _convolution(below + skip, out, 3)
            for below, skip, out in zip(deeper, skips, layout.decoder, strict=True)
        )
        self.classifier = nn.Sequential(
            nn.Dropout2d(DROP), nn.Conv2d(layout.decoder[0], num_classes, 1)
        )

    def forward(
        self,
        rgb: Tensor | None = None,
        thermal: Tensor | None = None,
        present: Tensor | None = None,
        *,
        single_modality: bool = False,
    ) -> Output:
        """Segment a batch of pairs; see `Network.forward`. The features are the fused maps.

        Raises:
            SizeError: The images are too small.
            ValueError: A shape does not fit, or no given image is one that the variant reads.
        """
        images = self.select(rgb, thermal)
        size = next(iter(images.values())).shape[-2:]
        if min(size) < SMALLEST:
            raise SizeError(
                f"images must have at least {SMALLEST}x{SMALLEST} pixels, got "
                f"{size[0]}x{size[1]}; enlarge them"
            )
        present = presence_of(images, present)
        images = {name: _padded(image) for name, image in images.items()}
        encoded = self._encode(images, present)
        logits, features = self._decode(encoded, self._any(present), size)
        singles = []
        for name in images if single_modality and len(images) == 2 else ():
            one = {name: encoded[name]} if name in encoded else None
            itself = present & present.new_tensor([m == name for m in MODALITIES])
            one = one or self._encode({name: images[name]}, itself)
            singles.append((self._decode(one, self._any(itself), size)[0], None))
        return Output(logits, None, features, tuple(singles))

    def class_parts(self, index: int) -> Iterator[tuple[str, int | None]]:
        yield "classifier.1.weight", index
        yield "classifier.1.bias", index

    def inherited(self, source: Network) -> dict[str, Tensor]:
        """The state of a network with this structure, or converted from one with two encoders.

        See `one_stream`. If the decoder has other widths, as that of a short encoder has, only the
        encoder's state is returned.
        """
        state = source.state_dict()
        if self.fusion_name != source.fusion_name:
            state = one_stream(state)
        first = "fuse.0.0.weight"
        if state[first].shape == self.state_dict()[first].shape:
            return state
        return {name: tensor for name, tensor in state.items() if name.startswith("encoders.")}

    def _any(self, present: Tensor) -> Tensor:
        """Which pairs have an image that this variant reads, (N,) bool."""
        return present[:, [MODALITIES.index(name) for name in self.modalities]].any(1)

    def _encode(self, images: dict[str, Tensor], present: Tensor) -> dict[str, list[Tensor]]:
        """The maps of each encoder that has an input; 0 for pairs without an image for it.

        Hidden images are not computed, so they are not part of the batch statistics.
        """
        encoded = {}
        for encoder_name, encoder in self.encoders.items():
            if encoder_name == "early":
                rows = self._any(present)
                maps = encoder(*(self._take(x, rows) for x in _four_channels(images, present)))
            elif encoder_name in images:
                rows = present[:, MODALITIES.index(encoder_name)]
                maps = self.encoded(encoder_name, self._take(images[encoder_name], rows), encoder)
            else:
                continue
            encoded[encoder_name] = [self._put_back(level, rows) for level in maps]
        return encoded

    def _decode(
        self, encoded: dict[str, list[Tensor]], rows: Tensor, size: torch.Size
    ) -> tuple[Tensor, Pyramid]:
        """Logits (N, K, H, W), and the fused maps at strides 4, 8 and 16; 0 except for `rows`.

        The maps have the size of the padded images, the logits that of the images.
        """
        like = next(iter(encoded.values()))
        nothing = [torch.zeros_like(level) for level in like]
        streams = [encoded.get(name, nothing) for name in self.encoders]
        maps = [
            fuse(self._take(torch.cat(levels, dim=1), rows))
            for fuse, *levels in zip(self.fuse, *(maps[1:] for maps in streams), strict=True)
        ]
        x = maps[-1]
        for skip, mix in zip(reversed(maps[:-1]), reversed(self.decoder), strict=True):
            x = F.interpolate(x, skip.shape[-2:], mode="bilinear")
            x = mix(torch.cat([x, skip], dim=1))
        height, width = (STRIDE * side for side in maps[-1].shape[-2:])
        logits = F.interpolate(self.classifier(x), (height, width), mode="bilinear")
        logits = logits[..., : size[0], : size[1]]
        fused = Pyramid(*(self._put_back(level, rows) for level in maps[:3]))
        return self._put_back(logits, rows), fused

    def _take(self, x: Tensor, rows: Tensor) -> Tensor:
        """The rows of (N, ...) that go through the layers: in training only those that are set.

        Batch statistics are then computed from these rows only. At inference there are no batch
        statistics. All rows go through, the others as 0, and no branch depends on the rows, so that
        the network can be exported.
        """
        return taken(x, rows) if self.training else self._blanked(x, rows)

    def _put_back(self, x: Tensor, rows: Tensor) -> Tensor:
        """Put the results back to (N, ...), with 0 where `rows` is not set."""
        return put_back(x, rows) if self.training else self._blanked(x, rows)

    def _blanked(self, x: Tensor, rows: Tensor) -> Tensor:
        """(N, ...), 0 where `rows` is not set."""
        kept = rows[:, None, None, None]
        if x.dtype == torch.bool:  # ONNX Runtime has no `Where` for bool
            return x & kept
        return torch.where(kept, x, x.new_zeros(()))


@torch.no_grad()
def one_stream(trained: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of a student with one encoder for both cameras, from one with two encoders.

    Both encoders were trained from the same weights, so their features still have a similar
    meaning. The RGB encoder is kept and gets a fourth channel in its first convolution. The layers
    that fused both encoders' features then read its features only:

        W' = [3/4 W_rgb, 1/4 Σ_c W_thermal,c],    V' = V_rgb + V_thermal

    for the first convolution W and the 1x1 convolutions V that fuse. If the encoders are equal and
    both cameras show one gray image, the output does not change.

    Args:
        trained: State of a `TwoStream` with the fusion two-stream.
    """
    state = {}
    for name, tensor in trained.items():
        if name.startswith("encoders.thermal."):
            continue
        if name == "encoders.rgb.stem.weight":
            thermal = trained["encoders.thermal.stem.weight"].sum(1, keepdim=True)
            tensor = torch.cat([0.75 * tensor, 0.25 * thermal], dim=1)
        elif name.startswith("fuse.") and name.endswith(".0.weight"):
            tensor = torch.stack(tensor.chunk(2, dim=1)).sum(0)
        state[name.replace("encoders.rgb.", "encoders.early.")] = tensor
    return state


def _padded(images: Tensor) -> Tensor:
    """Pad images (N, C, H, W) with gray below and at the right to multiples of `STRIDE`."""
    height, width = images.shape[-2:]
    return F.pad(images, (0, -width % STRIDE, 0, -height % STRIDE), value=GRAY)


def _four_channels(images: dict[str, Tensor], present: Tensor) -> tuple[Tensor, Tensor]:
    """RGB and thermal as (N, 4, H, W), and which channels to use, (N, 4, 1, 1) bool."""
    first = next(iter(images.values()))
    parts, here = [], []
    for column, name in enumerate(MODALITIES):
        channels = CHANNELS[name]
        nothing = first.new_zeros(1, 1, 1, 1).expand(first.shape[0], channels, *first.shape[-2:])
        parts.append(images.get(name, nothing))
        seen = present[:, column] if name in images else torch.zeros_like(present[:, column])
        here.append(seen[:, None].expand(-1, channels))
    return torch.cat(parts, dim=1), torch.cat(here, dim=1)[..., None, None]


def _convolution(inputs: int, outputs: int, size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False),
        BatchNorm(outputs),
        nn.ReLU(inplace=True),
    )
