"""Faces: find them in frames, cut them out, follow them over time.

`detect` is the way in (`make_detector`, `find_faces`); `mtcnn` and `haar` are the
detectors behind it, `crop` cuts and encodes, `person` numbers the same face over
time. NumPy, OpenCV and ONNX Runtime only: neither Spark nor TensorFlow.
"""
