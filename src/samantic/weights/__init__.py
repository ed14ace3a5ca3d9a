"""Weights that come with the package: sam-nano, a base, and nano, a model trained on it."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent


def shipped(name: str | Path) -> Path | None:
    """The folder of what ships under `name`; None for anything else, or if a local path has it."""
    folder = HERE / name
    if Path(name).exists() or Path(name).name != str(name) or not (folder / "config.json").exists():
        return None
    return folder
