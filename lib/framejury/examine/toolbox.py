"""What a child process loads once to examine videos: detector, network, settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2

from framejury.errors import SetupError
from framejury.examine.faces import ExaminedFace, FaceExaminer, face_row, score_rows, scores_of
from framejury.examine.messages import TABLE_COLUMN, ExaminePlan, Outcome
from framejury.faces.detect import Detector, make_detector
from framejury.model.bundle import load_bundle
from framejury.model.ensemble_scorer import scorer_for
from framejury.model.framing import lacking_frames
from framejury.model.runtime import Scorer
from framejury.model.scoring_cost import blank_face
from framejury.settings import Settings
from framejury.settings.loading import settings_from
from framejury.verdict.rule import rule_in_use
from framejury.verdict.settled import is_settled


@dataclass
class Examined:
    """The outcome of one video, its faces, and columns of `pictures` without ids."""

    outcome: Outcome
    faces: list[ExaminedFace] = field(default_factory=list)
    pictures: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Toolbox:
    """Detector, network and settings, loaded once per process."""

    settings: Settings
    detector: Detector
    scorer: Scorer | None
    keep_crops: bool

    @classmethod
    def load(cls, plan: ExaminePlan) -> Toolbox:
        """Load detector and network.

        Raises:
            BundleError, SetupError: a file is missing or altered, the GPU that the plan requires
                is not usable, or the settings sample other frames than the network needs.
        """
        settings = settings_from(plan.settings)
        threads = settings.scoring.threads
        cv2.setNumThreads(threads)  # by default OpenCV takes every core
        scorer = None
        if plan.bundle_dir is not None:
            bundle = load_bundle(plan.bundle_dir)
            if lacking := lacking_frames(bundle, plan.settings["sampling"]):
                raise SetupError(f"{bundle.model_id} needs {' '.join(lacking)}")
            scorer = scorer_for(bundle, threads, settings.scoring.batch_size, plan.device)
            if plan.device == "cuda":
                # CUDA maps memory on first use; the sandbox limits memory after loading.
                scorer.score([blank_face(bundle)] * scorer.batch_size)
        return cls(settings, make_detector(settings.detection, threads), scorer, plan.keep_crops)

    @property
    def counts(self) -> tuple[int, ...]:
        """Samples per video after each round; without a network no verdict asks for a second."""
        counts = self.settings.sampling.counts
        return counts if self.scorer is not None else counts[:1]

    def face_examiner(self) -> FaceExaminer:
        """Return an examiner for a new video."""
        return FaceExaminer(
            self.settings,
            self.detector,
            self.scorer,
            keep_crops=self.keep_crops,
            in_rounds=len(self.counts) > 1,
        )

    def is_settled(self, faces: Sequence[ExaminedFace], rounds: int) -> bool:
        """Check that a video with these faces after so many rounds needs no further one."""
        if self.scorer is None:
            return True
        verdict = self.settings.verdict
        rule = rule_in_use(self.scorer.bundle.rule, verdict)
        return is_settled(scores_of(faces), rule, verdict, rounds=rounds)

    def seconds(self) -> dict[str, float]:
        """Return the time that each network has taken so far, seconds by model_id."""
        return {} if self.scorer is None else self.scorer.seconds

    def rows(self, examined: Examined, extraction: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield rows of `faces` when crops are kept, of `face_scores` and `pictures` when scored.

        Args:
            examined: faces and pictures of one video.
            extraction: its row of `extractions`.
        """
        ids = {name: extraction[name] for name in ("video_id", "run_id")}
        model_id = None if self.scorer is None else self.scorer.bundle.model_id
        for face in examined.faces:
            if self.keep_crops:
                yield ids | face_row(face, self.detector.name)
            if face.score is not None and self.scorer is not None:
                yield from (ids | row for row in score_rows(face, self.scorer.bundle))
        for picture in examined.pictures:
            yield ids | picture | {TABLE_COLUMN: "pictures", "model_id": model_id}
