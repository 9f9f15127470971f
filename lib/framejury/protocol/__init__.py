"""Evaluation protocol: a bundle measured on an archive of labelled videos."""
