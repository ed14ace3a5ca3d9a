"""Data sets as constants. Imports no torch."""
