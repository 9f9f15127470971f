"""Signals: what the network sees, made from crops.

Each module makes one kind of network input, and is the only place that makes it: training
and scoring both call it, so a network never scores pictures unlike those it learned from.

    rgb    the crop itself

Input and output are uint8 RGB; mapping pixels to a network's own range is the network's
business. OpenCV and NumPy only: neither Spark nor TensorFlow.
"""
