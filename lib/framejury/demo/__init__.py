"""A small labelled archive that framejury makes itself, to show that it runs.

Real photographs and one real clip of faces, which dependencies ship, become short
videos under a moving camera; some are then manipulated by blending another face, or
a changed copy of the same face, into them. Only three people are in it and the
forgeries are of two simple kinds: scores on this archive say that the pipeline works,
and nothing about how well a model finds deepfakes.
"""
