"""Configurations as YAML files, with `--key value` on top."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import yaml

from samantic.config.distill import DISTILL_DEFAULTS, DistillConfig
from samantic.config.help import config_help, short_help
from samantic.config.train import Config
from samantic.config.values import build, merged, overridden, refuse_unknown
from samantic.errors import InputError
from samantic.files import read_yaml

Run = TypeVar("Run", Config, DistillConfig)

FIRST = (
    "out",
    "data.root",
    "data.layout",
    "data.classes",
    "data.thermal_scaling",
    "model.base",
    "train.start",
    "train.epochs",
    "train.batch_size",
    "train.learning_rate",
)
"""The ten most important keys of a training."""

DISTILL_FIRST = (
    "out",
    "data.root",
    "data.layout",
    "data.train",
    "teacher.model",
    "window",
    "masks.source",
    "student.base",
    "train.epochs",
    "train.batch_size",
)
"""The ten most important keys of a distillation."""


def help_of(kind: type[Config] | type[DistillConfig] = Config) -> str:
    """The text that lists every key with its meaning, allowed values and default."""
    return config_help(kind, _told_defaults(kind))


def short_help_of(kind: type[Config] | type[DistillConfig] = Config) -> str:
    """The text that explains the most important keys and names the others."""
    first = FIRST if kind is Config else DISTILL_FIRST
    return short_help(kind, _told_defaults(kind), first)


def _told_defaults(kind: type[Any]) -> dict[str, Any]:
    return DISTILL_DEFAULTS if kind is DistillConfig else {}


def read_config(path: Path, overrides: list[str] | None = None) -> Config:
    """Read the YAML configuration of a training and apply `--key value` overrides.

    Args:
        path: YAML file.
        overrides: Command-line words such as ["--train.steps", "10"]. Dashes inside a key mean
            underscores; a flag without a value is true.

    Raises:
        InputError: A key is unknown, or a value does not fit its type, its range or another value.
    """
    return _read(Config, path, overrides or [])


def read_distill_config(path: Path, overrides: list[str] | None = None) -> DistillConfig:
    """Read the YAML configuration of a distillation; see `read_config`.

    Raises:
        InputError: A key is unknown, or a value does not fit its type, its range or another value.
    """
    return _read(DistillConfig, path, overrides or [])


def read_any_config(path: Path, overrides: list[str] | None = None) -> Config | DistillConfig:
    """Read the configuration of a distillation, if the YAML file has a teacher, or of a training.

    Raises:
        InputError: A key is unknown, or a value does not fit its type, its range or another value.
    """
    values = read_yaml(path, "configuration file")
    distilled = isinstance(values, dict) and "teacher" in values
    return (read_distill_config if distilled else read_config)(path, overrides)


def _read(kind: type[Run], path: Path, words: list[str]) -> Run:
    """Read a file and its overrides into a tree of dataclasses."""
    values = read_yaml(path, "configuration file")
    if not isinstance(values, dict):
        raise InputError(f"{path}: a configuration is a YAML mapping of keys to values")
    verb = "train" if kind is Config else "distill"
    try:
        refuse_unknown(values, kind)
        for part in (values, changes := overridden(words, kind)):
            if isinstance(part.get("adapt"), str):
                part["adapt"] = {"method": part["adapt"]}
        values = merged(values, changes)
        refuse_unknown(values, kind)
        return build(kind, values)
    except InputError as error:
        raise InputError(f"{path}: {error}; `samantic {verb} --help-all` lists every key") from None


def to_yaml(config: Config | DistillConfig) -> str:
    """The configuration as YAML with every key, which `read_config` reads back."""
    # through JSON, which turns tuples into lists
    text: str = yaml.safe_dump(json.loads(json.dumps(asdict(config))), sort_keys=False)
    return text
