"""Signals: what the network sees, made from crops.

Each module makes one kind of network input; `inputs` chooses among them and is what training
and scoring both call, so a network never scores pictures unlike those it learned from.

    rgb           the crop itself
    marked        the crop with its landmarks drawn on it
    delta         the difference of a face in two frames that follow each other
    flow_fusion   both of them and the optical flow between, in one picture

Input and output are uint8 RGB; mapping pixels to a network's own range is the network's
business. OpenCV and NumPy only: neither Spark nor TensorFlow.
"""
