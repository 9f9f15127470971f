"""The only Spark code: the session, the store of runs, and one transform a job."""
