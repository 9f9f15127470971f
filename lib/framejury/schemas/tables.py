"""Every table of the warehouse, declared once.

A table is a `pyarrow.Schema`; the metadata of each field holds one sentence about it, with its
unit. Parquet files, Spark's `StructType` (`framejury.tables.store`), the tests and
`docs/data_dictionary.md` are all made from these schemas.
"""

from __future__ import annotations

import pyarrow as pa

from framejury.schemas.statuses import LANDMARK_NAMES


def _field(name: str, kind: pa.DataType, doc: str, *, required: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=not required, metadata={"doc": doc})


def _text(name: str, doc: str, *, required: bool = False) -> pa.Field:
    return _field(name, pa.string(), doc, required=required)


def _int32(name: str, doc: str, *, required: bool = False) -> pa.Field:
    return _field(name, pa.int32(), doc, required=required)


def _float64(name: str, doc: str, *, required: bool = False) -> pa.Field:
    return _field(name, pa.float64(), doc, required=required)


_VIDEO_ID = _text(
    "video_id",
    "Stable id of the video: the first 20 hex digits of the SHA-256 of its path in the archive.",
    required=True,
)
_RUN_ID = _text("run_id", "The run that wrote this row.", required=True)
_MODEL_ID = _text("model_id", "`model_id` of the bundle that gave the score.", required=True)
_FRAME_INDEX = _int32(
    "frame_index", "Rank of the frame in presentation order, from 0.", required=True
)
_PTS_S = _float64(
    "pts_s", "Presentation time of the frame, seconds after the first frame.", required=True
)
_FACE_INDEX = _field(
    "face_index",
    pa.int16(),
    "Rank of the face among the kept faces of its frame, left to right, from 0; every frame with "
    "faces has one of rank 0.",
    required=True,
)
_PERSON = _int32(
    "person",
    "Number of the face track, from 0: the same face over time within one video has one number.",
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

STRETCHES = pa.list_(
    pa.field(
        "element",
        pa.struct(
            [
                pa.field("start_s", pa.float64(), nullable=False),
                pa.field("end_s", pa.float64(), nullable=False),
                pa.field("person", pa.int32(), nullable=False),
                pa.field("mean_score", pa.float64(), nullable=False),
            ]
        ),
        nullable=False,
    )
)

SCORING = pa.list_(
    pa.field(
        "element",
        pa.struct(
            [
                pa.field("model_id", pa.string(), nullable=False),
                pa.field("seconds", pa.float64(), nullable=False),
            ]
        ),
        nullable=False,
    )
)

MEMBERS = pa.list_(
    pa.field(
        "element",
        pa.struct(
            [
                pa.field("model_id", pa.string(), nullable=False),
                pa.field("score", pa.float64(), nullable=False),
                pa.field("fake", pa.bool_(), nullable=False),
            ]
        ),
        nullable=False,
    )
)

ORIGIN = pa.struct(
    [
        pa.field("brand", pa.string()),
        pa.field("muxer", pa.string()),
        pa.field("encoder", pa.string()),
        pa.field("software", pa.string()),
        pa.field("handlers", pa.string()),
        pa.field("device", pa.string()),
        pa.field("created", pa.string()),
        pa.field("modified", pa.string()),
        pa.field("edits", pa.int32()),
        pa.field("location", pa.bool_()),
        pa.field("c2pa", pa.string()),
    ]
)

_NOTES = _text(
    "notes",
    "What a reader should know about the file: codes of `Note`, each with a detail or none, as in "
    "`clock_restarted: 2 recordings; tone_mapped: PQ`; empty: nothing. Null in runs written before "
    "this column existed.",
)

VIDEOS = pa.schema(
    [
        _VIDEO_ID,
        _RUN_ID,
        _text("path", "Path of the file below the archive, with `/`.", required=True),
        _text("uri", "Location of the file: a local path or a URI.", required=True),
        _field("bytes", pa.int64(), "Size of the file, bytes.", required=True),
        _field("modified_at", pa.timestamp("us", tz="UTC"), "Time of the file's last change, UTC."),
        _field(
            "missing_since",
            pa.timestamp("us", tz="UTC"),
            "When the file was first found missing from the archive, UTC; null while it is there.",
        ),
        _text(
            "layout",
            "Archive layout that gave the labels: dfdc, ffpp, celebdf, labels_csv or plain; for "
            "imported pictures face_set, sampled_faces or still.",
            required=True,
        ),
        _text("label", "REAL or FAKE; null when unknown."),
        _text("original", "For a fake, the name of the video it was made from."),
        _text("donor", "For a fake, the person whose face was inserted."),
        _text("method", "Manipulation method, if the data set names it."),
        _text("subject", "Person shown, if the data set names one."),
        _field(
            "group_keys",
            pa.list_(pa.field("element", pa.string(), nullable=False)),
            "Sources that this video may share with others; one shared key joins two videos.",
            required=True,
        ),
        _text(
            "group",
            "Connected component over `group_keys`, named by its smallest key; a group stays in "
            "one part of a split.",
            required=True,
        ),
    ]
)

EXTRACTIONS = pa.schema(
    [
        _VIDEO_ID,
        _RUN_ID,
        _text("status", "Outcome of the video; see Status.", required=True),
        _text("error", "What went wrong, in words; null if nothing did."),
        _text(
            "settings_id",
            "Digest of the sampling, detection and crop settings used.",
            required=True,
        ),
        _field(
            "bytes", pa.int64(), "Bytes read. A different size or time means that the file changed."
        ),
        _field(
            "modified_at",
            pa.timestamp("us", tz="UTC"),
            "`modified_at` of `videos` when the run was planned, UTC.",
        ),
        _text(
            "content_id", "SHA-256 of the file, hex; files with the same content have the same id."
        ),
        _text("container", "libav's name of the container format."),
        _text("codec", "libav's name of the video codec."),
        _int32("width_px", "Width as shown (turned, in square pixels), pixels."),
        _int32("height_px", "Height as shown (turned, in square pixels), pixels."),
        _float64(
            "duration_s",
            "Length of the film, seconds; what lies between recordings put end to end, and gaps of "
            "the clock, do not count.",
        ),
        _int32("frames_total", "Frames in the video stream, counted from its packets."),
        _int32("frames_decoded", "Frames that were decoded, count.", required=True),
        _int32("frames_sampled", "Frames that were searched for faces, count.", required=True),
        _field(
            "sampled_s",
            pa.list_(pa.field("element", pa.float64(), nullable=False)),
            "Presentation times of the sampled frames, seconds after the first frame; with "
            "`sampling.pairs`, of the first frame of each pair. Null in runs written before this "
            "column existed.",
        ),
        _int32(
            "rounds",
            "Rounds of sampled frames, count: above 1 where the verdict was not settled after the "
            "first (`sampling.rounds`). Null where no frame was sampled, and in runs written "
            "before this column existed.",
        ),
        _int32("faces_found", "Faces above the detection threshold, count.", required=True),
        _int32(
            "faces_kept",
            "Faces that also passed the size limit and the selection, count.",
            required=True,
        ),
        _float64("wall_s", "Wall-clock time spent on the video, seconds."),
        _float64("cpu_s", "Processor time spent on the video, seconds."),
        _field(
            "scoring",
            SCORING,
            "Time that each network took to score the faces: its `model_id` and seconds; several "
            "for an ensemble. Null without a network, and in runs written before this column "
            "existed.",
        ),
        _field(
            "peak_memory_bytes",
            pa.int64(),
            "Peak resident memory of the process that examined the video, with detectors and "
            "network, bytes; null when it died or the kernel does not report it.",
        ),
        _NOTES,
        _field(
            "origin",
            ORIGIN,
            "What the file claims about its making, unverified and easily forged: brand of the "
            "container, muxer, encoder with its settings, software, names of handlers, device, "
            "times of creation and of change as written, entries of the longest edit list, "
            "whether a location is stored (never which), and whether a C2PA manifest is present or "
            "absent. A field is null where the file has none, or framejury cannot tell; all of it "
            "is null in runs written before this column existed.",
        ),
    ]
)

SIMILARITY = pa.struct([pa.field(name, pa.float64()) for name in "abcd"])
"""Fields may be null: Spark hands a null struct over with null fields, which Arrow then refuses."""

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
        _text("detector", "mtcnn or haar; frame when the crop is the whole frame.", required=True),
        _field(
            "crop_region",
            REGION,
            "Part of the frame that the crop shows (box and margin, clipped to the frame), pixels; "
            "for an aligned crop, the smallest part that contains it.",
            required=True,
        ),
        _field(
            "alignment",
            SIMILARITY,
            "Of an aligned crop: a point (x, y) of the frame is at (ax - by + c, bx + ay + d) in "
            "the crop, as shares of its side; null without `crops.template`.",
        ),
        _field(
            "crop",
            pa.binary(),
            "The crop as an image file: JPEG 4:4:4 or PNG. An imported picture that needed no "
            "cropping is kept as it was.",
        ),
        _field(
            "next_crop",
            pa.binary(),
            "Crop of the same face in the next frame; null without `sampling.pairs`.",
        ),
        _field(
            "clip_crops",
            pa.list_(pa.field("element", pa.binary(), nullable=False)),
            "Crops of the same face in the further frames of its clip, by time; null without "
            "`sampling.clip_frames`.",
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
        _field(
            "score",
            pa.float32(),
            "The network's score of this face, 0 to 1; never calibrated, so not comparable with "
            "`verdicts.p_fake` and `threshold`.",
            required=True,
        ),
        _field(
            "box",
            BOX,
            "The detector's box in full-frame pixels: x, y of the upper left corner; null in runs "
            "written before this column existed.",
        ),
        _field(
            "confidence",
            pa.float32(),
            "The detector's confidence, 0 to 1; null where `box` is null.",
        ),
        _field(
            "ssim",
            pa.float32(),
            "Structural similarity to the previous face of the same track, -1 to 1; null for the "
            "first face of a track (in a long video, of each segment) and without crops.",
        ),
    ]
)

PICTURES = pa.schema(
    [
        _VIDEO_ID,
        _RUN_ID,
        _MODEL_ID,
        _text(
            "kind",
            "face; frame for a whole frame at reduced size; clip for a few seconds of a suspicious "
            "part, cut around the face, whose box is drawn.",
            required=True,
        ),
        _FRAME_INDEX,
        _PTS_S,
        _field("face_index", pa.int16(), "As in `face_scores`; null for a frame."),
        _field(
            "score",
            pa.float32(),
            "Score of the face, 0 to 1; for a frame, the score of its most suspicious face; for a "
            "clip, the mean score of the suspicious part.",
            required=True,
        ),
        _field(
            "picture",
            pa.binary(),
            "The picture as a JPEG file; of a clip, the frame of its most suspicious face, which "
            "`frame_index`, `pts_s` and `face_index` name.",
            required=True,
        ),
        _field(
            "heat",
            pa.list_(pa.field("element", pa.float32(), nullable=False)),
            "Heat map of what made the network suspect the face, 0 to 1: a square grid over the "
            "network's input, row by row; null for frames, and for faces without one.",
        ),
        _field(
            "heat_inside",
            pa.float32(),
            "Share of the heat inside the face (the ellipse in the detector's box), 0 to 1; "
            "null where `heat` is null or the network does not see the plain crop, and in runs "
            "written before this column existed.",
        ),
        _text(
            "heat_by",
            "How `heat` was made: gradient (Grad-CAM, by the network itself) or occlusion (parts "
            "of the face were covered, see evidence.occlusion_s); null where `heat` is null, and "
            "in runs written before this column existed, whose maps are gradient.",
        ),
        _field(
            "clip",
            pa.binary(),
            "The moving picture as a WebM file (VP8), at original speed; null unless `kind` is "
            "clip.",
        ),
        _float64("start_s", "Time of the clip's first frame, seconds; null unless it is a clip."),
        _float64("end_s", "Time of the clip's last frame, seconds; null unless it is a clip."),
    ]
)

SOUNDS = pa.schema(
    [
        _VIDEO_ID,
        _RUN_ID,
        _text("model_id", "`model_id` of the sound model.", required=True),
        _text("outcome", "How judging the sound ended; see SoundOutcome.", required=True),
        _float64("heard_s", "Length of the sound that was decoded, seconds."),
        _field(
            "p_fake",
            pa.float32(),
            "Score of the sound, 0 to 1: the mean of its windows; null unless `outcome` is scored.",
        ),
        _float64(
            "threshold", "Scores of the sound of this value and above count as fake.", required=True
        ),
        _field(
            "window_s",
            pa.list_(pa.field("element", pa.float64(), nullable=False)),
            "Where each scored window begins, seconds after the first sample; silent windows are "
            "left out. A window is 2 s long.",
        ),
        _field(
            "window_p_fake",
            pa.list_(pa.field("element", pa.float32(), nullable=False)),
            "Score of each of these windows, 0 to 1.",
        ),
    ]
)

VERDICTS = pa.schema(
    [
        _VIDEO_ID,
        _RUN_ID,
        _text("model_id", "`model_id` of the bundle.", required=True),
        _text("status", "Outcome of the video; see Status.", required=True),
        _text("error", "What went wrong, in words; null if nothing did."),
        _text("verdict", "fake, real or inconclusive.", required=True),
        _float64(
            "p_fake",
            "Score of the video, 0 to 1; calibrated if the bundle has a calibration and the "
            "settings keep its aggregation; null when not scored.",
        ),
        _float64("p_fake_low", "Lower end of the interval of `p_fake`, on the same scale."),
        _float64("p_fake_high", "Upper end of the interval of `p_fake`, on the same scale."),
        _int32("faces_scored", "Faces that the score is based on, count.", required=True),
        _int32("frames_scored", "Frames that show these faces, count.", required=True),
        _int32("persons", "Face tracks among these faces, count.", required=True),
        _int32(
            "worst_person",
            "Number of the face track with the highest score; ties take the lowest number.",
        ),
        _float64(
            "worst_person_score",
            "Score of that track, 0 to 1, cut to 12 digits: the mean of its faces; where `reducer` "
            "is per_person and the track is short, partly of all faces. Never calibrated, so not "
            "comparable with `threshold`.",
        ),
        _float64(
            "threshold", "Scores (`p_fake`) of this value and above count as fake.", required=True
        ),
        _text(
            "reducer",
            "Aggregation of face scores to the video's score: `verdict.reducer`.",
            required=True,
        ),
        _NOTES,
        _field(
            "stretches",
            STRETCHES,
            "Suspicious parts by time: first and last second, face track, mean score of its faces "
            "(not calibrated). Empty: no part stands out, also where all of the video is "
            "suspicious. Null when not scored, and in runs written before this column existed.",
        ),
        _text(
            "sound",
            "How judging the sound ended; see SoundOutcome. Null: sound was not judged "
            "(`audio.model` none, or a video that could not be opened).",
        ),
        _float64("sound_p_fake", "Score of the sound, 0 to 1; null unless `sound` is scored."),
        _float64(
            "sound_threshold", "`sound_p_fake` of this value and above counts as fake; else null."
        ),
        _text("sound_model_id", "`model_id` of the sound model; null where `sound` is null."),
        _text(
            "decided_by",
            "picture or sound: the score that a verdict of fake or real rests on, the surer fake "
            "if both are. Null where `sound` is null or the verdict is inconclusive. `p_fake` and "
            "`threshold` are always those of the picture.",
        ),
        _field(
            "members",
            MEMBERS,
            "What each member of an ensemble says by its own rule: its `model_id`, its score of "
            "the video, 0 to 1, calibrated if that member is, and whether it says fake. Null for a "
            "single network, when not scored, and in runs written before this column existed.",
        ),
    ]
)

SPLITS = pa.schema(
    [
        _VIDEO_ID,
        _RUN_ID,
        _text(
            "group", "Group as in `videos`; groups with identical files are joined.", required=True
        ),
        _text("label", "REAL or FAKE.", required=True),
        _text(
            "side",
            "train, val, test or excluded; mixed when each face is assigned on its own, drawn with "
            "`split.seed` (`split.unit` face).",
            required=True,
        ),
        _text("reason", "Why the video is excluded; null otherwise."),
        _text(
            "unit",
            "What is assigned as a whole: group, video or face. Null in runs written before this "
            "column existed, which assigned groups.",
        ),
        _float64(
            "keep_below",
            "Only faces of this fake that are drawn below this count, 0 to 1 "
            "(`split.balance_unit` face); null: all of them.",
        ),
    ]
)

MODALITIES = pa.schema(
    [
        _VIDEO_ID,
        _RUN_ID,
        _text(
            "original_id",
            "`video_id` of the original that the fake was compared with.",
            required=True,
        ),
        _text(
            "modality",
            "What differs: video, audio, both or none; unknown when they could not be compared.",
            required=True,
        ),
        _text("reason", "What the finding rests on, or why the two could not be compared."),
    ]
)

FORGOTTEN = pa.schema(
    [
        _VIDEO_ID,
        _RUN_ID,
        _text("path", "Path of the file below the archive, with `/`.", required=True),
        _field(
            "forgotten",
            pa.bool_(),
            "True: faces and pictures were removed, and no run judges the video; false: from here "
            "on it may be judged again (`framejury forget --undo`).",
            required=True,
        ),
        _field("at", pa.timestamp("us", tz="UTC"), "When, UTC.", required=True),
        _text("by", "Who: user and machine.", required=True),
        _text("reason", "Why, in the words of that person; null if they gave none."),
    ]
)

DECISIONS = pa.schema(
    [
        _VIDEO_ID,
        _RUN_ID,
        _text(
            "content_id",
            "`content_id` of the file that the decision is about; null if it was not known. The "
            "decision does not count for other content.",
        ),
        _text("decision", "fake, real, unclear or withdrawn; see Decision.", required=True),
        _text("reviewer", "Who decided, as that person gave it.", required=True),
        _text("note", "Why, in the words of that person; null if they gave none or it was erased."),
        _field("decided_at", pa.timestamp("us", tz="UTC"), "When, UTC.", required=True),
        _text("source", "command, or the name of the file that was read.", required=True),
        _text(
            "seen_verdict",
            "framejury's verdict at that time: fake, real or inconclusive; null without one.",
        ),
        _float64("seen_p_fake", "`verdicts.p_fake` at that time; null when not scored."),
        _text("seen_model_id", "`verdicts.model_id` at that time; null without a verdict."),
        _text("seen_run_id", "The run that gave that verdict; null without one."),
    ]
)

TABLES: dict[str, pa.Schema] = {
    "videos": VIDEOS,
    "extractions": EXTRACTIONS,
    "faces": FACES,
    "face_scores": FACE_SCORES,
    "pictures": PICTURES,
    "sounds": SOUNDS,
    "verdicts": VERDICTS,
    "splits": SPLITS,
    "modalities": MODALITIES,
    "forgotten": FORGOTTEN,
    "decisions": DECISIONS,
}

FACE_TABLES = tuple(
    name
    for name, schema in TABLES.items()
    if any(field.name == "frame_index" or pa.types.is_binary(field.type) for field in schema)
)
"""Tables that show people: with pictures, or with where their faces are in a frame."""
FORMER_NAMES: dict[str, dict[str, str]] = {
    "face_scores": {"score": "p_fake"},
    "pictures": {"score": "p_fake"},
    "verdicts": {"worst_person_score": "worst_person_p_fake"},
}
"""Columns by table whose name in files of earlier versions was another: now -> then. Readers
(`warehouse.reader`, `tables.store`) return such values under the name of now."""


def stored_schema(table: str) -> pa.Schema:
    """Return the table's columns as any file may hold them: also under their former names."""
    schema = TABLES[table]
    for now, then in FORMER_NAMES.get(table, {}).items():
        schema = schema.append(pa.field(then, schema.field(now).type))
    return schema


TABLE_MEANING = {
    "videos": "One row per file of the archive.",
    "extractions": "One row per video opened in a run: the outcome.",
    "faces": "One row per face in a frame.",
    "face_scores": "One row per face scored by a model.",
    "pictures": "One row per picture kept as evidence: the most and least suspicious faces of a "
    "video, the frame of the most suspicious one, and clips of suspicious parts (`evidence.*`).",
    "sounds": "One row per video whose sound was decoded (`audio.model`).",
    "verdicts": "One row per video judged in a run: exactly one, whatever the outcome.",
    "splits": "One row per labelled video: the part of the split it is assigned to.",
    "modalities": "One row per fake whose original is in the archive: what differs between them.",
    "forgotten": "One row per video and `framejury forget`: the tombstone of a video whose faces "
    "and pictures were removed. Older rows about the video do not count.",
    "decisions": "One row per decision of a person on a video (`framejury decide`, "
    "`decisions.csv`). Rows are never replaced: of those about the current content of the file, "
    "the latest by `decided_at` counts.",
}
