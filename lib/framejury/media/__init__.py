"""One video: open, probe, choose frames, decode. PyAV and NumPy only; no Spark, no TensorFlow."""
