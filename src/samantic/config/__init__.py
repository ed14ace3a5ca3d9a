"""Every option of every run: frozen dataclasses that check themselves. Imports no torch."""

from samantic.config.augment import AugmentConfig, PhotometricConfig
from samantic.config.data import DataConfig
from samantic.config.distill import (
    DistillConfig,
    MasksConfig,
    ObjectiveConfig,
    TeacherConfig,
    ViewConfig,
)
from samantic.config.networks import AdaptConfig, ModelConfig, SartmConfig, StudentConfig
from samantic.config.train import Config, LossConfig, TextConfig, TrainConfig

__all__ = [
    "AdaptConfig",
    "AugmentConfig",
    "Config",
    "DataConfig",
    "DistillConfig",
    "LossConfig",
    "MasksConfig",
    "ModelConfig",
    "ObjectiveConfig",
    "PhotometricConfig",
    "SartmConfig",
    "StudentConfig",
    "TeacherConfig",
    "TextConfig",
    "TrainConfig",
    "ViewConfig",
]
