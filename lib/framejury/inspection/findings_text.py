"""The findings as sentences, rows of tables, and plain values for JSON."""

from __future__ import annotations

from typing import Any

from framejury.inspection.agreement import Agreement
from framejury.inspection.compare import Comparison, Modality
from framejury.inspection.inspected import Facts
from framejury.pages.text_table import counted

ANSWERS: dict[Modality, str] = {
    "video": "The picture was changed; the sound was not.",
    "audio": "The sound was changed; the picture was not.",
    "both": "Picture and sound were changed.",
    "none": "No change of picture or sound was found, beyond re-encoding.",
    "unknown": "What was changed cannot be determined.",
}
SCHEMA_VERSION = 1


def answer_of(found: Comparison) -> str:
    """Return what was changed, as a sentence."""
    if found.sound.outcome == "absent" and found.modality in ("video", "none"):
        changed = found.modality == "video"
        picture = "The picture was changed" if changed else "No change of the picture was found"
        return f"{picture}, beyond re-encoding; neither video has sound."
    return ANSWERS[found.modality]


def answer_line(found: Comparison) -> str:
    """Return the comparison in one line."""
    return f"{found.modality}: {'; '.join(found.why)}"


def as_values(found: Comparison) -> dict[str, Any]:
    """Return `compare.json`: the modality and its numbers."""
    picture, sound, pairs = found.picture, found.sound, found.pairs
    return {
        "schema_version": SCHEMA_VERSION,
        "modality": found.modality,
        "why": list(found.why),
        "fake": found.fake.model_dump(mode="json"),
        "original": found.original.model_dump(mode="json"),
        "alignment": {
            "by": found.alignment.by,
            "offset_s": found.alignment.offset_s,
            "motion_correlation": found.alignment.motion,
            "picture_correlation": found.alignment.scene,
            "overlap_s": found.alignment.overlap_s,
        },
        "picture": None
        if picture is None or pairs is None
        else {
            "outcome": picture.outcome,
            "ratio_to_noise_floor": picture.ratio,
            "levels_above_noise_floor": picture.levels,
            "noise_floor_levels": picture.floor_levels,
            "laid_over": picture.moved,
            "pairs": [
                {
                    "fake_frame": int(ours),
                    "original_frame": int(theirs),
                    "time_s": float(at_s),
                    "ratio_to_noise_floor": float(ratio),
                    "mean_levels": float(levels),
                }
                for ours, theirs, at_s, ratio, levels in zip(
                    pairs.fake_ranks,
                    pairs.original_ranks,
                    pairs.times_s,
                    picture.over_time,
                    picture.mean_levels,
                    strict=True,
                )
            ],
            "heat": picture.heat.round(3).tolist(),
        },
        "sound": {
            "outcome": sound.outcome,
            "offset_s": sound.offset_s,
            "correlation": sound.correlation,
            "windows": [
                {
                    "time_s": float(at_s),
                    "wave_correlation": float(wave),
                    "spectral_distance_db": float(decibels),
                    "changed": bool(changed),
                }
                for at_s, wave, decibels, changed in zip(
                    sound.times_s, sound.wave, sound.spectrum_db, sound.changed, strict=True
                )
            ],
        },
    }


def facts_rows(facts: Facts) -> list[tuple[str, str]]:
    """Return the facts of a file as rows of a table."""
    sound = facts.sound
    heard = "none"
    if sound is not None:
        heard = f"{sound.codec}, {sound.rate_hz:,} Hz, {counted(sound.channels, 'channel')}"
        if sound.streams > 1:
            heard += f"; the first of {sound.streams} streams"
    return [
        ("size", f"{facts.width_px} x {facts.height_px} pixels"),
        ("length", f"{facts.duration_s:,.2f} s"),
        ("frames", f"{facts.frames:,} ({facts.frames_per_s:.3g} per second on average)"),
        ("key frames", f"{facts.key_frames:,}"),
        ("picture", f"{facts.codec}, {facts.pixel_format}"),
        ("sound", heard),
        ("container", facts.container),
        ("file", f"{facts.bytes:,} bytes"),
    ]


def agreement_rows(both: Agreement, mtcnn_s: float, haar_s: float) -> list[tuple[str, str]]:
    """Return both detectors as rows of a table.

    Args:
        mtcnn_s, haar_s: their time for all frames, seconds.
    """
    frames = max(both.frames, 1)
    iou = "no match" if both.mean_iou is None else f"{both.mean_iou:.2f} on average"
    return [
        ("sampled frames", f"{both.frames:,}"),
        ("with a face found by MTCNN", f"{both.mtcnn_frames:,} ({both.mtcnn_frames / frames:.0%})"),
        ("with a face found by Haar", f"{both.haar_frames:,} ({both.haar_frames / frames:.0%})"),
        ("with a face found by both", f"{both.both_frames:,} ({both.both_frames / frames:.0%})"),
        (
            "faces",
            f"MTCNN {both.mtcnn_faces:,}, Haar {both.haar_faces:,}; {both.matched:,} found by both",
        ),
        ("overlap of boxes found by both (IoU)", iou),
        (
            "time per frame, one core",
            f"MTCNN {1000 * mtcnn_s / frames:.0f} ms, Haar {1000 * haar_s / frames:.0f} ms",
        ),
    ]
