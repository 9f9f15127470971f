"""Memory, disk and GPU."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from framejury.machine.check import Check, State, existing_folder, gib, output_of

_DISK_PROBLEM_BYTES, _DISK_WARNING_BYTES = 1 << 30, 10 << 30
_MEMORY_PER_CORE_BYTES = 3 << 29


def check_memory() -> Check:
    """Check for enough memory for one worker with decoder and network per core."""
    cores = os.cpu_count() or 1
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = f"{cores} cores, {gib(total)} memory"
    if total >= cores * _MEMORY_PER_CORE_BYTES:
        return Check("machine", "ok", found)
    fits = max(1, total // _MEMORY_PER_CORE_BYTES)
    return Check("machine", "warning", found, f"give Spark fewer cores: --master local[{fits}]")


def check_gpu() -> Check:
    """Report the GPUs that `nvidia-smi` lists; framejury also works without."""
    if shutil.which("nvidia-smi") is None:
        return Check("GPU", "ok", "none found (no nvidia-smi); training runs on the CPU")
    query = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    found = output_of("nvidia-smi", *query)
    if found:
        return Check("GPU", "ok", "; ".join(found.splitlines()))
    return Check("GPU", "warning", "nvidia-smi fails", "check the driver; training runs on the CPU")


def check_disk(place: Path) -> Check:
    """Check the free space for tables and for Spark's scratch files."""
    scratch = os.environ.get("SPARK_LOCAL_DIRS", tempfile.gettempdir()).split(",")[0]
    free = {folder: shutil.disk_usage(folder).free for folder in (place, existing_folder(scratch))}
    folder = min(free, key=lambda key: free[key])
    found = f"{gib(free[folder])} free in {folder}"
    if free[folder] >= _DISK_WARNING_BYTES:
        return Check("disk", "ok", found)
    state: State = "problem" if free[folder] < _DISK_PROBLEM_BYTES else "warning"
    return Check(
        "disk", state, found, "free some space; SPARK_LOCAL_DIRS moves Spark's scratch files"
    )
