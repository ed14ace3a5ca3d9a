"""Weights that come with the package: sam-nano, a base, and nano, a model trained on it."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent


def shipped(name: str | Path) -> Path | None:
    """The folder of what ships under `name`, or None; a folder of one's own is ./NAME."""
    folder = HERE / name
    if "/" in str(name) or not (folder / "config.json").exists():
        return None
    return folder
