"""Fetch a video, hash it and have it examined; for Spark's workers and `framejury scan`.

Decoding, detection and scoring happen in a child process (`framejury.examine.child`), so this side
loads none of their libraries.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import partial
from typing import Any

import pyarrow as pa

from framejury.errors import MediaError
from framejury.examine.checks import Survey, checked, checked_clips, survey_of
from framejury.examine.client import DecodingClient
from framejury.examine.listener import Listener
from framejury.examine.messages import ROWS, ExaminePlan, VideoJob, extraction_row
from framejury.examine.segments import WELL, staged
from framejury.media.fetch import KnownContent, LocalCopy
from framejury.schemas.statuses import Status
from framejury.settings.loading import settings_from

_CHILD = "framejury.examine.child:serve"
_LEAST_S = 1.0
"""Seconds that sound and clips of a video get at least, if its picture took all of its time."""
_CLIPS_S = 20.0
"""Seconds that the clips of a video may take, at most."""


class Examiner(DecodingClient):
    """Examines videos in a child process, one at a time.

    Args:
        plan: what to do.
        gpu: GPU of the child if `plan.device` is cuda, as in `CUDA_VISIBLE_DEVICES`.
    """

    def __init__(self, plan: ExaminePlan, gpu: str | None = None) -> None:
        self._plan = plan
        settings = settings_from(plan.settings)
        self._listener = Listener(settings, plan.sound_dir) if plan.sound_dir else None
        super().__init__(
            _CHILD,
            asdict(plan),
            settings,
            # In the environment, since CUDA reads it once, when it loads.
            {} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu},
            opens_files=plan.device == "cuda",
        )

    def survey(self, job: VideoJob) -> Survey | None:
        """Return where the video may be cut; None: unknown, whatever the reason.

        Examining the video as a whole then gives it its status.
        """
        try:
            with self.fetched(job.uri) as (copy, left_s):
                if copy.size_bytes != job.size_bytes:
                    return None  # it changed after it was listed
                request = _request(job, copy) | {"survey": True}
                read = partial(survey_of, content_id=copy.content_id)
                return self.ask(request, copy.file, read, left_s)
        except MediaError:
            return None

    def examine(self, job: VideoJob) -> pa.RecordBatch:
        """Return the rows of one video (schema `ROWS`): one of `extractions`, its faces, its sound.

        The rows of a segment are addressed to the staging table (`segments.SEGMENTS`).

        Raises (besides those of `DecodingClient`):
            ScratchError: this machine cannot store the file; another one may.
        """
        started_s = time.perf_counter()
        row = extraction_row(job, self._plan.run_id, self._settings)
        try:
            with self.fetched(job.uri, _known(job)) as (copy, left_s):
                given = row | {"bytes": _size_bytes(job, copy), "content_id": copy.content_id}
                read = partial(
                    checked, given=given, job=job, frames=len(self._settings.sampling.offsets)
                )
                asked_s = time.monotonic()
                request = _request(job, copy) | {"left_s": left_s}
                batch = self.ask(request, copy.file, read, left_s)
                batch = self._with_memory(batch)
                if batch["status"][0].as_py() == Status.CRASHED.value:
                    self.close()  # out of memory: the next video gets a fresh child
                sound = self._sound_of(job, batch, copy, left_s - (time.monotonic() - asked_s))
                clips = self._clips_of(job, batch, copy, left_s - (time.monotonic() - asked_s))
            return pa.concat_batches([part for part in (batch, clips, sound) if part is not None])
        except MediaError as error:
            row |= {
                "status": error.status.value,
                "error": str(error),
                "wall_s": time.perf_counter() - started_s,
            }
        if job.segment is not None:
            row = staged(row, job.segment)
        return pa.RecordBatch.from_pylist([row], schema=ROWS)

    def close(self) -> None:
        """End both processes."""
        super().close()
        if self._listener is not None:
            self._listener.close()

    def _sound_of(
        self, job: VideoJob, batch: pa.RecordBatch, copy: LocalCopy, left_s: float
    ) -> pa.RecordBatch | None:
        """Return the row of `sounds`; None for a video that failed, and for later segments."""
        first = job.segment is None or job.segment.number == 0
        if self._listener is None or not first or batch["status"][0].as_py() not in WELL:
            return None
        row = self._listener.row(copy.file, max(left_s, _LEAST_S))
        row |= {"video_id": job.video_id, "run_id": self._plan.run_id}
        if job.segment is not None:
            row = staged(row, job.segment)
        return pa.RecordBatch.from_pylist([row], schema=ROWS)

    def _clips_of(
        self, job: VideoJob, batch: pa.RecordBatch, copy: LocalCopy, left_s: float
    ) -> pa.RecordBatch | None:
        """Return rows of `pictures` with clips; None where there are none, whatever the reason.

        The verdict is safe by now: making clips may fail, and ends with the time of the video.
        """
        evidence = self._settings.evidence
        has_scores = batch.num_rows > 1 and batch["score"].null_count < batch.num_rows
        if not (evidence.faces and evidence.clips and has_scores):
            return None
        request = _request(job, copy) | {"clips": True}
        read = partial(checked_clips, job=job, run_id=self._plan.run_id)
        try:
            return self.ask(request, copy.file, read, max(min(left_s, _CLIPS_S), _LEAST_S))
        except MediaError:
            return None

    def _with_memory(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Add the child's peak memory, measured from here, to the row of `extractions`."""
        name = "peak_memory_bytes"
        peak = [self._sandbox.peak_memory_bytes(), *[None] * (batch.num_rows - 1)]
        field = ROWS.field(name)
        return batch.set_column(ROWS.get_field_index(name), field, pa.array(peak, field.type))


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
        "in_one_round": job.in_one_round,
    }
