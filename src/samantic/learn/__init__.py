"""What training minimises, and the engine that does it."""
