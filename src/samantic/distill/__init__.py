"""Compact students without labels: masks of a SAM, classes of a teacher (GoodSAM, 2403.16370)."""
