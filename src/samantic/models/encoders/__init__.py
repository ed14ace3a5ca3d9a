"""Image encoders, and what adapts them."""
