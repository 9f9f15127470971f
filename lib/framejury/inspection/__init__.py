"""Looking at videos rather than judging them: what is in one, in an archive, in a fake beside
its original.

`child` and what it imports read files, in the locked-up process of `sandbox.sandbox`; `inspector`
asks it. The rest is pure: records and arrays in, figures and pages out. Neither Spark nor
TensorFlow.
"""
