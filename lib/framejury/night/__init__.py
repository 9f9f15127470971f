"""A nightly run: its plan, its batches, how it ends, what it publishes."""
