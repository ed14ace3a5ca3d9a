"""Configurations as YAML files, with `--key value` on top."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml

from samantic.config.distill import DistillConfig
from samantic.config.help import config_help
from samantic.config.train import (
    EFFICIENTNETS,
    AdaptConfig,
    Config,
    Fusion,
    ModelConfig,
    SegFormerFusion,
    TwoStreamFusion,
)
from samantic.config.values import build, merged, overridden, refuse_unknown
from samantic.errors import InputError
from samantic.files import read_yaml

Run = TypeVar("Run", Config, DistillConfig)

STUDENT_DEFAULTS = {
    "model.base": "segformer-b0",
    "model.fusion": "early",
    "model.auxiliary": "none",
    "adapt.method": "full",
}
"""What a student starts from where a configuration says nothing."""

DISTILL_DEFAULTS = {"data.val": None, "data.test": None, "data.thermal_scaling": "teacher"}
"""A distillation looks for labels only where its configuration names a split, and scales thermal
images as its teacher does."""


def help_of(kind: type[Config] | type[DistillConfig] = Config) -> str:
    """The text that lists every key, its meaning, what it may hold and its default."""
    return config_help(kind, DISTILL_DEFAULTS if kind is DistillConfig else {})


def read_config(path: Path, overrides: list[str] | None = None) -> Config:
    """Read the YAML configuration of a training and apply `--key value` overrides.

    Args:
        path: YAML file.
        overrides: Command-line words such as ["--train.steps", "10"]. Dashes inside a key stand
            for underscores, a flag without a value is true.

    Raises:
        InputError: A key is unknown, or a value does not fit its type, its bounds or another value.
    """
    return _read(Config, path, overrides or [])


def read_distill_config(path: Path, overrides: list[str] | None = None) -> DistillConfig:
    """Read the YAML configuration of a distillation; see `read_config`.

    Raises:
        InputError: A key is unknown, or a value does not fit its type, its bounds or another value.
    """
    return _read(DistillConfig, path, overrides or [])


def read_any_config(path: Path, overrides: list[str] | None = None) -> Config | DistillConfig:
    """Read the YAML configuration of a distillation, which has a teacher, or else of a training.

    Raises:
        InputError: A key is unknown, or a value does not fit its type, its bounds or another value.
    """
    values = read_yaml(path, "configuration file")
    distilled = isinstance(values, dict) and "teacher" in values
    return (read_distill_config if distilled else read_config)(path, overrides)


def _read(kind: type[Run], path: Path, words: list[str]) -> Run:
    """Read a file and the words on top of it into a tree of dataclasses."""
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
        config = build(kind, merged(_defaults(kind, values), values))
        if isinstance(config, Config):
            check_network(config.model, config.adapt)
        else:
            check_network(config.student.model, AdaptConfig("full"))
    except InputError as error:
        raise InputError(f"{path}: {error}; `samantic {verb} --help` lists every key") from None
    return config


def _defaults(kind: type[Any], values: dict[str, Any]) -> dict[str, Any]:
    """Nested defaults that are other than the dataclasses'."""
    if kind is DistillConfig:
        return merged({}, DISTILL_DEFAULTS)
    model = values.get("model")
    if not isinstance(model, dict) or model.get("network") != "student":
        return {}
    streams = {"model.fusion": "two-stream"} if model.get("base") in EFFICIENTNETS else {}
    return merged({}, STUDENT_DEFAULTS | streams)


def check_network(model: ModelConfig, adapt: AdaptConfig) -> None:
    """Refuse options that belong to the other network.

    Raises:
        InputError: One does; it says which, and what the network takes.
    """
    allowed: dict[str, tuple[str, tuple[str, ...]]]
    allowed = {"model.fusion": (model.fusion, get_args(Fusion))}
    if model.network == "student":
        fusions = TwoStreamFusion if model.base in EFFICIENTNETS else SegFormerFusion
        allowed = {
            "model.fusion": (model.fusion, get_args(fusions)),
            "model.auxiliary": (model.auxiliary, ("none",)),
            "model.decoder": (model.decoder, ("trained",)),
            "model.prediction": (model.prediction, ("mask",)),
            "model.context": (model.context, ("sum",)),
            "adapt.method": (adapt.method, ("full",)),
        }
    for key, (value, choices) in allowed.items():
        if value not in choices:
            raise InputError(
                f"{key} {value} does not fit model.network {model.network} on "
                f"{model.base}, which takes {', '.join(choices)}"
            )


def to_yaml(config: Config | DistillConfig) -> str:
    """The configuration as YAML, every key written out, to be read back."""
    # tuples become lists
    text: str = yaml.safe_dump(json.loads(json.dumps(asdict(config))), sort_keys=False)
    return text
