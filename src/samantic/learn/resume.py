"""Reading last.ckpt to resume a run; any other file is refused with one line."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import lightning as L  # L is the name that Lightning's documentation uses
import torch

from samantic.errors import InputError
from samantic.progress import tell

LAST, BEFORE = "last.ckpt", "previous.ckpt"
"""Files in a run folder: the last saved state of a training, and the one before it."""

KEEPER, FORMAT = "KeepRun", 2
"""The callback whose state in a checkpoint identifies it as ours and gives its format version: the
optimiser's groups and the order of the pairs are those of this version."""

ANEW = "give another --out to train anew"


def checkpoints(out: Path) -> list[Path]:
    """The states in a run folder from which it may be resumed, the last one first."""
    return [path for path in (out / LAST, out / BEFORE) if path.exists()]


def newest(out: Path, task: L.LightningModule) -> tuple[Path, int]:
    """The last undamaged state of a run and its number of steps; logs a line if it is an older one.

    Args:
        out: Run folder.
        task: The task to train.

    Raises:
        InputError: There is no state, or this run cannot continue from it.
    """
    paths = checkpoints(out)
    for path in paths[:-1]:
        try:
            _read(path)
        except InputError as error:
            steps = done_steps(paths[-1], task)
            tell(f"{str(error).removesuffix(ANEW)}{paths[-1]}, the one before, is taken")
            path.unlink()  # otherwise it would later be kept as the state before
            return paths[-1], steps
    path = paths[0] if paths else out / LAST
    return path, done_steps(path, task)


def done_steps(path: Path, task: L.LightningModule) -> int:
    """The number of steps of the run that is resumed.

    Only tensors and plain values are read.

    Args:
        path: last.ckpt.
        task: The task to train.

    Raises:
        InputError: The file is damaged, no checkpoint of this package, of another network, or of an
            older version.
    """
    content = _read(path)
    parts = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "callbacks", "global_step")
    kept: Any = isinstance(content, dict) and all(part in content for part in parts)
    kept = kept and content["callbacks"].get(KEEPER)
    if not kept:
        raise InputError(f"{path}: not the checkpoint of a run of samantic; {ANEW}")
    there, wanted = (_shapes(part) for part in (content, _state(task)))
    if there != wanted:
        other = sorted(there.items() ^ wanted.items())[0][0]
        raise InputError(f"{path}: of another network, which differs at {other}; {ANEW}")
    if kept.get("format") != FORMAT:
        raise InputError(
            f"{path}: written by another version of samantic, from which this one cannot continue; "
            f"{ANEW}, with train.start {path.parent} to keep its weights"
        )
    return int(content["global_step"])


def _read(path: Path) -> Any:
    """The content of a file that torch has saved: a zip file with a checksum of each part."""
    try:
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()
        if damaged is not None:
            raise ValueError(f"checksum of {damaged}")
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the readers raise many types for invalid bytes
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        raise InputError(f"{path}: damaged, cannot be resumed from ({reason}); {ANEW}") from None


def _state(task: L.LightningModule) -> dict[str, Any]:
    """The content of a checkpoint of this task."""
    content = {"state_dict": task.state_dict()}
    task.on_save_checkpoint(content)
    return content


def _shapes(content: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in content["state_dict"].items()}
