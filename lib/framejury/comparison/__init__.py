"""Presets compared on one archive: the sides they share, how each fared, and the table of that."""
