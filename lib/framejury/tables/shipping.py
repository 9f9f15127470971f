"""A model bundle sent to the executors."""

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
        name: of the folder below `SparkFiles`' root on each machine.
    """

    name: str

    def local_dir(self) -> str:
        """Where it lies on this machine; ask on an executor."""
        return SparkFiles.get(self.name)


def ship_bundle(spark: SparkSession, directory: Path, model_id: str) -> ShippedBundle:
    """Send the bundle to the executors with the job (once a machine, unpacked there)."""
    name = f"bundle-{model_id}"
    # Executors that come later fetch it from here, so it stays until this process ends.
    folder = tempfile.mkdtemp(prefix="framejury-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    packed = shutil.make_archive(str(Path(folder) / name), "zip", str(directory))
    spark.sparkContext.addArchive(f"{packed}#{name}")
    return ShippedBundle(name)
