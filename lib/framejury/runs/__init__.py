"""Past and present runs: history, details, provenance, drift, metrics."""
