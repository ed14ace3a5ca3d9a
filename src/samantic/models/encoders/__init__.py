"""Image encoders and their low-rank adaptation."""
