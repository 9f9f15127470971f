"""The evaluation protocol: a bundle measured on an archive of labelled videos. No Spark."""
