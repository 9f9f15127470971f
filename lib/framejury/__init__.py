"""framejury: accountable deepfake verdicts for video archives, on Spark."""

import os

__version__ = "0.1.0"

# ONNX Runtime's wheels report to Microsoft unless told not to, before they are loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
