"""Measurement of a model on labelled pairs, and the files that hold the results."""
