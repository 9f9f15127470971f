"""A bundle of a network that was trained elsewhere: its description, its file, and their checks."""
