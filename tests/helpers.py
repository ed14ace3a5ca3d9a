"""What several tests do alike: tiny configurations, teachers, and runs that are cut off."""

from __future__ import annotations

import io
import runpy
import sys
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from samantic.config import AdaptConfig, SartmConfig
from samantic.data import CATALOG
from samantic.models.students.segformer_parts import build_segformer
from samantic.predict.info import ModelInfo


def write_changed(path: Path, values: dict[str, Any], changes: dict[str, Any]) -> Path:
    """Write values as YAML; a dictionary among the changes changes keys of the one in its place."""
    merged = {
        key: values[key] | change
        if isinstance(change, dict) and isinstance(values.get(key), dict)
        else change
        for key, change in changes.items()
    }
    path.write_text(yaml.safe_dump(values | merged))
    return path


def save_segformer(folder: Path, layout: str) -> None:
    """Save a random SegFormer of transformers that names the classes of a layout."""
    classes = CATALOG[layout].classes
    network, _ = build_segformer("segformer-micro", len(classes))
    network.config.id2label = dict(enumerate(classes))
    network.save_pretrained(folder)


def cut_power(monkeypatch: pytest.MonkeyPatch, task: Any, steps: int) -> list[int]:
    """Let a task's training fail, once, after so many steps.

    Returns:
        The global step of every training step that is begun, from now on.
    """
    seen: list[int] = []
    step = task.training_step

    def dies(self: Any, *args: Any) -> torch.Tensor:
        seen.append(self.global_step)
        if len(seen) == steps + 1:
            raise RuntimeError("power cut")
        done: torch.Tensor = step(self, *args)
        return done

    monkeypatch.setattr(task, "training_step", dies)
    return seen


def info_of(fusion: Any) -> ModelInfo:
    """What a model folder would say of a micro network for MFNet's classes."""
    card = CATALOG["mfnet"]
    config = SartmConfig("random-micro", fusion)
    return ModelInfo(config, AdaptConfig("full"), card.classes, card.palette, card.title)


def run_script(script: Path, *words: object) -> str:
    """What a script prints, run as `python SCRIPT WORDS` but in this process.

    A process of its own would import PyTorch and Lightning anew, which takes seconds.
    """
    status, out, told = end_of_script(script, *words)
    assert not status, f"{script.name} ended with {status}: {told}"
    return out


def end_of_script(script: Path, *words: object) -> tuple[Any, str, str]:
    """How such a script ends: its exit status, and what it printed and told as errors."""
    out, told = io.StringIO(), io.StringIO()
    status: Any = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(told):
        patch.setattr(sys, "argv", [str(script), *map(str, words)])
        patch.syspath_prepend(script.parent)
        try:
            runpy.run_path(str(script), run_name="__main__")
        except SystemExit as ended:
            status = ended.code
    return status, out.getvalue(), told.getvalue()


def import_script(monkeypatch: pytest.MonkeyPatch, script: Path) -> Any:
    """A script as a module, which finds the modules beside it until the test ends."""
    monkeypatch.syspath_prepend(script.parent)
    return import_module(script.stem)
