"""Signals: the network's input, made from crops.

Each module makes one kind of input; `network_input` selects among them. Training and scoring both
call it, so a network scores images made like those it was trained on.

    rgb           the crop itself
    marked        the crop with its landmarks drawn on it
    delta         the difference of a face between two consecutive frames
    flow_fusion   both frames and the optical flow between them, in one image

Input and output are uint8 RGB; the network maps pixels to its own range. OpenCV and NumPy only:
neither Spark nor TensorFlow.
"""
