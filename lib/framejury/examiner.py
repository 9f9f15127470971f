"""Fetch a video, hash it, have it examined; for Spark's workers and `framejury scan`.

The decoding, detection and scoring happen in a child process (`framejury.examine`), so this
side loads none of their libraries and survives whatever a file does to them.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from framejury.config import settings_from
from framejury.errors import MediaError
from framejury.media.fetch import KnownContent, local_copy
from framejury.media.sandbox import (
    Sandbox,
    SandboxCrashError,
    SandboxHandlerError,
    SandboxTimeoutError,
)
from framejury.rows import ROWS, ExaminePlan, Segment, VideoJob, extraction_row, from_ipc
from framejury.schemas import Status
from framejury.segments import staged

_CHILD = "framejury.examine:serve"


@dataclass(frozen=True)
class Survey:
    """Where a long video may be cut.

    Attributes:
        content_id: SHA-256 of the file, hex.
        segments: in order of time, one at least.
        costs_s: estimated seconds on one core, of each segment.
    """

    content_id: str
    segments: tuple[Segment, ...]
    costs_s: tuple[float, ...]


class Examiner:
    """Examines videos in a child process, one at a time.

    Args:
        plan: what to do.
        gpu: which one the child may use (as in `CUDA_VISIBLE_DEVICES`), where `plan.device`
            is cuda.

    Raises (from `examine` and `survey`):
        RuntimeError: the child cannot start, as with a missing bundle or a GPU that is not
            usable; a fault of the run.
    """

    def __init__(self, plan: ExaminePlan, gpu: str | None = None) -> None:
        self._plan = plan
        self._settings = settings_from(plan.settings)
        # Before any library loads, for CUDA looks at it once.
        environment = {} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}
        self._sandbox = Sandbox(
            _CHILD, asdict(plan), self._settings.limits.memory_bytes, environment
        )

    def survey(self, job: VideoJob) -> Survey | None:
        """Where the video may be cut; None when that cannot be told, whatever the reason.

        Examining it without a survey then gives it its status.
        """
        try:
            with local_copy(job.uri, self._settings.limits.bytes) as copy:
                if copy.size_bytes != job.size_bytes:
                    return None  # it changed after it was listed
                request = _request(job, copy.path, copy.size_bytes, copy.content_id)
                answer = self._sandbox.call(
                    request | {"survey": True}, self._settings.limits.timeout_s
                )
                content_id = copy.content_id
        except (MediaError, SandboxTimeoutError, SandboxCrashError, SandboxHandlerError):
            return None
        found = json.loads(answer)["segments"]
        return Survey(
            content_id,
            tuple(Segment(i, part["first"], part["stop"]) for i, part in enumerate(found)),
            tuple(part["cost_s"] for part in found),
        )

    def examine(self, job: VideoJob) -> pa.RecordBatch:
        """The rows of one video (schema `ROWS`): one of `extractions`, and its faces.

        Of a segment the same rows, addressed to the staging table (`segments.SEGMENTS`).
        """
        started_s = time.perf_counter()
        try:
            with local_copy(job.uri, self._settings.limits.bytes, _known(job)) as copy:
                request = _request(job, copy.path, copy.size_bytes, copy.content_id)
                answer = self._sandbox.call(request, self._settings.limits.timeout_s)
            return from_ipc(answer)
        except MediaError as error:
            status, message = error.status, str(error)
        except SandboxTimeoutError:
            status = Status.TIMEOUT
            message = f"longer than limits.timeout_s = {self._settings.limits.timeout_s:g} seconds"
        except SandboxCrashError as error:
            status, message = Status.CRASHED, str(error)
        except SandboxHandlerError as error:
            # No library names all the ways it fails on a hostile file; one must not end a run.
            status, message = Status.CRASHED, "the decoding process failed: " + _brief(error)
        row = extraction_row(job, self._plan.run_id, self._settings)
        row |= {
            "status": status.value,
            "error": message,
            "wall_s": time.perf_counter() - started_s,
        }
        if job.segment is not None:
            row = staged(row, job.segment)
        return pa.RecordBatch.from_pylist([row], schema=ROWS)

    def close(self) -> None:
        """End the child process."""
        self._sandbox.close()


def _known(job: VideoJob) -> KnownContent | None:
    if job.content_id is None or job.size_bytes is None:
        return None
    return KnownContent(job.size_bytes, job.content_id)


def _request(job: VideoJob, path: Path, size_bytes: int, content_id: str) -> dict[str, Any]:
    return {
        "path": str(path),
        "uri": job.uri,
        "video_id": job.video_id,
        "size_bytes": job.size_bytes if job.size_bytes is not None else size_bytes,
        "modified_at": None if job.modified_at is None else job.modified_at.isoformat(),
        "content_id": content_id,
        "segment": None if job.segment is None else asdict(job.segment),
    }


def _brief(error: SandboxHandlerError) -> str:
    """What was raised and where, of a traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    places = [line for line in lines if line.startswith("File ")]
    return "; ".join([lines[-1], *places[-1:]])
