"""Configurations as YAML files, with `--key value` on top."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import yaml

from samantic.config import (
    EFFICIENTNETS,
    AdaptConfig,
    Config,
    Fusion,
    ModelConfig,
    SegFormerFusion,
    TwoStreamFusion,
)
from samantic.errors import InputError
from samantic.files import read_yaml

STUDENT_DEFAULTS = {
    "model.base": "segformer-b0",
    "model.fusion": "early",
    "model.auxiliary": "none",
    "adapt.method": "full",
}
"""What a student starts from where a configuration says nothing."""


def _parser() -> Any:
    import jsonargparse

    parser = jsonargparse.ArgumentParser(prog="samantic train CONFIG", exit_on_error=False)
    parser.add_argument("--config", action="config", help=jsonargparse.SUPPRESS)
    parser.add_class_arguments(Config)
    return parser


def config_help() -> str:
    """The text that lists every key, its type, its default and its meaning."""
    text: str = _parser().format_help()
    return text


def read_config(path: Path, overrides: list[str] | None = None) -> Config:
    """Read a YAML configuration and apply `--key value` overrides.

    Args:
        path: YAML file.
        overrides: Command-line words such as ["--train.steps", "10"]. Dashes inside a key stand
            for underscores, a flag without a value is true.

    Raises:
        InputError: A key is unknown or a value does not fit its type.
    """
    import jsonargparse

    values = read_yaml(path, "configuration file")
    if not isinstance(values, dict):
        raise InputError(f"{path}: a configuration is a YAML mapping of keys to values")
    unknown = sorted(values.keys() - Config.__dataclass_fields__.keys())
    if unknown:
        raise InputError(f"{path}: unknown key {unknown[0]}; `samantic train --help` lists them")
    if isinstance(values.get("adapt"), str):
        values["adapt"] = {"method": values["adapt"]}
    parser = _parser()
    try:
        words = ["--config", yaml.safe_dump(values), *_normalise(overrides or [])]
        parsed = parser.parse_args(words)
        if parsed.model.network == "student":
            parser.set_defaults(STUDENT_DEFAULTS)
            if parsed.model.base in EFFICIENTNETS:
                parser.set_defaults({"model.fusion": "two-stream"})
            parsed = parser.parse_args(words)
        config = parser.instantiate(parsed)
    except (jsonargparse.ArgumentError, TypeError) as error:
        problem = " ".join(str(error).split())
        raise InputError(f"{path}: {problem}; `samantic train --help` lists every key") from None
    return _check(Config(**{key: getattr(config, key) for key in Config.__dataclass_fields__}))


def _normalise(words: list[str]) -> list[str]:
    """`--adapt.random-ok` -> `--adapt.random_ok true`; `--adapt full` -> `--adapt.method full`."""
    out: list[str] = []
    for position, word in enumerate(words):
        if not word.startswith("--"):
            out.append(word)
            continue
        key, equals, value = word[2:].partition("=")
        key = "adapt.method" if key == "adapt" else key.replace("-", "_")
        following = words[position + 1 : position + 2]
        flag = not equals and (not following or following[0].startswith("--"))
        out += [f"--{key}={value if equals else 'true'}"] if equals or flag else [f"--{key}"]
    return out


def _check(config: Config) -> Config:
    """Ranges that types cannot say."""
    rules = {
        "train.steps must be at least 1": config.train.steps is None or config.train.steps >= 1,
        "train.epochs must be at least 1": config.train.epochs >= 1,
        "train.batch_size must be at least 1": config.train.batch_size >= 1,
        "train.validations must be at least 1": config.train.validations >= 1,
        "train.warmup must lie in 0..1": 0 <= config.train.warmup <= 1,
        "adapt.rank must be at least 1": config.adapt.rank >= 1,
        "augment.crop must be at least 32x32": min(config.augment.crop) >= 32,
        "augment.scale must be 0 < smallest <= largest": 0
        < config.augment.scale[0]
        <= config.augment.scale[1],
        "augment.modality_dropout must lie in 0..0.5": 0 <= config.augment.modality_dropout <= 0.5,
        "loss.tau must be positive": config.loss.tau > 0,
        "loss.language needs text.source, e.g. openai/clip-vit-base-patch32": (
            config.text.source or not config.loss.language
        ),
        "model.fusion figure needs loss.language or loss.prototype, which train its FRM and FFM": (
            config.model.fusion != "figure" or config.loss.language or config.loss.prototype
        ),
        "text.prompt must contain {}": "{}" in config.text.prompt,
    }
    for rule, holds in rules.items():
        if not holds:
            raise InputError(f"configuration: {rule}")
    check_network(config.model, config.adapt)
    return config


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
            "adapt.method": (adapt.method, ("full",)),
        }
    for key, (value, choices) in allowed.items():
        if value not in choices:
            raise InputError(
                f"configuration: {key} {value} does not fit model.network {model.network} on "
                f"{model.base}, which takes {', '.join(choices)}"
            )


def to_yaml(config: Config) -> str:
    """The configuration as YAML, every key written out; `read_config` reads it back."""
    values = asdict(config)
    values["augment"]["crop"] = list(config.augment.crop)
    values["augment"]["scale"] = list(config.augment.scale)
    text: str = yaml.safe_dump(values, sort_keys=False)
    return text
