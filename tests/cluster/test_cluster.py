"""A nightly run on a cluster whose executors have nothing but Java, Python and our archive."""

from __future__ import annotations

import threading
from pathlib import Path

from framejury.warehouse import Warehouse
from tests.builders.bundles import brightness_bundle
from tests.builders.cluster import nights
from tests.builders.cluster.keeper import marked
from tests.builders.cluster.standalone import ROOT, SECRET, Cluster

JUDGED_WITH_FAILURES = 3


def test_a_night_equals_that_of_one_machine(
    cluster: Cluster, environment: Path, secret_file: Path, tmp_path: Path
) -> None:
    archive = nights.write_archive(tmp_path / "videos with spaces")
    bundle = brightness_bundle(tmp_path / "bundle").directory
    here = nights.submit_here(nights.night(archive, tmp_path / "here", bundle), tmp_path / "events")
    assert here.returncode == JUDGED_WITH_FAILURES, nights.shown(here)
    words = _words_of_processes(cluster)
    there = nights.submit(
        cluster,
        nights.night(archive, tmp_path / "there", bundle),
        *("--archive", str(environment), "--secret-file", str(secret_file)),
        *("--spark", "spark.eventLog.compress=false"),
    )
    seen = words()
    assert there.returncode == JUDGED_WITH_FAILURES, nights.shown(there)
    expected = nights.verdicts(tmp_path / "here")
    assert nights.verdicts(tmp_path / "there") == expected
    assert {row["status"] for row in expected.values()} == {
        *("scored", "no_face", "unreadable", "empty", "not_video")
    }
    # It ran on both workers, in pieces, and nobody could read the secret.
    (commit,) = Warehouse.open(str(tmp_path / "there")).with_table("verdicts")
    assert commit.facts.counted("statuses")["scored"] == 5
    folders = {path.parent.parent.parent.name for path in cluster.folder.glob("worker*/work/*/*")}
    assert folders == {"worker0", "worker1"}
    assert SECRET not in seen
    assert str(ROOT / "jobs" / "nightly.py") in seen  # so the words of the driver were read
    assert SECRET not in there.stdout + there.stderr
    logs = (path for path in (cluster.folder / "events").iterdir() if path.suffix != ".zstd")
    events = "".join(path.read_text() for path in logs)
    assert "spark.authenticate.secret" in events
    assert SECRET not in events


def _words_of_processes(cluster: Cluster) -> object:
    """Collect command lines of the cluster's processes; the function returned ends it."""
    seen: set[str] = set()
    stop = threading.Event()

    def collect() -> None:
        while not stop.wait(0.2):
            for pid in marked(cluster.name):
                try:
                    line = Path(f"/proc/{pid}/cmdline").read_text("utf-8", errors="replace")
                except OSError:
                    continue
                seen.update(line.split("\0"))

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()

    def words() -> str:
        stop.set()
        thread.join()
        return "\n".join(sorted(seen))

    return words
