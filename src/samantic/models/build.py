"""Build networks from their options."""

from __future__ import annotations

from typing import cast

from samantic.config.networks import (
    EFFICIENTNETS,
    AdaptConfig,
    Fusion,
    ModelConfig,
    SartmConfig,
    SegFormerFusion,
    StudentConfig,
    TwoStreamFusion,
    refuse_adapt,
)
from samantic.errors import InputError
from samantic.models.encoders.bases import is_random
from samantic.models.network import Network
from samantic.models.students.shapes import SegFormerShape


def build(
    model: ModelConfig,
    adapt: AdaptConfig,
    classes: int,
    *,
    shape: SegFormerShape | None = None,
    trained: bool = False,
) -> Network:
    """Build a network on its base, or a trained student from its shape.

    A network's module is imported when it is built: transformers takes seconds to import, and nano
    does not need it.

    Args:
        model: The network's options.
        adapt: How its encoder is adapted.
        classes: Number of classes K.
        shape: Sizes of a trained student, as in `Network.shape`; None reads its base.
        trained: Whether trained weights will replace those of the base.

    Raises:
        InputError: The base cannot be loaded, or has no weights for the adaptation to start from,
            or `adapt` does not fit the network.
    """
    refuse_adapt(model, adapt)
    match model:
        case SartmConfig():
            return _sartm(model, adapt, classes)
        case StudentConfig(base=base) if base in EFFICIENTNETS:
            from samantic.models.students.two_stream import TwoStream

            streams = cast(TwoStreamFusion, model.fusion)
            return TwoStream(base, classes, fusion=streams, pretrained=not trained)
        case StudentConfig():
            from samantic.models.students.segformer import Student

            fusion = cast(SegFormerFusion, model.fusion)
            return Student(shape or model.base, classes, fusion=fusion)


def _sartm(model: SartmConfig, adapt: AdaptConfig, classes: int) -> Network:
    if is_random(model.base) and adapt.method in ("lora", "frozen") and not adapt.random_ok:
        raise InputError(
            f"adapt {adapt.method} on base {model.base}: a frozen random network cannot learn; "
            "use --adapt full, a base with weights, or --adapt.random-ok if you mean it"
        )
    from samantic.models.encoders.door import open_base
    from samantic.models.sartm import SARTM

    return SARTM(
        open_base(model.base),
        classes,
        fusion=cast(Fusion, model.fusion),
        auxiliary=model.auxiliary,
        decoder=model.decoder,
        context=model.context,
        adapt=adapt,
    )
