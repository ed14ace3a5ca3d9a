"""Whole jobs: train a model, distil one, evaluate one, compare several."""

from samantic.run.compare import compare
from samantic.run.distill import distill
from samantic.run.evaluate import evaluate
from samantic.run.split import Split
from samantic.run.train import train

__all__ = ["Split", "compare", "distill", "evaluate", "train"]
