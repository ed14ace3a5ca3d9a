"""Networks of transformers: loaded completely, or drawn at random."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
import transformers
from torch import nn

from samantic.errors import InputError

Model = TypeVar("Model", bound=transformers.PreTrainedModel)


def load_pretrained(kind: type[Model], base: str, **options: Any) -> tuple[Model, set[str]]:
    """Load a network in float32.

    Args:
        kind: Its class.
        base: Hub id or local folder.
        options: Further ones of `from_pretrained`.

    Returns:
        The network, and the names of its tensors that the base lacks or has in another shape; it is
        for the caller to refuse these, transformers' warnings of them are silenced.

    Raises:
        OSError: The base cannot be reached or read.
        ValueError: It is no network of this class.
    """
    with quietly(bars=not Path(base).is_dir()):
        loaded: Any = kind.from_pretrained(
            base,
            output_loading_info=True,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            **options,
        )
    model, report = loaded
    return model, set(report["missing_keys"]) | {key for key, *_ in report["mismatched_keys"]}


@contextmanager
def quietly(*, bars: bool) -> Iterator[None]:
    """Silence transformers' warnings, and its progress bars unless there are files to wait for.

    Args:
        bars: Whether there are, as from a hub.
    """
    settings: Any = transformers.logging  # some of its functions have no types
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
        InputError: It lacks some.
    """
    if missing:
        raise InputError(
            f"base {base}: {len(missing)} tensors are missing or have another shape, first "
            f"{min(missing)}; give a complete {example}"
        )


def reset_weights(model: nn.Module) -> None:
    """Draw weights anew by PyTorch's own rules, which suit training from scratch.

    transformers draws every weight with deviation 0.02, meant to be overwritten by a checkpoint:
    through convolutions that no norm follows, signals would vanish.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            module.reset_parameters()
