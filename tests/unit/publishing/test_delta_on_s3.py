"""Delta tables in an object store, spoken to over HTTP."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from deltalake import DeltaTable

from framejury.publishing.publication import Publication
from framejury.publishing.publish_tables import targets_of
from framejury.settings import PublishSettings
from framejury.warehouse import Warehouse
from tests.builders.judged import night


def wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("moto did not start")


def test_s3a_names_the_same_bucket(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # In a process of its own: deltalake waits for the answer without letting other threads work.
    moto = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(moto, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}").create_bucket(Bucket="media")
        (target,) = targets_of(PublishSettings(delta="s3a://media/frame jury"))
        for score in (0.1, 0.9):
            night(warehouse, {"a": [score]})
            assert len(target.publish(Publication(warehouse))) == 1
            assert target.publish(Publication(warehouse)) == []
        options = {"allow_http": "true", "aws_conditional_put": "etag"}
        table = DeltaTable("s3://media/frame jury/run_verdicts", storage_options=options)
        assert sorted(table.to_pyarrow_table()["p_fake"].to_pylist()) == [0.1, 0.9]
    finally:
        server.kill()
        server.wait()
