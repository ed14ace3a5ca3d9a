"""The options of each network, one dataclass each, and how its encoder is adapted.

`network` is the tag that selects the dataclass of a mapping: `network: student` in a section
`model`. Training and distillation read the same dataclasses. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import InitVar, dataclass, field
from typing import Any, ClassVar, Literal, get_args

from samantic.config.options import Default, Options, hints
from samantic.errors import InputError

Fusion = Literal["paper", "figure", "average", "late", "rgb", "thermal"]
SegFormerFusion = Literal["early", "rgb", "thermal"]
TwoStreamFusion = Literal["two-stream", "early", "rgb", "thermal"]
StudentFusion = Literal[SegFormerFusion, TwoStreamFusion]
AnyFusion = Literal[Fusion, StudentFusion]
Auxiliary = Literal["fpn", "deeplab", "segformer", "none"]
Head = Literal["mask", "auxiliary", "mean"]
TestTime = Literal["flip", "scales", "all"]
Context = Literal["sum", "mean"]
Decoder = Literal["trained", "frozen"]
Method = Literal["lora", "full", "full-separate", "frozen"]

SHORT = "-short"
"""Suffix of a base without its last blocks, which halves the resolution after the first ones."""

EFFICIENTNETS = (
    "efficientnet-lite0",
    "efficientnet-lite1",
    "efficientnet-lite2",
    f"efficientnet-lite0{SHORT}",
)
"""Bases of a student whose ImageNet weights are in packages, the extra imagenet."""


@dataclass(frozen=True)
class NetworkConfig(Options, section="model"):
    """The options that all networks share.

    Attributes:
        methods: The ways to adapt it, the default first.
        structure: Keys that must be equal in a trained model from which a training starts.
    """

    methods: ClassVar[tuple[Method, ...]] = get_args(Method)
    structure: ClassVar[tuple[str, ...]] = ("network", "base", "fusion")

    within: InitVar[str | None] = field(default=None, kw_only=True)
    """Name of the section in messages; in a distillation, a student's section is `student`."""

    def __post_init__(self, within: str | None) -> None:
        object.__setattr__(self, "section", within or type(self).section)
        super().__post_init__()

    def starts_from(self, key: str, theirs: object) -> bool:
        """Whether training may start from a model that has this other value of a key."""
        return bool(getattr(self, key) == theirs)


@dataclass(frozen=True)
class SartmConfig(NetworkConfig, section="model"):
    """The network SARTM: SAM2 or SAM3, adapted to two modalities.

    Args:
        network: Which network: sartm here.
        base: SAM2 to start from: a hub id such as facebook/sam2.1-hiera-tiny, a local folder with
            the same files, sam-nano (a small one that comes with the package), efficientnet-lite0
            (ImageNet's weights in its trunk alone, extra imagenet), or random-nano, random-mini,
            random-micro (built-in, without weights). Or the tracker of SAM3: a hub id or a local
            folder.
        fusion: How the two modalities are fused: paper (FRM + FFM + weighted average), figure (the
            heads see the weighted average, FRM + FFM serve the language distillation alone),
            average (weights only), late (decode each, average the logits), rgb or thermal (one
            modality).
        auxiliary: Auxiliary segmentation head: fpn (the paper's), deeplab, segformer or none.
        decoder: Whether the mask decoder's two-way transformer is trained or, as in the paper,
            frozen.
        prediction: Which head predicts at inference; mean averages the two heads' probabilities.
        context: Whether FFM's context is a sum over all pixels, as in the paper, whose softmax is
            sharper the larger the image is, or their mean.
    """

    structure = (*NetworkConfig.structure, "auxiliary", "context")

    network: Literal["sartm"] = field(default="sartm", kw_only=True)
    base: str = "facebook/sam2.1-hiera-base-plus"
    fusion: AnyFusion = field(default="paper", metadata={"wanted": Fusion})
    auxiliary: Auxiliary = "fpn"
    decoder: Decoder = "trained"
    prediction: Head = "mask"
    context: Context = "sum"

    def broken(self) -> Iterator[str]:
        yield from _misfit(self, "fusion", self.fusion, get_args(Fusion))


@dataclass(frozen=True)
class StudentConfig(NetworkConfig, section="model"):
    """A student: a compact network, trained in full, with one head.

    Args:
        network: Which network: student here.
        base: What to start from: a SegFormer (a hub id such as nvidia/mit-b0, a local folder, or
            segformer-b0, -b1, -b2, -tiny, -micro without weights) or, with ImageNet's weights
            (extra imagenet), efficientnet-lite0, -lite1, -lite2, or efficientnet-lite0-short, its
            first two thirds at half the resolution, with less than a million parameters.
        fusion: What it reads: early (RGB and thermal as four channels), two-stream (one
            EfficientNet for each), rgb or thermal.
    """

    methods = ("full",)
    auxiliary: ClassVar[Auxiliary] = "none"
    decoder: ClassVar[Decoder] = "trained"
    prediction: ClassVar[Head] = "mask"
    context: ClassVar[Context] = "sum"

    network: Literal["student"] = field(default="student", kw_only=True)
    base: str = "segformer-b0"
    fusion: AnyFusion = field(
        default=None,  # type: ignore[arg-type]  # by the base
        metadata={"wanted": StudentFusion, "default": "two-stream on an EfficientNet, else early"},
    )

    def __post_init__(self, within: str | None) -> None:
        if self.fusion is None:
            streams = str(self.base) in EFFICIENTNETS
            object.__setattr__(self, "fusion", "two-stream" if streams else "early")
        super().__post_init__(within)

    def broken(self) -> Iterator[str]:
        fusions: Any = TwoStreamFusion if self.base in EFFICIENTNETS else SegFormerFusion
        yield from _misfit(self, "fusion", self.fusion, get_args(fusions))

    def starts_from(self, key: str, theirs: object) -> bool:
        """One encoder can start from two encoders, a short one from a whole one."""
        shorter = key == "base" and self.base == f"{theirs}{SHORT}"
        one_stream = key == "fusion" and (theirs, self.fusion) == ("two-stream", "early")
        return shorter or one_stream or super().starts_from(key, theirs)


ModelConfig = SartmConfig | StudentConfig
"""The options of one network or another."""


_LORA: Any = Default("lora")


@dataclass(frozen=True)
class AdaptConfig(Options, section="adapt"):
    """How the image encoder is adapted. In YAML, `adapt: full` is short for `{method: full}`.

    Args:
        method: lora (frozen trunk, adapters on q and v per modality), full (one trainable trunk for
            both modalities), full-separate (one trainable trunk for each) or frozen.
        rank: Rank r of the low-rank updates.
        alpha: The updates are scaled by alpha / rank; null means alpha = rank.
        shared: Use one set of LoRA updates for both modalities (lora only). The paper has one each,
            the authors' released code one for both.
        random_ok: Allow lora and frozen on a base without pretrained weights (useful for tests
            only).
    """

    method: Method = _LORA
    rank: int = 16
    alpha: float | None = None
    shared: bool = False
    random_ok: bool = False


def adapt_misfit(model: ModelConfig, adapt: AdaptConfig) -> Iterator[str]:
    """The error if a network does not support a way to adapt it."""
    yield from _misfit(model, "adapt.method", adapt.method, model.methods)


def refuse_adapt(model: ModelConfig, adapt: AdaptConfig) -> None:
    """Refuse a way to adapt a network that the network does not support.

    Raises:
        InputError: The network does not support it.
    """
    for wrong in adapt_misfit(model, adapt):
        raise InputError(wrong)


def own_options(kind: type[Any], values: dict[str, Any], section: str) -> dict[str, Any]:
    """The options of a network, without values that are constants for it.

    An option of one network may be a constant of another, such as a student's head. Files of older
    versions contain such constants.

    Args:
        kind: The network's dataclass.
        values: Options by key.
        section: The key of the section, for messages.

    Raises:
        InputError: A key is no option, or a constant has another value.
    """
    own = {key: value for key, value in values.items() if key in hints(kind)}
    for key in values.keys() - own.keys():
        if not hasattr(kind, key):
            raise InputError(f"{section}.{key} is no option of {section}.network {kind.network}")
        model = kind(**own, within=section)
        for wrong in _misfit(model, key, values[key], (getattr(kind, key),)):
            raise InputError(wrong)
    return own


def _misfit(model: ModelConfig, key: str, value: object, choices: tuple[str, ...]) -> Iterator[str]:
    """The error if a value is not among a network's choices; a key without a dot is the model's."""
    if value not in choices:
        name = key if "." in key else f"{model.section}.{key}"
        yield (
            f"{name} {value} does not fit {model.section}.network {model.network} on "
            f"{model.base}, which takes {', '.join(choices)}"
        )
