"""The passes over one video: the frames that the settings choose, in one round or several.

While the verdict is not settled, a further round adds frames between those examined
(`sampling.rounds`, docs/decisions/0027-rounds-of-frames.md).
"""

from __future__ import annotations

import time
from dataclasses import asdict

import numpy as np

from framejury.errors import MediaError
from framejury.examine.faces import FaceExaminer
from framejury.examine.messages import Outcome, Segment
from framejury.examine.toolbox import Toolbox
from framejury.media.container import VideoSource
from framejury.media.decode import VideoFile
from framejury.media.sample import Indices, Walk, draw_again
from framejury.schemas.notes import VideoNote, to_text
from framejury.schemas.statuses import Note, Status

_MOST_OF_TIME = 0.5
"""A round is left out if the video would then have used more than this share of its time."""


class TimeBudget:
    """The time that a video may take from now on.

    Args:
        wall_s, cpu_s: seconds.
    """

    def __init__(self, wall_s: float, cpu_s: float) -> None:
        self._wall_s, self._cpu_s = wall_s, cpu_s
        self._began_s, self._began_cpu_s = time.perf_counter(), time.process_time()

    @property
    def wall_s(self) -> float:
        """Wall-clock seconds used so far."""
        return time.perf_counter() - self._began_s

    @property
    def cpu_s(self) -> float:
        """CPU seconds used so far."""
        return time.process_time() - self._began_cpu_s

    def allows(self, growth: float) -> bool:
        """Check that `growth` times the time used so far leaves time enough."""
        used = max(self.wall_s / self._wall_s, self.cpu_s / self._cpu_s)
        return growth * used <= _MOST_OF_TIME


class VideoPasses:
    """Passes over one video.

    Args:
        source: the file: its path, or a descriptor of it.
        key: seeds random sampling per video (the `video_id`).
        tools: detector, network, settings.
        budget: of time.
        in_one_round: whether no further round may follow.

    Attributes:
        outcome: what is known so far, also when a pass raises.
    """

    def __init__(
        self,
        source: VideoSource,
        key: str,
        tools: Toolbox,
        budget: TimeBudget,
        *,
        in_one_round: bool = False,
    ) -> None:
        self.outcome = Outcome()
        self._source = source
        self._key = key
        self._tools = tools
        self._budget = budget
        self._sampling = tools.settings.sampling
        self._in_one_round = in_one_round

    def run(self, segment: Segment | None) -> FaceExaminer:
        """Examine the frames that the settings choose.

        Raises:
            MediaError: the video cannot be read.
        """
        with self._open() as video:
            self._note_headers(video)
            ranks, found = video.choose(self._sampling, self._key), self._begin()
            if segment is not None:
                inside = (ranks >= segment.first) & (ranks < segment.stop)
                self._examine(video, found, ranks[inside], segment.stop)
                self.outcome.error = video.damage
                return found
            if len(ranks) == 0:
                self.outcome.error = "no frame has a successor, as sampling.pairs requires"
                return found
            drawn = self._sampling.mode == "random"
            self._examine(video, found, ranks, len(video.facts.times_s) if drawn else None)
            ended = self._add_rounds(video, found, ranks)
            self.outcome.error = "; ".join(filter(None, (video.damage, ended))) or None
        if drawn and found.ranks != ranks.tolist():
            return self._redraw(video.damage or "frames are not where the container says")
        return found

    def _add_rounds(self, video: VideoFile, found: FaceExaminer, ranks: Indices) -> str | None:
        """Add frames while the verdict is not settled, and time and frames are left.

        Whatever happens to the file in a later round, the video keeps its faces.

        Returns:
            why a round ended early, in words; None: none did.
        """
        for rounds, count in enumerate(self._tools.counts[1:], start=1):
            if self._tools.is_settled(found.faces, rounds):
                return None
            more = video.choose_more(self._sampling, ranks, count)
            if len(more) == 0:
                return None
            if why_not := self._why_no_round(1 + len(more) / len(ranks)):
                notes = [*video.notes(), VideoNote(Note.ROUNDS_LEFT_OUT, why_not)]
                self.outcome.notes = to_text(notes)
                return None
            found.begin_round()
            try:
                self._examine(video, found, more, len(video.facts.times_s))
            except MediaError as error:
                found.finish()
                self.outcome.sampled_s.sort()
                return f"round {rounds + 1} of frames ended early: {error}"
            ranks = np.union1d(ranks, more)
        return None

    def _why_no_round(self, growth: float) -> str | None:
        """Return why no round may follow that takes `growth` times as long in all, or None."""
        if self._in_one_round:
            return "an earlier try failed"
        if not self._budget.allows(growth):
            return "they could have taken more than half of limits.timeout_s or limits.cpu_s"
        return None

    def _redraw(self, damage: str) -> FaceExaminer:
        """Sample readable frames in place of those drawn first.

        Starts over, since faces are tracked in order of time: a damaged file takes three passes.

        Raises:
            MediaError: `unreadable` when no frame can be read.
        """
        with self._open() as video:
            readable = video.readable()
            self.outcome.frames_decoded += video.frames_decoded
            ranks = draw_again(len(video.facts.times_s), self._sampling, self._key, readable)
        if len(ranks) == 0:
            raise MediaError(Status.UNREADABLE, damage)
        found = self._begin()
        with self._open() as video:
            self._examine(video, found, ranks, None)
        self.outcome.error = f"{damage}; other frames were drawn instead"
        return found

    def _open(self) -> VideoFile:
        settings = self._tools.settings
        threads, stream = settings.scoring.threads, settings.sampling.stream
        return VideoFile(self._source, settings.limits, threads, stream)

    def _note_headers(self, video: VideoFile) -> None:
        facts, outcome = video.facts, self.outcome
        outcome.container, outcome.codec = facts.container, facts.codec
        outcome.width_px, outcome.height_px = facts.coded_size.width, facts.coded_size.height
        outcome.duration_s, outcome.frames_total = facts.duration_s, len(facts.times_s)
        outcome.origin = asdict(video.origin)

    def _begin(self) -> FaceExaminer:
        """Count anew, except decoded frames."""
        outcome = self.outcome
        outcome.frames_sampled, outcome.faces_found, outcome.sampled_s = 0, 0, []
        outcome.rounds = None
        return self._tools.face_examiner()

    def _examine(
        self, video: VideoFile, found: FaceExaminer, ranks: Indices, stop: int | None
    ) -> None:
        """Make one pass; frames that stand in for damaged ones are examined once only."""
        outcome, decoded = self.outcome, video.frames_decoded
        earlier = outcome.rounds or 0
        walk = None
        samples = video.samples(ranks, stop, self._sampling.offsets)
        if self._sampling.mode == "strided_retry":
            walk = Walk(len(video.facts.times_s), self._sampling)
            samples = video.walk(walk)
        span = self._sampling.span
        known, last = set(found.ranks), max(found.ranks, default=-1)
        try:
            for frames in samples:
                first = frames[0].frame_index
                if not known.isdisjoint(range(first - span + 1, first + span)):
                    continue
                if first > last:
                    shown = frames[0].picture.size
                    outcome.width_px, outcome.height_px = shown.width, shown.height
                outcome.rounds = earlier + 1
                outcome.frames_sampled += len(frames)
                outcome.sampled_s.append(frames[0].pts_s)
                kept = found.kept
                outcome.faces_found += found.examine(frames)
                if walk is not None:
                    walk.go_on(first, found=found.kept > kept)
            found.finish()
            outcome.sampled_s.sort()
        finally:
            outcome.frames_decoded += video.frames_decoded - decoded
            outcome.notes = to_text(video.notes())
