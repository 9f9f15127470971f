"""Sending a model bundle to the executors."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pyspark import SparkFiles
from pyspark.sql import SparkSession


@dataclass(frozen=True)
class ShippedBundle:
    """A bundle that every executor can reach.

    Attributes:
        name: name of its folder below the root of `SparkFiles` on each machine.
    """

    name: str

    def local_dir(self) -> str:
        """Return its folder on this machine; call on an executor."""
        return SparkFiles.get(self.name)


def ship_bundle(spark: SparkSession, directory: Path, model_id: str) -> ShippedBundle:
    """Send the bundle to the executors; each machine unpacks it once."""
    name = f"bundle-{model_id}"
    # Keep the file until this process ends: executors that start later fetch it.
    folder = tempfile.mkdtemp(prefix="framejury-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    packed = shutil.make_archive(str(Path(folder) / name), "zip", str(directory))
    spark.sparkContext.addArchive(f"{packed}#{name}")
    return ShippedBundle(name)
