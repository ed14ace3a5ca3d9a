"""Sizes of SegFormer, without the network itself."""

from __future__ import annotations

from dataclasses import dataclass

from samantic.errors import InputError

MOST_WIDTH, MOST_BLOCKS, MOST_PARAMETERS = 4096, 64, 300_000_000
"""Largest values of a SegFormer: channels, blocks in a stage, and parameters; its B5 has 512, 40
and 85 million."""


@dataclass(frozen=True)
class SegFormerShape:
    """Sizes of a SegFormer, per stage of its encoder; `decoder` is the width of its MLP decoder.

    Stages have strides 4, 8, 16 and 32. The attention of a stage reads keys and values at a
    resolution reduced by `reductions`.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    heads: tuple[int, ...]
    decoder: int
    reductions: tuple[int, ...] = (8, 4, 2, 1)

    def __post_init__(self) -> None:
        """Refuse sizes before memory is allocated for them.

        Raises:
            InputError: They are no whole numbers for four stages, or too large.
        """
        stages = (self.widths, self.depths, self.heads, self.reductions)
        sizes = [size for part in (*stages, (self.decoder,)) for size in part]
        if (
            any(type(size) is not int or not 0 < size <= MOST_WIDTH for size in sizes)
            or any(len(part) != 4 for part in stages)
            or max(self.depths) > MOST_BLOCKS
            or any(width % heads for width, heads in zip(self.widths, self.heads, strict=True))
            or sum(12 * d * w**2 for d, w in zip(self.depths, self.widths, strict=True))
            > MOST_PARAMETERS
        ):
            raise InputError(
                "sizes that no SegFormer has: it has four stages of widths that its heads divide, "
                f"up to {MOST_BLOCKS} blocks each and {MOST_PARAMETERS // 10**6} million parameters"
            )


HEADS = (1, 2, 5, 8)
SEGFORMERS = {
    "segformer-b2": SegFormerShape((64, 128, 320, 512), (3, 4, 6, 3), HEADS, 768),
    "segformer-b1": SegFormerShape((64, 128, 320, 512), (2, 2, 2, 2), HEADS, 256),
    "segformer-b0": SegFormerShape((32, 64, 160, 256), (2, 2, 2, 2), HEADS, 256),
    "segformer-tiny": SegFormerShape((16, 32, 80, 128), (2, 2, 2, 2), HEADS, 128),
    "segformer-micro": SegFormerShape((8, 16, 24, 32), (1, 1, 1, 1), (1, 2, 3, 4), 32),
}
"""Layouts with random weights: the paper's b0 to b2 (3.7, 13.7 and 27.4 M parameters at 19
classes), tiny with half of b0's widths (0.9 M), micro for tests (below 0.1 M)."""
