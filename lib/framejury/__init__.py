"""framejury: accountable deepfake verdicts for video archives, on Spark."""

__version__ = "0.1.0"
