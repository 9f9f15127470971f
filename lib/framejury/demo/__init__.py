"""A small labelled archive that framejury generates to show that it runs.

Photographs and one clip of faces, shipped with dependencies, become short videos filmed by a moving
camera; some are then manipulated by blending in another face or a changed copy of the same face.
The archive has only three people and two simple kinds of forgery, so scores on it show that the
pipeline works, not how well a model detects deepfakes.
"""
