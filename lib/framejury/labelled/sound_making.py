"""From labelled videos to a sound model: listening, the split and its gate, threshold, figures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from framejury.archive.labelled_video import Candidate, Placement
from framejury.archive.leakage import check_leakage
from framejury.archive.splits import split_videos
from framejury.audio.log_mel import CONTRACT, Floats
from framejury.audio.sound_model import SoundManifest, SoundModel, write_sound_model
from framejury.cli.progress import progress
from framejury.errors import MediaError, UsageError
from framejury.evaluation.binary import auc_or_none
from framejury.examine.listener import Listener, sound_score
from framejury.logs import say
from framejury.schemas.statuses import Label, Side, SoundOutcome
from framejury.settings import Settings

_LIBRARIES = ("framejury", "av", "keras", "numpy", "onnxruntime", "tensorflow", "tf2onnx")


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """A labelled video and the windows of its sound.

    Attributes:
        row: its row of `videos`.
        label: of its sound.
        windows: float32 (n, FRAMES, BANDS).
        outcome: `scored` if there are any.
        content_id: SHA-256 of the file; None if it could not be fetched.
    """

    row: Mapping[str, Any]
    label: Label
    windows: Floats
    outcome: SoundOutcome
    content_id: str | None

    @property
    def candidate(self) -> Candidate:
        """The video as input of `archive.splits`."""
        return Candidate(
            video_id=self.row["video_id"],
            path=self.row["path"],
            label=self.label,
            group_keys=(*self.row["group_keys"], f"group:{self.row['group']}"),
            content_id=self.content_id,
            usable=len(self.windows) > 0,
            why_not=f"its sound: {self.outcome.value}",
        )


def listen_to(
    videos: Sequence[Mapping[str, Any]], labels: Mapping[str, Label], settings: Settings
) -> list[Sound]:
    """Decode the sound of every labelled video in the sandbox; all windows stay in memory."""
    chosen = [row for row in videos if row["video_id"] in labels and not row["missing_since"]]
    found: list[Sound] = []
    with (
        Listener(settings) as listener,
        progress("videos whose sound was decoded", len(chosen), lambda: len(found)),
    ):
        for row in chosen:
            content_id = None
            try:
                with listener.fetched(row["uri"]) as (copy, left_s):
                    content_id = copy.content_id
                    answer = listener.listen(copy.file, left_s)
                windows, outcome = answer.windows, answer.outcome
            except MediaError:
                windows, outcome = np.zeros((0, 0, 0), np.float32), SoundOutcome.UNREADABLE
            found.append(Sound(row, labels[row["video_id"]], windows, outcome, content_id))
    return found


def placed(sounds: Sequence[Sound], settings: Settings) -> tuple[list[Placement], str | None]:
    """Split the videos by source, as for faces, and pass the leakage gate.

    Returns:
        a row per video; a sentence on the leak of a split by video, or None.

    Raises:
        UsageError: `split.unit` is face.
        SplitError, LeakageError: the videos cannot be split, or the split leaks.
    """
    if settings.split.unit == "face":
        raise UsageError("sounds are split by video, not by face; use --set split.unit=group")
    placements = split_videos([sound.candidate for sound in sounds], settings.split)
    return placements, check_leakage(placements)


def make_sound_model(
    sounds: Sequence[Sound],
    settings: Settings,
    output: Path,
    archive: str,
    log_dir: Path | None = None,
) -> SoundModel:
    """Train a network, choose its threshold on val, measure it and write the model.

    Args:
        sounds: from `listen_to`.
        settings: `audio`, `split`.
        output: folder of the model.
        archive: its name, for the description of the data.
        log_dir: folder of the log of its training; None: it writes none.
    """
    from framejury.training.sound_network import export_sound_network, train_sound_network

    placements, leak = placed(sounds, settings)
    _say_split(placements)
    side_of = {row.video_id: row.side for row in placements}
    parts: dict[Side, list[Sound]] = defaultdict(list)
    for sound in sounds:
        parts[side_of[sound.row["video_id"]]].append(sound)
    train, val = (_windows_of(parts[side]) for side in (Side.TRAIN, Side.VAL))
    network = train_sound_network(train, val, settings.audio, say, log_dir)

    def scores_of(some: Sequence[Sound]) -> tuple[Any, Any]:
        truth = np.array([one.label is Label.FAKE for one in some], np.int8)
        scores = [sound_score(network.score(one.windows)) for one in some]
        return truth, np.array(scores, np.float64)

    threshold = best_threshold(*scores_of(parts[Side.VAL]))
    metrics = {
        side.value: _figures(*scores_of(parts[side]), threshold)
        for side in (Side.VAL, Side.TEST)
        if parts[side]
    }
    counts = {
        side.value: dict(Counter(one.label.value for one in parts[side]))
        for side in (Side.TRAIN, Side.VAL, Side.TEST)
    }
    manifest = SoundManifest(
        features=dict(CONTRACT),
        threshold=threshold,
        data=f"The sounds of {len(sounds)} labelled videos of the archive {archive!r}.",
        leak=leak,
        counts=counts,
        metrics=metrics,
        libraries={name: version(name) for name in _LIBRARIES},
        created_at=datetime.now(UTC),
    )
    with export_sound_network(network, parts[Side.VAL][0].windows) as onnx_file:
        return write_sound_model(output, manifest, onnx_file)


def best_threshold(truth: Any, scores: Any) -> float:
    """Return the threshold with the best balanced accuracy.

    Ties take the widest gap, then the highest threshold, which accuses least.

    Args:
        truth: (n,) 1 for fake, both classes.
        scores: (n,) 0 to 1.

    Returns:
        the middle between two neighbouring scores, 0 to 1.
    """
    ordered = np.unique(np.concatenate([[0.0], scores, [1.0]]))
    edges = [(low + high) / 2 for low, high in pairwise(ordered)]
    widths = np.diff(ordered)

    def right(edge: float) -> float:
        called = scores >= edge
        return float(called[truth == 1].mean() + (~called)[truth == 0].mean())

    def rank(at: int) -> tuple[float, float, float]:
        return round(right(edges[at]), 9), round(float(widths[at]), 9), edges[at]

    return float(edges[max(range(len(edges)), key=rank)])


def _figures(truth: Any, scores: Any, threshold: float) -> dict[str, float]:
    """Return figures by video; what one class alone leaves undefined is left out."""
    found = {"accuracy": float(((scores >= threshold) == (truth == 1)).mean())}
    auc = auc_or_none(truth, scores)
    return found | ({} if auc is None else {"auc": auc})


def _windows_of(some: Sequence[Sound]) -> tuple[Floats, Any]:
    """Return all windows, and 1 for each of a fake sound."""
    counts = [len(one.windows) for one in some]
    truth = np.repeat([one.label is Label.FAKE for one in some], counts).astype(np.float32)
    return np.concatenate([one.windows for one in some]), truth


def _say_split(placements: Sequence[Placement]) -> None:
    counts = Counter((row.side, row.label) for row in placements)
    for side in (Side.TRAIN, Side.VAL, Side.TEST):
        real, fake = counts[side, Label.REAL], counts[side, Label.FAKE]
        say(f"  {side.value:<9}{real:>7,} real {fake:>7,} fake sounds")
    for reason, count in Counter(row.reason for row in placements if row.reason).most_common():
        say(f"    excluded {count:,}: {reason}")
