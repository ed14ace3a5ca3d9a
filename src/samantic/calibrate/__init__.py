"""Calibration of a rig: how thermal pixels map to RGB, estimated from pairs or read."""
