"""Archives that cannot be listed are refused before Spark starts."""

from __future__ import annotations

import pytest

from framejury.errors import UsageError
from framejury.tables.index import check_archive


@pytest.mark.parametrize("uri", ["https://example.com/videos", "HTTP://h/a", "ftp://h/a"])
def test_what_is_no_store_is_refused_at_once(uri: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be listed: .* s3, gs, abfs or hdfs"):
        check_archive(uri)


@pytest.mark.parametrize("uri", ["s3a://bucket/a", "hdfs://n/a", "viewfs://c/a", "gs://b/a"])
def test_stores_are_taken(uri: str) -> None:
    assert check_archive(f"{uri}/") == uri
