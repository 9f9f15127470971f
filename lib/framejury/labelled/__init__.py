"""Labelled videos of a warehouse: their splits, the bundle trained on them, how good it is."""
