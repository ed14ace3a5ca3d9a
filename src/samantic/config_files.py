"""Configurations as YAML files, with `--key value` on top."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml

from samantic.config import (
    EFFICIENTNETS,
    AdaptConfig,
    Config,
    Fusion,
    ModelConfig,
    SegFormerFusion,
    TrainConfig,
    TwoStreamFusion,
)
from samantic.distill_config import DistillConfig
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


def _parser(kind: type[Config] | type[DistillConfig]) -> Any:
    import jsonargparse

    prog = f"samantic {'train' if kind is Config else 'distill'} CONFIG"
    parser = jsonargparse.ArgumentParser(prog=prog, exit_on_error=False)
    parser.add_argument("--config", action="config", help=jsonargparse.SUPPRESS)
    parser.add_class_arguments(kind)
    if kind is DistillConfig:
        parser.set_defaults(DISTILL_DEFAULTS)
    return parser


def config_help(kind: type[Config] | type[DistillConfig] = Config) -> str:
    """The text that lists every key, its type, its default and its meaning."""
    text: str = _parser(kind).format_help()
    return text


def read_config(path: Path, overrides: list[str] | None = None) -> Config:
    """Read the YAML configuration of a training and apply `--key value` overrides.

    Args:
        path: YAML file.
        overrides: Command-line words such as ["--train.steps", "10"]. Dashes inside a key stand
            for underscores, a flag without a value is true.

    Raises:
        InputError: A key is unknown or a value does not fit its type.
    """

    def fill(parser: Any, words: list[str]) -> Any:
        parsed = parser.parse_args(words)
        if parsed.model.network == "student":
            parser.set_defaults(STUDENT_DEFAULTS)
            if parsed.model.base in EFFICIENTNETS:
                parser.set_defaults({"model.fusion": "two-stream"})
            parsed = parser.parse_args(words)
        return parsed

    return _check(_read(Config, path, overrides or [], fill))


def read_distill_config(path: Path, overrides: list[str] | None = None) -> DistillConfig:
    """Read the YAML configuration of a distillation; see `read_config`.

    Raises:
        InputError: A key is unknown or a value does not fit its type.
    """
    config = _read(
        DistillConfig, path, overrides or [], lambda parser, words: parser.parse_args(words)
    )
    return _check_distill(config)


def read_any_config(path: Path, overrides: list[str] | None = None) -> Config | DistillConfig:
    """Read the YAML configuration of a distillation, which has a teacher, or else of a training.

    Raises:
        InputError: A key is unknown or a value does not fit its type.
    """
    values = read_yaml(path, "configuration file")
    distilled = isinstance(values, dict) and "teacher" in values
    return (read_distill_config if distilled else read_config)(path, overrides)


def _read(
    kind: type[Run], path: Path, overrides: list[str], fill: Callable[[Any, list[str]], Any]
) -> Run:
    """Read a file and the words on top of it into a tree of dataclasses."""
    import jsonargparse

    values = read_yaml(path, "configuration file")
    if not isinstance(values, dict):
        raise InputError(f"{path}: a configuration is a YAML mapping of keys to values")
    parser = _parser(kind)
    listed = f"`{parser.prog.removesuffix(' CONFIG')} --help` lists"
    unknown = sorted(values.keys() - kind.__dataclass_fields__.keys())
    if unknown:
        raise InputError(f"{path}: unknown key {unknown[0]}; {listed} them")
    if isinstance(values.get("adapt"), str):
        values["adapt"] = {"method": values["adapt"]}
    try:
        words = ["--config", yaml.safe_dump(values), *_normalise(overrides)]
        config = parser.instantiate(fill(parser, words))
    except (jsonargparse.ArgumentError, TypeError) as error:
        problem = " ".join(str(error).split())
        raise InputError(f"{path}: {problem}; {listed} every key") from None
    return kind(**{key: getattr(config, key) for key in kind.__dataclass_fields__})


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
    _hold(
        _train_rules(config.train)
        | {
            "adapt.rank must be at least 1": config.adapt.rank >= 1,
            "augment.crop must be at least 32x32": min(config.augment.crop) >= 32,
            "augment.scale must be 0 < smallest <= largest": 0
            < config.augment.scale[0]
            <= config.augment.scale[1],
            "augment.modality_dropout must lie in 0..0.5": 0
            <= config.augment.modality_dropout
            <= 0.5,
            "loss.tau must be positive": config.loss.tau > 0,
            "loss.language needs text.source, e.g. openai/clip-vit-base-patch32": bool(
                config.text.source or not config.loss.language
            ),
            "model.fusion figure needs loss.language or loss.prototype, which train its FRM and FFM"
            "": bool(
                config.model.fusion != "figure" or config.loss.language or config.loss.prototype
            ),
            "text.prompt must contain {}": "{}" in config.text.prompt,
        }
    )
    check_network(config.model, config.adapt)
    return config


def _check_distill(config: DistillConfig) -> DistillConfig:
    """Ranges that types cannot say."""
    masks, loss, augment = config.masks, config.loss, config.augment
    window = (config.window,) if isinstance(config.window, int) else config.window
    _hold(
        _train_rules(config.train)
        | {
            "train.teacher belongs to samantic train; name the teacher of a distillation in "
            "teacher.model": config.train.teacher is None,
            "window must be at least 32 pixels": window is None or min(window) >= 32,
            "masks.folder belongs to masks.source files, which needs it": (
                (masks.source == "files") == (masks.folder is not None)
            ),
            "masks.side must be at least 1": masks.side >= 1,
            "masks.size must be at least 32 pixels": masks.size is None or masks.size >= 32,
            "masks.damage must lie in 0..5": 0 <= masks.damage <= 5,
            "loss.class_balance must lie in 0..1": 0 <= loss.class_balance <= 1,
            "loss.cover must lie in 0..1": 0 <= loss.cover <= 1,
            "loss.distance must be at least 0": loss.distance >= 0,
            "augment.flip must lie in 0..1": 0 <= augment.flip <= 1,
            "augment.crop must be at least 32x32": augment.crop is None or min(augment.crop) >= 32,
            "augment.crop belongs to images without window": augment.crop is None
            or config.window is None,
            "augment.scale must be 0 < smallest <= largest, and 1 without augment.crop": (
                augment.scale == (1, 1)
                if augment.crop is None
                else 0 < augment.scale[0] <= augment.scale[1]
            ),
            "augment.modality_dropout must lie in 0..0.5": 0 <= augment.modality_dropout <= 0.5,
        }
    )
    check_network(config.student.model, AdaptConfig("full"))
    return config


def _train_rules(train: TrainConfig) -> dict[str, bool]:
    return {
        "train.steps must be at least 1": train.steps is None or train.steps >= 1,
        "train.epochs must be at least 1": train.epochs >= 1,
        "train.batch_size must be at least 1": train.batch_size >= 1,
        "train.validations must be at least 1": train.validations >= 1,
        "train.warmup must lie in 0..1": 0 <= train.warmup <= 1,
    }


def _hold(rules: dict[str, bool]) -> None:
    """Refuse a configuration that breaks a rule."""
    for rule, holds in rules.items():
        if not holds:
            raise InputError(f"configuration: {rule}")


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
                f"configuration: {key} {value} does not fit model.network {model.network} on "
                f"{model.base}, which takes {', '.join(choices)}"
            )


def to_yaml(config: Config | DistillConfig) -> str:
    """The configuration as YAML, every key written out, to be read back."""
    # tuples become lists
    text: str = yaml.safe_dump(json.loads(json.dumps(asdict(config))), sort_keys=False)
    return text
