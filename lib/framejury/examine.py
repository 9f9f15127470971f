"""One video from bytes to rows: decode, detect, crop, and score or keep the crops.

Runs in the child process of `framejury.examiner`. No Spark, no TensorFlow.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import av
import cv2
import numpy as np
import pyarrow as pa

from framejury.config import settings_from
from framejury.errors import MediaError
from framejury.faces.crop import crop_region, encode_crop, limited
from framejury.faces.detect import Detector, make_detector
from framejury.faces.follow import FaceFinder
from framejury.faces.person import People
from framejury.media.decode import VideoFile
from framejury.media.picture import Picture
from framejury.media.signatures import VideoSource
from framejury.model.bundle import load_bundle
from framejury.model.runtime import Scorer
from framejury.packing import FRAME_S, OPEN_S, READ_S_A_BYTE
from framejury.pictures import Flicker, PictureKeeper, ScoredFace
from framejury.records import Box, DetectedFace, Image, Region, SampledFrame
from framejury.rows import (
    ROWS,
    TABLE_COLUMN,
    ExaminePlan,
    Segment,
    VideoJob,
    extraction_row,
    to_ipc,
)
from framejury.schemas import Status
from framejury.segments import staged
from framejury.settings import Settings

_OVERHEAD_RATIO = 0.1
"""Of a segment's work, what opening the file once more for it may take."""
_NO_MEMORY = "asks for more memory than limits.memory_bytes leaves"
"""What is really needed, or what a damaged header makes libav ask for."""


@dataclass
class Toolbox:
    """What examining needs, loaded once a process."""

    settings: Settings
    detector: Detector
    scorer: Scorer | None
    keep_crops: bool

    @classmethod
    def load(cls, plan: ExaminePlan) -> Toolbox:
        """Load detector and network.

        Raises:
            BundleError, SetupError: they are missing or altered, or the GPU that the plan
                asks for is not usable.
        """
        settings = settings_from(plan.settings)
        threads = settings.scoring.threads
        cv2.setNumThreads(threads)  # else it takes every core of the machine
        scorer = None
        if plan.bundle_dir is not None:
            bundle = load_bundle(plan.bundle_dir)
            scorer = Scorer(bundle, threads, settings.scoring.batch_size, plan.device)
            if plan.device == "cuda":
                # CUDA maps memory on first use; the sandbox limits what comes after loading.
                side = bundle.input_px
                scorer.score([np.zeros((side, side, 3), np.uint8)] * scorer.batch_size)
        return cls(settings, make_detector(settings.detection, threads), scorer, plan.keep_crops)


def load_the_rest(tools: Toolbox) -> None:
    """Have the libraries load what they load on first use: after this the child opens no file."""
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.startswith(("av.datasets", "av.__main__")):
            importlib.import_module(module.name)
    importlib.import_module("numpy.random")
    frame = av.VideoFrame.from_ndarray(np.zeros((240, 320, 3), np.uint8), format="rgb24")
    sampled = SampledFrame(0, 0.0, Picture(frame.reformat(format="yuv420p")), True)
    look = _Look(tools)
    look.at(sampled)
    for x in (40.0, 42.0):  # twice, so that they are compared
        look.keep_all(sampled, [DetectedFace(Box(x, 40.0, 90.0, 90.0), 1.0, None)])
    look.finish()
    row = extraction_row(VideoJob("", "", 0, datetime.now(UTC)), "", tools.settings)
    rows = [row, *_other_rows(Examined({}, look.faces, look.pictures()), row, tools, "")]
    to_ipc(pa.RecordBatch.from_pylist(rows, schema=ROWS))


@dataclass(frozen=True)
class ExaminedFace:
    """A face without its picture.

    Attributes:
        person: who it is, of this video or segment.
        crop: the stored image file, when kept.
        ssim: to the same person's face before, -1 to 1; None for the first, and without a network.
    """

    frame_index: int
    pts_s: float
    face_index: int
    person: int
    face: DetectedFace
    region: Region
    crop: bytes | None
    p_fake: float | None
    ssim: float | None


@dataclass
class Examined:
    """The outcome of one video: columns of `extractions`, its faces, and rows of `pictures`."""

    facts: dict[str, Any]
    faces: list[ExaminedFace]
    pictures: list[dict[str, Any]]


def examine_video(
    source: VideoSource, key: str, tools: Toolbox, segment: Segment | None = None
) -> Examined:
    """Decode, detect, crop and score one local file, in this process.

    Args:
        source: the file: its path, or a descriptor of it.
        key: what makes random sampling differ between videos (the `video_id`).
        tools: detector, network, settings.
        segment: only these of the frames that the whole video's plan looks at.

    Returns:
        status `extracted` or `no_face` and every face; or another status and no face. Memory
        stays bounded by a few frames, whatever the video's length.
    """
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    facts: dict[str, Any] = {"frames_decoded": 0, "frames_sampled": 0, "faces_found": 0}
    look = _Look(tools)
    sampled_s: list[float] = []
    pictures: list[dict[str, Any]] = []
    try:
        with VideoFile(source, tools.settings.limits, tools.settings.scoring.threads) as video:
            size = video.facts.coded_size
            facts |= {
                "container": video.facts.container,
                "codec": video.facts.codec,
                "width_px": size.width,
                "height_px": size.height,
                "duration_s": video.facts.duration_s,
                "frames_total": len(video.facts.times_s),
            }
            ranks = video.choose(tools.settings.sampling, key)
            if segment is not None:
                ranks = ranks[(ranks >= segment.first) & (ranks < segment.stop)]
            try:
                for frame in video.frames(ranks, None if segment is None else segment.stop):
                    shown = frame.picture.size
                    facts |= {"width_px": shown.width, "height_px": shown.height}
                    facts["frames_sampled"] += 1
                    sampled_s.append(frame.pts_s)
                    facts["faces_found"] += look.at(frame)
                look.finish()
            finally:
                facts["frames_decoded"] = video.frames_decoded
        pictures = look.pictures()
        facts["status"] = (Status.EXTRACTED if look.faces else Status.NO_FACE).value
        facts["error"] = video.damage
    except MediaError as error:
        look.faces.clear()
        facts |= {"status": error.status.value, "error": str(error), "faces_found": 0}
    except MemoryError:
        look.faces.clear()
        facts |= {"status": Status.CRASHED.value, "error": _NO_MEMORY}
    facts["sampled_s"] = sampled_s
    facts["faces_kept"] = len(look.faces)
    facts["wall_s"] = time.perf_counter() - started_s
    facts["cpu_s"] = time.process_time() - started_cpu_s
    return Examined(facts, look.faces, pictures)


def serve(setup: Mapping[str, Any]) -> Any:
    """The child's handler: requests of `Examiner` in, Arrow IPC bytes out."""
    plan = ExaminePlan(**setup)
    tools = Toolbox.load(plan)
    load_the_rest(tools)
    model_id = tools.scorer.bundle.model_id if tools.scorer is not None else None

    def handle(request: dict[str, Any]) -> bytes:
        if request.get("survey"):
            return json.dumps(survey_video(request["file"], request["video_id"], tools)).encode()
        segment = Segment(**request["segment"]) if request.get("segment") else None
        examined = examine_video(request["file"], request["video_id"], tools, segment)
        modified_at = request["modified_at"]
        job = VideoJob(
            request["video_id"],
            request["uri"],
            request["size_bytes"],
            None if modified_at is None else datetime.fromisoformat(modified_at),
        )
        row = extraction_row(job, plan.run_id, tools.settings)
        row |= examined.facts | {"content_id": request["content_id"]}
        rows = [row, *_other_rows(examined, row, tools, model_id)]
        if segment is not None:
            boxes: dict[tuple[Any, Any], Box] = {
                (face.frame_index, face.face_index): face.face.box for face in examined.faces
            }
            rows = [
                staged(row, segment, boxes.get((row.get("frame_index"), row.get("face_index"))))
                for row in rows
            ]
        return to_ipc(pa.RecordBatch.from_pylist(rows, schema=ROWS))

    return handle


def survey_video(file: int, key: str, tools: Toolbox) -> dict[str, Any]:
    """What a long video would cost and where it may be cut; its headers are read, no frame.

    Each segment reads the headers again, so in a very large file segments are longer than
    `spark.segment_s`, and that stays a small part of their work.

    Args:
        file: descriptor of the file.
        key, tools: as in `examine_video`.

    Returns:
        `segments`: a list of {`first`, `stop`, `cost_s`}, in order of time.

    Raises:
        MediaError: it cannot be opened.
    """
    with VideoFile(file, tools.settings.limits) as video:
        ranks = video.choose(tools.settings.sampling, key)
        open_s = OPEN_S + READ_S_A_BYTE * os.fstat(file).st_size
        most_s = max(tools.settings.spark.segment_s, open_s / _OVERHEAD_RATIO)
        segments = video.segments(ranks, most_s, FRAME_S)
    return {
        "segments": [
            {"first": first, "stop": stop, "cost_s": open_s + cost_s}
            for (first, stop), cost_s in segments
        ]
    }


class _Look:
    """Looks at the frames of one video; its faces are in `faces`, once it is finished.

    Crops wait until a call of the network is full, so that few are in memory at once.
    """

    def __init__(self, tools: Toolbox) -> None:
        self.faces: list[ExaminedFace] = []
        self._tools = tools
        self._finder = FaceFinder(tools.detector, tools.settings.detection)
        self._people = People()
        self._flicker = Flicker()
        self._keeper = PictureKeeper(tools.settings.evidence)
        self._waiting: list[tuple[ExaminedFace, Image, Image]] = []

    def at(self, frame: SampledFrame) -> int:
        """How many faces the frame shows, before the choice."""
        found = self._finder.find(frame)
        self.keep_all(frame, found.faces)
        return len(found.boxes)

    def keep_all(self, frame: SampledFrame, faces: Sequence[DetectedFace]) -> None:
        """Crop the faces of a frame, and have them scored when enough of them wait."""
        if not faces:
            return
        persons = self._people.at([face.box for face in faces])
        for face_index, (face, person) in enumerate(zip(faces, persons, strict=True)):
            self._keep(frame, face_index, face, person)

    def _keep(self, frame: SampledFrame, face_index: int, face: DetectedFace, person: int) -> None:
        crops, scorer = self._tools.settings.crops, self._tools.scorer
        region = crop_region(
            face.box, frame.picture.size, crops.margin_ratio, crops.shape, crops.shift_ratio
        )
        crop = limited(frame.picture.part(region), crops.max_side_px)
        stored = None
        if self._tools.keep_crops:
            stored = encode_crop(crop, crops.format, crops.jpeg_quality)
        examined = ExaminedFace(
            frame.frame_index,
            frame.pts_s,
            face_index,
            person,
            face,
            region,
            stored,
            None,
            None if scorer is None else self._flicker.at(person, crop),
        )
        if scorer is None:
            self.faces.append(examined)
        else:
            self._waiting.append((examined, crop, self._finder.looked_at))
            if len(self._waiting) == scorer.batch_size:
                self.finish()

    def finish(self) -> None:
        """Score the crops that wait."""
        waiting, self._waiting = self._waiting, []
        if not waiting or self._tools.scorer is None:
            return
        scores, heat = self._tools.scorer.score_and_explain([crop for _, crop, _ in waiting])
        for number, (face, crop, looked_at) in enumerate(waiting):
            p_fake = float(scores[number])
            self.faces.append(replace(face, p_fake=p_fake))
            cells = None if heat is None else heat[number]
            place = face.frame_index, face.pts_s, face.face_index
            self._keeper.offer(ScoredFace(*place, p_fake, crop, looked_at, cells))

    def pictures(self) -> list[dict[str, Any]]:
        """Columns of `pictures` but ids: what is kept as evidence, with heat maps."""
        return self._keeper.rows()


def _other_rows(
    examined: Examined, extraction: Mapping[str, Any], tools: Toolbox, model_id: str | None
) -> Iterator[dict[str, Any]]:
    """Rows of `faces` when crops are kept, of `face_scores` and `pictures` with a network."""
    ids = {name: extraction[name] for name in ("video_id", "run_id")}
    for face in examined.faces:
        common = ids | {
            "frame_index": face.frame_index,
            "pts_s": face.pts_s,
            "face_index": face.face_index,
            "person": face.person,
            "box": asdict(face.face.box),
            "confidence": face.face.confidence,
        }
        if tools.keep_crops:
            landmarks = face.face.landmarks
            yield common | {
                TABLE_COLUMN: "faces",
                "landmarks": None if landmarks is None else [asdict(p) for p in landmarks],
                "detector": tools.detector.name,
                "crop_region": asdict(face.region),
                "crop": face.crop,
            }
        if face.p_fake is not None:
            yield common | {
                TABLE_COLUMN: "face_scores",
                "model_id": model_id,
                "p_fake": face.p_fake,
                "ssim": face.ssim,
            }
    for picture in examined.pictures:
        yield ids | picture | {TABLE_COLUMN: "pictures", "model_id": model_id}
