"""Compact networks that are trained in full, by a teacher or on labels."""
