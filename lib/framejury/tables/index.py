"""List and describe the files of an archive: the content of the table `videos`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from framejury.archive.layouts import ArchiveIndex, describe_videos
from framejury.archive.listing import ArchiveFile, list_local
from framejury.errors import ArchiveError, UsageError
from framejury.redaction import printable, redacted
from framejury.settings import IndexSettings
from framejury.storage import STORES, check_no_secret, is_local, local_path
from framejury.warehouse import Warehouse

_SIDE_FILE_BYTES = 256 * 2**20


def check_archive(uri: str) -> str:
    """Return the archive's URI in canonical form, after checking that a local one is a folder.

    Raises:
        ArchiveError: a local archive does not exist or is not a folder.
        UsageError: the URI holds a secret, or no store has its scheme.
    """
    if not is_local(uri):
        if uri.partition(":")[0].lower() not in STORES:
            raise UsageError(
                f"{printable(redacted(uri, {}))} cannot be listed: an archive is a folder, or a "
                "URI of s3, gs, abfs or hdfs. Download the videos into a folder, then name that"
            )
        return check_no_secret(uri).rstrip("/")
    path = local_path(uri)
    if not path.exists():
        raise ArchiveError(f"no archive at {uri}")
    if not path.is_dir():
        raise ArchiveError(
            f"{uri} is a file; an archive is a folder (for files: framejury scan FILE)"
        )
    return str(path.resolve())


def index_archive(
    spark: SparkSession | None, archive: str, settings: IndexSettings
) -> ArchiveIndex:
    """List and describe every video of the archive.

    Args:
        spark: the session; needed if the archive is not local.
        archive: from `check_archive`.
        settings: which files count as videos, and how names are read.

    Raises:
        ArchiveError: it cannot be listed, holds no video, or has wrong label files.
    """
    if is_local(archive):
        files = list_local(local_path(archive), follow_out=settings.links == "anywhere")
        return describe_videos(files, lambda f: Path(f.uri).read_text("utf-8"), settings)
    if spark is None:
        raise ValueError(f"{archive} is not local: listing it needs a Spark session")
    files = sorted(_list_hadoop(spark, archive), key=lambda file: file.path)
    return describe_videos(files, lambda f: _read_hadoop(spark, f), settings)


def _list_hadoop(spark: SparkSession, archive: str) -> Iterator[ArchiveFile]:
    """Yield the files below any Hadoop URI, listed through the JVM on the driver."""
    jvm: Any = spark.sparkContext._jvm
    try:
        root = jvm.org.apache.hadoop.fs.Path(archive)
        system = root.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())
        # Resolve a mount table (viewfs): workers need the underlying file system.
        root = system.resolvePath(root)
        system = root.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())
        prefix = root.toString().rstrip("/") + "/"
        listing = system.listFiles(root, True)
        while listing.hasNext():
            status = listing.next()
            uri = status.getPath().toString()
            yield ArchiveFile(
                path=uri.removeprefix(prefix),
                uri=uri,
                size_bytes=status.getLen(),
                modified_at=datetime.fromtimestamp(status.getModificationTime() / 1000, UTC),
            )
    except Py4JJavaError as error:
        reason = str(error.java_exception.toString()).splitlines()[0]
        raise ArchiveError(f"cannot list {archive}: {reason}") from error


def _read_hadoop(spark: SparkSession, file: ArchiveFile) -> str:
    if file.size_bytes > _SIDE_FILE_BYTES:
        raise ArchiveError(f"{file.path} has {file.size_bytes:,} bytes, too many for a label file")
    jvm: Any = spark.sparkContext._jvm
    path = jvm.org.apache.hadoop.fs.Path(file.uri)
    system = path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())
    stream = system.open(path)
    try:
        data = bytes(stream.readAllBytes())
    finally:
        stream.close()
    return data.decode("utf-8")


def check_same_archive(warehouse: Warehouse, archive: str, *, moved: bool) -> None:
    """Check that the warehouse is of this archive: paths of another would count as known videos.

    Raises:
        ArchiveError: the warehouse holds another archive, and `moved` is not set.
    """
    before = warehouse.archive
    if before is not None and before != archive and not moved:
        raise ArchiveError(
            f"{warehouse.location.uri} holds the archive {before}, not {archive}; name another "
            "--warehouse, or add --moved if this is the same archive in a new place"
        )
