"""What a run says of itself, for machines that watch it: one JSON line, one Prometheus file.

`run` holds the figures, `drift` compares the scores with those of earlier runs, `prometheus`
writes the file that node_exporter's textfile collector reads. Nothing here knows Spark.
"""
