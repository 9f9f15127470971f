"""Where every trial begins: the cluster, the archive, and the night that nobody disturbed.

FRAMEJURY_CHAOS_TRIALS (default 20) is how many nights are disturbed by a kill; below 10 the
run is a reduced one, for CI, and leaves out what takes long. FRAMEJURY_CHAOS_SEED (default 0).
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.builders.cluster import nights
from tests.builders.cluster.standalone import Cluster
from tests.chaos.trial import Night, Step, Trial

TRIALS = int(os.environ.get("FRAMEJURY_CHAOS_TRIALS", "20"))
SEED = os.environ.get("FRAMEJURY_CHAOS_SEED", "0")
REDUCED = TRIALS < 10
# Two commits a night, so that a kill may fall between them.
SETTINGS = (*nights.QUICK, *nights.CUT, "run.commit_s=0.3", "limits.timeout_s=30")

done: list[Trial] = []
"""Every trial of this session, for the table."""


@dataclass(frozen=True)
class Scene:
    """What every trial begins with.

    Attributes:
        steps: phases of the undisturbed night, with their lengths.
        expected: its verdicts by path, all columns but `run_id`.
    """

    cluster: Cluster
    environment: Path
    archive: Path
    bundle: Path
    steps: list[Step]
    expected: dict[str, dict[str, Any]]

    def arguments(
        self, warehouse: Path, *, archive: Path | None = None, more: tuple[str, ...] = ()
    ) -> list[str]:
        """Of `bin/submit.sh`, for a night into `warehouse`."""
        places = (archive or self.archive, warehouse, self.bundle)
        arguments = nights.night(*places, (*SETTINGS, *more))
        options = ("--archive", str(self.environment), "--no-auth")
        return nights.on_cluster(self.cluster, arguments, *options)

    def start(self, warehouse: Path, logs: Path | None = None, **options: Any) -> Night:
        """Start a night; what it prints lies in `logs`, beside the warehouse when None."""
        folder = warehouse.parent if logs is None else logs
        log = folder / f"night{len(list(folder.glob('night*.log')))}.log"
        return Night(self.cluster, self.arguments(warehouse, **options), log)


def resize(place: Path, mebibytes: int) -> None:
    """Give a disk of `small_disk` another size."""
    subprocess.run(["mount", "-o", f"remount,size={mebibytes}m", str(place)], check=True)
