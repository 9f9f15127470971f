"""The report of a run and what it shows."""
