"""Whole jobs, a module each: train a model, distil one, evaluate one, compare several."""
