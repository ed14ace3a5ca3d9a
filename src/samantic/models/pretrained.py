"""Networks of transformers: loaded completely, or initialised at random."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from torch import nn

from samantic.errors import InputError
from samantic.files import MIB, read_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Model = TypeVar("Model", bound="PreTrainedModel")

FOREIGN = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    RuntimeError,
    SafetensorError,
    StrictDataclassError,
    TypeError,
    ValueError,
)
"""Exceptions that transformers raises for files that are not those of a network."""

MOST_LAYERS, MOST_SIZE = 256, 1_000_000
"""Largest values in a config.json: number of layers, and any whole number such as a vocabulary."""

MOST_WIDTH = 16384
"""The largest width of a layer that a config.json may ask for."""


def load_pretrained(kind: type[Model], base: str, **options: Any) -> tuple[Model, set[str]]:
    """Load a network in float32.

    Args:
        kind: Its class.
        base: Hub id or local folder.
        options: Further options of `from_pretrained`.

    Returns:
        The network, and the names of the tensors that the base lacks or has in another shape. The
        caller must refuse them, since transformers' warnings are silenced.

    Raises:
        OSError: The base cannot be reached or read.
        ValueError: It is no network of this class.
    """
    check_folder(base)
    try:
        with quietly(bars=not Path(base).is_dir()):
            loaded: Any = kind.from_pretrained(
                base,
                output_loading_info=True,
                dtype=torch.float32,
                ignore_mismatched_sizes=True,
                **options,
            )
    except FOREIGN as error:
        raise ValueError(f"its files are no network ({type(error).__name__})") from None
    model, report = loaded
    return model, set(report["missing_keys"]) | {key for key, *_ in report["mismatched_keys"]}


def check_folder(base: str) -> None:
    """Refuse excessive sizes in a local folder before memory is allocated, and quantised weights.

    Raises:
        ValueError: config.json has sizes beyond those of any network, or weights are integers.
    """
    config = Path(base) / "config.json"
    if config.is_file():
        _check_sizes(read_json(config, MIB), "")
    for path in Path(base).glob("*.safetensors") if Path(base).is_dir() else ():
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118  # a safetensors file is not iterable
                kind = file.get_slice(name).get_dtype()
                if name.endswith(("weight", "bias")) and kind[0] not in "BF":
                    raise ValueError(f"{path.name} holds weights as {kind}, not as floats")


def _check_sizes(value: Any, key: str) -> None:
    if isinstance(value, dict):
        for name, part in value.items():
            _check_sizes(part, name)
    elif isinstance(value, list):
        for part in value:
            _check_sizes(part, key)
    elif isinstance(value, int):
        layers = any(word in key for word in ("layers", "blocks_per", "depths"))
        width = any(word in key for word in ("hidden", "dim", "channels", "intermediate"))
        most = MOST_LAYERS if layers else MOST_WIDTH if width else MOST_SIZE
        if value > most:
            raise ValueError(f"config.json has {key[:40]} above {most}")


@contextmanager
def quietly(*, bars: bool) -> Iterator[None]:
    """Silence transformers' warnings, and its progress bars unless `bars` is set.

    Args:
        bars: Whether to show progress bars, for downloads from a hub.
    """
    import transformers

    settings: Any = transformers.logging  # some of its functions have no type annotations
    verbosity, shown = settings.get_verbosity(), settings.is_progress_bar_enabled()
    settings.set_verbosity(logging.ERROR)
    if not bars:
        settings.disable_progress_bar()
    try:
        yield
    finally:
        settings.set_verbosity(verbosity)
        if shown:
            settings.enable_progress_bar()


def refuse_incomplete(base: str, missing: set[str], example: str) -> None:
    """Refuse a base that lacks tensors.

    Raises:
        InputError: Tensors are missing.
    """
    if missing:
        raise InputError(
            f"base {base}: {len(missing)} tensors are missing or have another shape, first "
            f"{min(missing)}; give a complete {example}"
        )


def reset_weights(model: nn.Module) -> None:
    """Initialise weights by PyTorch's own rules, which suit training from scratch.

    transformers draws every weight with standard deviation 0.02, since a checkpoint overwrites
    them. Signals would vanish in convolutions without a norm.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            module.reset_parameters()
