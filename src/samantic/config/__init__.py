"""Every option of every run: frozen dataclasses that check themselves. Imports no torch."""

from samantic.config.distill import (
    AdaptationConfig,
    DistillConfig,
    MasksConfig,
    StudentConfig,
    TeacherConfig,
    ViewConfig,
)
from samantic.config.train import (
    AdaptConfig,
    AugmentConfig,
    Config,
    DataConfig,
    LossConfig,
    ModelConfig,
    PhotometricConfig,
    TextConfig,
    TrainConfig,
)

__all__ = [
    "AdaptConfig",
    "AdaptationConfig",
    "AugmentConfig",
    "Config",
    "DataConfig",
    "DistillConfig",
    "LossConfig",
    "MasksConfig",
    "ModelConfig",
    "PhotometricConfig",
    "StudentConfig",
    "TeacherConfig",
    "TextConfig",
    "TrainConfig",
    "ViewConfig",
]
