"""Fetch a video, hash it, have it examined; for Spark's workers and `framejury scan`.

The decoding, detection and scoring happen in a child process (`framejury.examine.child`), so this
side loads none of their libraries and survives whatever a file does to them. What the child
answers is checked before it is believed: a file may have taken it over.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from framejury.errors import MediaError
from framejury.examine.checks import DistrustError, Survey, checked, survey_of
from framejury.examine.failures import CHILD_FAILED, cpu_limit_s, end_of, is_for_memory
from framejury.examine.messages import ROWS, ExaminePlan, VideoJob, extraction_row
from framejury.examine.segments import staged
from framejury.media.fetch import KnownContent, LocalCopy, local_copy
from framejury.sandbox.lockdown import Lockdown
from framejury.sandbox.sandbox import Sandbox
from framejury.schemas.statuses import Status
from framejury.settings.loading import settings_from

_CHILD = "framejury.examine.child:serve"
_LEAST_S = 1e-3


class Examiner:
    """Examines videos in a child process, one at a time.

    Args:
        plan: what to do.
        gpu: which one the child may use (as in `CUDA_VISIBLE_DEVICES`), where `plan.device`
            is cuda.

    Raises (from `examine`, `survey` and `jail`):
        RuntimeError: the child cannot start, as with a missing bundle or a GPU that is not
            usable; a fault of the run.
        SetupError: `limits.jail` is require, and the kernel lacks a part.
    """

    def __init__(self, plan: ExaminePlan, gpu: str | None = None) -> None:
        self._plan = plan
        self._settings = settings_from(plan.settings)
        limits = self._settings.limits
        # Before any library loads, for CUDA looks at it once.
        environment = {} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}
        self._sandbox = Sandbox(
            _CHILD,
            asdict(plan),
            limits.memory_bytes,
            environment,
            policy=limits.jail,
            opens_files=plan.device == "cuda",
        )
        self._left_s = limits.timeout_s

    @property
    def starts(self) -> int:
        """How many child processes were started; one, where no video has cost its own."""
        return self._sandbox.starts

    def lockdown(self) -> Lockdown:
        """How far the child is locked up: which layers are in force, which are lacking and why.

        Starts the child where there is none.
        """
        return self._sandbox.lockdown()

    def survey(self, job: VideoJob) -> Survey | None:
        """Where the video may be cut; None when that cannot be told, whatever the reason.

        Examining it without a survey then gives it its status.
        """
        try:
            with self._fetched(job, None) as copy:
                if copy.size_bytes != job.size_bytes:
                    return None  # it changed after it was listed
                answer = self._ask(job, copy, {"survey": True})
            return survey_of(answer, copy.content_id)
        except (MediaError, DistrustError, *CHILD_FAILED):
            return None

    def examine(self, job: VideoJob) -> pa.RecordBatch:
        """The rows of one video (schema `ROWS`): one of `extractions`, and its faces.

        Of a segment the same rows, addressed to the staging table (`segments.SEGMENTS`).

        Raises (beside those above):
            ScratchError: this machine cannot take the file in; another one may.
        """
        started_s = time.perf_counter()
        row = extraction_row(job, self._plan.run_id, self._settings)
        try:
            with self._fetched(job, _known(job)) as copy:
                answer = self._ask(job, copy)
            row |= {"bytes": _size_bytes(job, copy), "content_id": copy.content_id}
            batch = checked(answer, row, job, pairs=self._settings.sampling.pairs)
            batch = self._with_memory(batch)
            if batch["status"][0].as_py() == Status.CRASHED.value:
                self._sandbox.close()  # out of memory: the next video gets a fresh child
            return batch
        except MediaError as error:
            status, message = error.status, str(error)
        except DistrustError as error:
            self._sandbox.close()
            status, message = Status.CRASHED, f"the decoding process gave no sound answer: {error}"
        except CHILD_FAILED as error:
            status, message = end_of(error, self._settings)
            if is_for_memory(error):
                self._sandbox.close()
        row |= {
            "bytes": job.size_bytes,
            "content_id": None,
            "status": status.value,
            "error": message,
            "wall_s": time.perf_counter() - started_s,
        }
        if job.segment is not None:
            row = staged(row, job.segment)
        return pa.RecordBatch.from_pylist([row], schema=ROWS)

    def _with_memory(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """What the child used at most, measured from here; only its extraction says so."""
        name = "peak_memory_bytes"
        peak = [self._sandbox.peak_memory_bytes(), *[None] * (batch.num_rows - 1)]
        field = ROWS.field(name)
        return batch.set_column(ROWS.get_field_index(name), field, pa.array(peak, field.type))

    @contextmanager
    def _fetched(self, job: VideoJob, known: KnownContent | None) -> Iterator[LocalCopy]:
        limits, started_s = self._settings.limits, time.monotonic()
        with local_copy(job.uri, limits.bytes, known, limits.timeout_s) as copy:
            self._left_s = max(limits.timeout_s - (time.monotonic() - started_s), _LEAST_S)
            yield copy

    def _ask(self, job: VideoJob, copy: LocalCopy, more: Mapping[str, Any] | None = None) -> bytes:
        """The child's answer, within what fetching has left of the time."""
        request = _request(job, copy) | dict(more or {})
        cpu_s = cpu_limit_s(self._settings)
        return self._sandbox.call(request, self._left_s, cpu_s=cpu_s, file=copy.file)

    def close(self) -> None:
        """End the child process."""
        self._sandbox.close()


def _known(job: VideoJob) -> KnownContent | None:
    if job.content_id is None or job.size_bytes is None:
        return None
    return KnownContent(job.size_bytes, job.content_id)


def _size_bytes(job: VideoJob, copy: LocalCopy) -> int:
    return job.size_bytes if job.size_bytes is not None else copy.size_bytes


def _request(job: VideoJob, copy: LocalCopy) -> dict[str, Any]:
    return {
        "uri": job.uri,
        "video_id": job.video_id,
        "size_bytes": _size_bytes(job, copy),
        "modified_at": None if job.modified_at is None else job.modified_at.isoformat(),
        "content_id": copy.content_id,
        "segment": None if job.segment is None else asdict(job.segment),
    }
