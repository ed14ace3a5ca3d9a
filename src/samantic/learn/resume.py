"""Reading last.ckpt, from which a run is resumed; any other file is refused in one line."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import lightning as L  # the name its documentation uses
import torch

from samantic.errors import InputError
from samantic.progress import tell

LAST, BEFORE = "last.ckpt", "previous.ckpt"
"""In a run folder: the state of a training, and the one that was kept before."""

KEEPER, FORMAT = "KeepRun", 2
"""Whose state in a checkpoint says that it is ours, and in which form: the optimiser's groups and
the order of the pairs are those of this version."""

ANEW = "give another --out to train anew"


def checkpoints(out: Path) -> list[Path]:
    """The states in a run folder from which it may be resumed, the last one first."""
    return [path for path in (out / LAST, out / BEFORE) if path.exists()]


def newest(out: Path, task: L.LightningModule) -> tuple[Path, int]:
    """The last whole state of a run, and the steps that it has done; a line if it is not the last.

    Args:
        out: Run folder.
        task: What is to be trained.

    Raises:
        InputError: There is none, or it is not one that this run can go on from.
    """
    paths = checkpoints(out)
    for path in paths[:-1]:
        try:
            _read(path)
        except InputError as error:
            steps = done_steps(paths[-1], task)
            tell(f"{str(error).removesuffix(ANEW)}{paths[-1]}, the one before, is taken")
            path.unlink()  # else it would become the one before
            return paths[-1], steps
    path = paths[0] if paths else out / LAST
    return path, done_steps(path, task)


def done_steps(path: Path, task: L.LightningModule) -> int:
    """The steps that a run has done which is to be resumed.

    Nothing but tensors and plain values is read.

    Args:
        path: last.ckpt.
        task: What is to be trained.

    Raises:
        InputError: The file is damaged, of something else, of another network, or of an older
            version.
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
    """The content of a file that torch has saved, a zip file with a checksum of each part."""
    try:
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()
        if damaged is not None:
            raise ValueError(f"checksum of {damaged}")
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the readers have many words for bytes that make no sense
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        raise InputError(f"{path}: damaged, cannot be resumed from ({reason}); {ANEW}") from None


def _state(task: L.LightningModule) -> dict[str, Any]:
    """What a checkpoint of this task would hold."""
    content = {"state_dict": task.state_dict()}
    task.on_save_checkpoint(content)
    return content


def _shapes(content: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in content["state_dict"].items()}
