"""Every table of the warehouse, declared once.

A table is a `pyarrow.Schema`; each field carries its sentence (and unit) as
metadata. Parquet files, Spark's `StructType` (`framejury.tables.spark_schema`), the
tests and `docs/data_dictionary.md` all come from here.
"""

from __future__ import annotations

import pyarrow as pa

from framejury.schemas.statuses import LANDMARK_NAMES


def _field(name: str, kind: pa.DataType, doc: str, *, required: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=not required, metadata={"doc": doc})


_VIDEO_ID = _field(
    "video_id",
    pa.string(),
    "Stable id of the video: first 20 hex digits of SHA-256 of its archive-relative path.",
    required=True,
)
_RUN_ID = _field("run_id", pa.string(), "The run that wrote this row.", required=True)
_MODEL_ID = _field("model_id", pa.string(), "`model_id` of the bundle that scored.", required=True)
_FRAME_INDEX = _field(
    "frame_index", pa.int32(), "Rank of the frame in presentation order, from 0.", required=True
)
_PTS_S = _field(
    "pts_s", pa.float64(), "Presentation time of the frame, seconds from the first.", required=True
)
_FACE_INDEX = _field(
    "face_index",
    pa.int16(),
    "Rank of the face among those kept of its frame, left to right, from 0: each frame with "
    "faces has one of rank 0.",
    required=True,
)
_PERSON = _field(
    "person",
    pa.int32(),
    "The same number for the same face over time within one video, from 0.",
    required=True,
)

BOX = pa.struct(
    [
        pa.field("x", pa.float32(), nullable=False),
        pa.field("y", pa.float32(), nullable=False),
        pa.field("width", pa.float32(), nullable=False),
        pa.field("height", pa.float32(), nullable=False),
    ]
)
REGION = pa.struct(
    [
        pa.field("x", pa.int32(), nullable=False),
        pa.field("y", pa.int32(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
    ]
)
POINT = pa.struct(
    [pa.field("x", pa.float32(), nullable=False), pa.field("y", pa.float32(), nullable=False)]
)

VIDEOS = pa.schema(
    [
        _VIDEO_ID,
        _RUN_ID,
        _field("path", pa.string(), "Path below the archive, with `/`.", required=True),
        _field("uri", pa.string(), "Where the file is: a local path or a URI.", required=True),
        _field("bytes", pa.int64(), "Size of the file in bytes.", required=True),
        _field("modified_at", pa.timestamp("us", tz="UTC"), "Last change of the file, UTC."),
        _field(
            "missing_since",
            pa.timestamp("us", tz="UTC"),
            "When the file was first found gone from the archive, UTC; null while it is there.",
        ),
        _field(
            "layout",
            pa.string(),
            "Which rule named it: dfdc, ffpp, celebdf, labels_csv, plain; of imported pictures "
            "face_set or still.",
            required=True,
        ),
        _field("label", pa.string(), "REAL or FAKE; null when unknown."),
        _field("original", pa.string(), "For a fake: name of the video it was made from."),
        _field("donor", pa.string(), "For a fake: whose face was put in."),
        _field("method", pa.string(), "How it was manipulated, where the data set says so."),
        _field("subject", pa.string(), "Who is seen, where the data set says so."),
        _field(
            "group_keys",
            pa.list_(pa.field("element", pa.string(), nullable=False)),
            "Sources this video shares with others; one shared key binds two videos.",
            required=True,
        ),
        _field(
            "group",
            pa.string(),
            "Videos with the same group stay on one side of any split: the connected "
            "component over `group_keys`, named by its smallest key.",
            required=True,
        ),
    ]
)

EXTRACTIONS = pa.schema(
    [
        _VIDEO_ID,
        _RUN_ID,
        _field("status", pa.string(), "How the video ended.", required=True),
        _field("error", pa.string(), "What went wrong, in words; null when nothing did."),
        _field(
            "settings_id",
            pa.string(),
            "Digest of the sampling, detection and crop settings used.",
            required=True,
        ),
        _field("bytes", pa.int64(), "Bytes read; a changed size or time means a changed file."),
        _field("modified_at", pa.timestamp("us", tz="UTC"), "As in `videos` when planned, UTC."),
        _field("content_id", pa.string(), "SHA-256 of the bytes, hex; same content, same id."),
        _field("container", pa.string(), "libav's name of the container format."),
        _field("codec", pa.string(), "libav's name of the video codec."),
        _field("width_px", pa.int32(), "Width as shown (after rotation), pixels."),
        _field("height_px", pa.int32(), "Height as shown (after rotation), pixels."),
        _field("duration_s", pa.float64(), "From the first to past the last frame, seconds."),
        _field("frames_total", pa.int32(), "Frames of the video stream, by its packets."),
        _field("frames_decoded", pa.int32(), "Frames the decoder gave.", required=True),
        _field("frames_sampled", pa.int32(), "Frames looked at for faces.", required=True),
        _field(
            "sampled_s",
            pa.list_(pa.field("element", pa.float64(), nullable=False)),
            "Presentation times of those frames, with pairs (`sampling.pairs`) of the first of "
            "each, seconds from the first of the video; null in runs of before they were kept.",
        ),
        _field("faces_found", pa.int32(), "Faces above the threshold.", required=True),
        _field("faces_kept", pa.int32(), "Faces that also pass size and choice.", required=True),
        _field("wall_s", pa.float64(), "Wall-clock time spent on the video, seconds."),
        _field("cpu_s", pa.float64(), "Processor time spent on the video, seconds."),
        _field(
            "peak_memory_bytes",
            pa.int64(),
            "Most memory that the process which examined the video held meanwhile, detectors and "
            "network included (resident), bytes; null where it died, and where the kernel does "
            "not tell.",
        ),
    ]
)

FACES = pa.schema(
    [
        _VIDEO_ID,
        _RUN_ID,
        _FRAME_INDEX,
        _PTS_S,
        _FACE_INDEX,
        _PERSON,
        _field(
            "box",
            BOX,
            "The detector's box in full-frame pixels: x, y of the upper left corner.",
            required=True,
        ),
        _field("confidence", pa.float32(), "The detector's confidence, 0 to 1.", required=True),
        _field(
            "landmarks",
            pa.list_(pa.field("element", POINT, nullable=False)),
            "Five points in full-frame pixels: " + ", ".join(LANDMARK_NAMES) + "; null for Haar.",
        ),
        _field("detector", pa.string(), "mtcnn, haar, or frame: all of it.", required=True),
        _field(
            "crop_region",
            REGION,
            "What part of the frame the crop shows (box and margin, clipped), pixels.",
            required=True,
        ),
        _field(
            "crop",
            pa.binary(),
            "The crop as an image file: JPEG 4:4:4 or PNG; an imported picture that needed no "
            "cut as it came.",
        ),
        _field(
            "next_crop",
            pa.binary(),
            "The same face in the frame that follows; null where frames are looked at singly "
            "(`sampling.pairs`).",
        ),
    ]
)

FACE_SCORES = pa.schema(
    [
        _VIDEO_ID,
        _RUN_ID,
        _MODEL_ID,
        _FRAME_INDEX,
        _PTS_S,
        _FACE_INDEX,
        _PERSON,
        _field("p_fake", pa.float32(), "The network's score of this face, 0 to 1.", required=True),
        _field(
            "box",
            BOX,
            "The detector's box in full-frame pixels: x, y of the upper left corner; null in runs "
            "of before it was kept.",
        ),
        _field("confidence", pa.float32(), "The detector's confidence, 0 to 1; null as `box`."),
        _field(
            "ssim",
            pa.float32(),
            "Structural similarity to the same person's face before, -1 to 1; null for the first "
            "of a person (in a long video: of a segment), and where crops were not at hand.",
        ),
    ]
)

PICTURES = pa.schema(
    [
        _VIDEO_ID,
        _RUN_ID,
        _MODEL_ID,
        _field("kind", pa.string(), "face, or frame: a whole frame, reduced.", required=True),
        _FRAME_INDEX,
        _PTS_S,
        _field("face_index", pa.int16(), "As in `face_scores`; null for a frame."),
        _field(
            "p_fake",
            pa.float32(),
            "The face's score, of a frame that of its most suspicious face, 0 to 1.",
            required=True,
        ),
        _field("picture", pa.binary(), "The picture as a JPEG file.", required=True),
        _field(
            "heat",
            pa.list_(pa.field("element", pa.float32(), nullable=False)),
            "Where the network sees manipulation (Grad-CAM), 0 to 1, a square of cells over the "
            "network's input, row by row; null for frames, and where the network has no such map.",
        ),
    ]
)

VERDICTS = pa.schema(
    [
        _VIDEO_ID,
        _RUN_ID,
        _field("model_id", pa.string(), "`model_id` of the bundle.", required=True),
        _field("status", pa.string(), "How the video ended.", required=True),
        _field("error", pa.string(), "What went wrong, in words; null when nothing did."),
        _field("verdict", pa.string(), "fake, real or inconclusive.", required=True),
        _field(
            "p_fake",
            pa.float64(),
            "Score of the video, 0 to 1, calibrated where the bundle says so and the settings did "
            "not name another reducer; null when not scored.",
        ),
        _field("p_fake_low", pa.float64(), "Lower end of its interval, on the same scale."),
        _field("p_fake_high", pa.float64(), "Upper end of its interval, on the same scale."),
        _field("faces_scored", pa.int32(), "Faces behind the score.", required=True),
        _field("frames_scored", pa.int32(), "Frames those faces come from.", required=True),
        _field("persons", pa.int32(), "Different persons among those faces.", required=True),
        _field(
            "worst_person",
            pa.int32(),
            "The person with the highest mean score, of equals the lowest number.",
        ),
        _field(
            "worst_person_p_fake",
            pa.float64(),
            "That person's mean score, 0 to 1, cut to 12 digits; never calibrated.",
        ),
        _field("threshold", pa.float64(), "`p_fake` from here on means fake.", required=True),
        _field(
            "reducer", pa.string(), "How faces became one score: `verdict.reducer`.", required=True
        ),
    ]
)

SPLITS = pa.schema(
    [
        _VIDEO_ID,
        _RUN_ID,
        _field("group", pa.string(), "As in `videos`, joined by identical content.", required=True),
        _field("label", pa.string(), "REAL or FAKE.", required=True),
        _field(
            "side",
            pa.string(),
            "train, val, test or excluded; mixed: each of its faces has a side of its own, drawn "
            "under `split.seed` (`split.unit` face).",
            required=True,
        ),
        _field("reason", pa.string(), "Why excluded; null otherwise."),
        _field(
            "unit",
            pa.string(),
            "What went to one side as a whole: group, video or face; null, which means group, in "
            "runs of before there was a choice.",
        ),
    ]
)

MODALITIES = pa.schema(
    [
        _VIDEO_ID,
        _RUN_ID,
        _field(
            "original_id",
            pa.string(),
            "`video_id` of the original it was laid over.",
            required=True,
        ),
        _field(
            "modality",
            pa.string(),
            "What differs: video, audio, both, none, or unknown: they could not be compared.",
            required=True,
        ),
        _field("reason", pa.string(), "How that was seen, or why it could not be, in words."),
    ]
)

TABLES: dict[str, pa.Schema] = {
    "videos": VIDEOS,
    "extractions": EXTRACTIONS,
    "faces": FACES,
    "face_scores": FACE_SCORES,
    "pictures": PICTURES,
    "verdicts": VERDICTS,
    "splits": SPLITS,
    "modalities": MODALITIES,
}

TABLE_MEANING = {
    "videos": "One row a file of the archive.",
    "extractions": "One row the outcome of opening one video in one run.",
    "faces": "One row one face in one frame.",
    "face_scores": "One row one face scored by one model.",
    "pictures": "One row one picture kept as evidence: of each video the most and least suspicious "
    "faces, and the frame of the most suspicious (`evidence.*`).",
    "verdicts": "One row one video in one run: always one, whatever happened.",
    "splits": "One row one labelled video and the side a split puts it on.",
    "modalities": "One row one fake whose original is in the archive, and what of it differs.",
}
