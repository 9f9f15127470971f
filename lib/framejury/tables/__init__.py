"""Spark code: the session, reading and writing tables, and one transform per job."""
