"""Open a base by its name, whatever family of encoders it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samantic.errors import InputError
from samantic.models.encoders.bases import SHIPPED_BASES, is_random
from samantic.models.encoders.encoder import Base, Family
from samantic.models.hub import locate

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def open_base(name: str) -> Base:
    """Open a pre-trained base of any family.

    Args:
        name: A hub id, a local folder, or the name of a built-in or shipped base.

    Raises:
        InputError: The base cannot be reached or read, or lacks a tensor.
    """
    family = _family(_model_type(name))
    return family.parts(family.load(name))


def as_base(sam: Base | PreTrainedModel) -> Base:
    """The parts of a network of transformers; its modules are used without a copy."""
    return sam if isinstance(sam, Base) else _family(sam.config.model_type).parts(sam)


def _family(model_type: Any) -> Family:
    """The family of a `model_type` in a config.json; SAM2's loader reports unknown ones."""
    match model_type:
        case "sam3_tracker" | "sam3_tracker_video" | "sam3_video":
            from samantic.models.encoders.sam3 import SAM3

            return SAM3
        case _:
            from samantic.models.encoders.sam2 import SAM2

            return SAM2


def _model_type(name: str) -> Any:
    """The `model_type` in config.json of a base; None if it cannot be read."""
    if is_random(name) or name in SHIPPED_BASES or name.startswith("random-"):
        return None
    from transformers import PretrainedConfig

    try:
        values, _ = PretrainedConfig.get_config_dict(locate(name, "base", ""))
    except (InputError, OSError, ValueError):  # SAM2's loader reports the error
        return None
    return values.get("model_type")
