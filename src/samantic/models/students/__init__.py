"""Compact networks that a teacher or labels train in full."""
