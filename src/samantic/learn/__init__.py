"""The training: its losses, steps and optimiser."""
