"""Ablations: a table is a grid of ordinary training runs that differ in a few keys."""

from samantic.ablation.pages import ablate

__all__ = ["ablate"]
