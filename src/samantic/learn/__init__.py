"""Training: losses, steps and the optimiser."""
