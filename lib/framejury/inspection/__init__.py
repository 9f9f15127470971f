"""`inspect` and `compare`: show what is in a video, an archive, or a fake and its original.

`inspect_child` and its imports read files in the sandbox; `inspect_client` is its client. The rest
is pure: records and arrays in, figures and pages out. No Spark, no TensorFlow.
"""
