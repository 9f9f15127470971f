"""What is known of runs, past and present: history, provenance, drift, metrics."""
