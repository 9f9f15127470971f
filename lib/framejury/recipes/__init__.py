"""What published recipes write under their own names, and presets compared on one archive."""
