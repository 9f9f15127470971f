"""Faces: find them in frames, cut them out, follow them over time.

`follow` is the way in (`FaceFinder`); `detect` makes detectors and chooses among their faces;
`mtcnn` and `haar` are the detectors, `crop` cuts and encodes, `person` numbers the same face
over time. NumPy, OpenCV and ONNX Runtime only: neither Spark nor TensorFlow.
"""
