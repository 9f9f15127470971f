"""One thin `main(argv) -> int` per command: parse, configure, read, transform, write, count.

Run with `spark-submit jobs/NAME.py ...`, or as `framejury VERB ...`; installed as
`framejury.jobs`.
"""
