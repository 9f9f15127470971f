"""One thin `main(argv) -> int` a verb: parse, configure, read, transform, write, count.

Run with `spark-submit jobs/NAME.py ...`, or as `framejury VERB ...`; installed as
`framejury.jobs`.
"""
