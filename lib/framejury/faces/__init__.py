"""Faces: find them in frames, crop them, follow them over time.

Start at `follow.FaceFinder`. `detect` makes detectors and selects among their faces; `mtcnn` and
`haar` are the detectors; `crop` cuts and encodes; `tracks` numbers the same face over time.
NumPy, OpenCV and ONNX Runtime only: neither Spark nor TensorFlow.
"""
