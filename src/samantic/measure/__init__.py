"""Measuring a model: figures on labelled pairs, and the files that hold them."""
