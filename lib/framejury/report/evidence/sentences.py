"""The sentences of an evidence page. Pure: a video's rows in, plain text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from framejury.model.seen import SIDES
from framejury.pages.text_table import counted
from framejury.report.evidence.file_facts import added_frames
from framejury.report.evidence.video_evidence import BRIEFLY, Evidence, FaceTrack, Row
from framejury.report.sound_words import decided_word, is_by_sound, sound_limit
from framejury.report.wording import clock, day_word, took_word
from framejury.schemas.notes import VideoNote, from_text
from framejury.schemas.statuses import Note, Status, Verdict
from framejury.verdict.rule import ONE_TRACK, Rule
from framejury.verdict.stretches import in_words

HAD_SEEN = (
    "The model had seen this video, or another one of its source, in training: its verdict here "
    "does not show how well it judges new videos."
)
NO_PROOF = (
    "This is not proof. The scores come from a model that was trained on other videos; its model "
    "card states how often it is wrong. Look at the video yourself."
)
NO_PROOF_ELSEWHERE = (
    "This is not proof. The scores come from a model that was trained elsewhere, perhaps on this "
    "very video. Look at the video yourself."
)

_CALLED = {
    Verdict.FAKE: "framejury calls this video fake.",
    Verdict.REAL: "framejury found no sign of manipulation in this video.",
    Verdict.INCONCLUSIVE: "No verdict: the evidence is inconclusive.",
}
_CORRECTED = "partly of all faces if it has few, lowered if frames show several faces"
_AGGREGATED = {
    "mean": "the mean of these scores",
    "median": "the median of these scores",
    "trimmed_mean": "the mean of these scores without the highest and the lowest",
    "top_share": "the mean of the highest of these scores",
    "worst_person": "the mean of the highest-scoring face track",
    "per_person": f"the mean of the highest-scoring face track, {_CORRECTED}",
    "confidence_weighted": "a mean of these scores that gives more weight to those far from 0.5",
    "learned": "a weighted sum of their quantiles, with weights learned from labelled videos",
}
_ADVICE = {
    Status.NO_FACE: "Sample more frames (--set sampling.frames=64), or search for smaller faces "
    "(--set detection.min_face_px=32 --set detection.frame_side_px=720).",
    Status.EMPTY: "The file has no bytes. Copy it again from its source.",
    Status.NOT_VIDEO: "Only moving pictures are judged. If the file plays as a video elsewhere, "
    "convert it to MP4 and judge the copy.",
    Status.UNREADABLE: "Play the file. If it does not play, copy it again from its source; if it "
    "does, convert it to MP4 and judge the copy.",
    Status.TOO_LARGE: "Raise the limit that the error names (settings limits.*), or cut the video.",
    Status.TIMEOUT: "Try again with more time: --set limits.timeout_s=1800. With a warehouse: "
    "framejury retry --status timeout.",
    Status.CRASHED: "Try again, with a higher limits.memory_bytes if the error names memory; with "
    "a warehouse: framejury retry --status crashed. A file that crashes the decoder every time is "
    "damaged, or was made to.",
    Status.MISSING: "Put the file back; the next run judges it.",
    Status.NOT_SCORED: "The next run judges it: framejury nightly.",
}


def called(verdict: Row) -> str:
    """Return the verdict in one line."""
    if by := decided_word(verdict):
        return f"framejury calls this video fake{by}."
    if verdict["p_fake"] is None:
        return "This video has no score, so there is no verdict."
    return _CALLED[Verdict(verdict["verdict"])]


def deleted(verdict: Row) -> str | None:
    """Return since when the file is gone, for a row with `missing_since`; else None."""
    since = verdict.get("missing_since")
    if since is None:
        return None
    text = f"The file was deleted from the archive (first missing {day_word(since)})"
    before = verdict["status"] != Status.MISSING
    return f"{text}. This is its verdict from before." if before else f"{text}."


def score_sentence(verdict: Row, level: float | None) -> str | None:
    """Return score, interval and threshold; None without a score.

    Args:
        level: of the interval, 0 to 1; None: unknown.
    """
    if verdict["p_fake"] is None:
        return None
    named = f"{level:.0%} interval" if level is not None else "interval"
    low, high = verdict["p_fake_low"], verdict["p_fake_high"]
    # Without verdict.confidence_level both ends equal the score: that is not an interval.
    wide = low is not None and high is not None and low < high
    interval = f" ({named} {low:.3f} to {high:.3f})" if wide else ""
    whose = "Its" if verdict.get("sound") is None else "Its picture's"
    return (
        f"{whose} p_fake is {verdict['p_fake']:.3f}{interval}, on a scale from 0 (real) to 1 "
        f"(fake). A p_fake of {verdict['threshold']:.3f} and above counts as fake."
    )


def why_inconclusive(verdict: Row, min_faces: int | None, judges: str = "face") -> str | None:
    """Return why a scored video has no verdict; None if it has one."""
    if verdict["p_fake"] is None or verdict["verdict"] != Verdict.INCONCLUSIVE:
        return None
    return _why_open(verdict, min_faces, judges) + _remedy(verdict)


def _why_open(verdict: Row, min_faces: int | None, judges: str) -> str:
    low, high = verdict["p_fake_low"], verdict["p_fake_high"]
    if low is not None and high is not None and low < verdict["threshold"] <= high:
        return (
            "The interval crosses the threshold: a different sample of frames could have tipped "
            "the verdict."
        )
    needed = f"; at least {min_faces} are needed" if min_faces is not None else ""
    return f"Too few {judges}s: {verdict['faces_scored']} scored{needed}."


def _remedy(verdict: Row) -> str:
    """Return what to do where further frames were left out; else nothing."""
    if all(note.code is not Note.ROUNDS_LEFT_OUT for note in from_text(verdict.get("notes"))):
        return ""
    return (
        " There was no time for further frames: raise limits.timeout_s or limits.cpu_s and judge "
        "the video again."
    )


def basis(
    verdict: Row, tracks: Sequence[FaceTrack], rule: Rule | None, judges: str = "face"
) -> str:
    """Return what the score is based on, and how it was computed.

    Args:
        judges: face, or frame where each "face" is a whole frame.
    """
    faces, frames, count = (verdict[name] for name in ("faces_scored", "frames_scored", "persons"))
    seen = (
        counted(frames, "whole frame")
        if judges == "frame"
        else f"{counted(faces, 'face')} in {counted(frames, 'frame')} "
        f"({counted(count, 'face track')})"
    )
    text = (
        f"It is based on {seen}. The network gave each {judges} a {judges} score; p_fake is "
        f"{_AGGREGATED.get(verdict['reducer'], verdict['reducer'])}"
    )
    text += ", calibrated on labelled videos." if rule is not None and rule.calibration else "."
    if len(tracks) > 1 and verdict["worst_person"] is not None:
        worst, score = verdict["worst_person"], verdict["worst_person_score"]
        kind = "score" if verdict["reducer"] == "per_person" else "mean face score"
        text += (
            f" The highest-scoring track is track {worst}, with a {kind} of {score:.3f} (not "
            "calibrated)."
        )
    return text


def parts(verdict: Row, judges: str = "face") -> list[str]:
    """Return the suspicious stretches in words."""
    return [in_words(stretch, judges) for stretch in verdict["stretches"] or ()]


def is_throughout(verdict: Row) -> bool:
    """Return whether no part of a suspicious video stands out from the rest."""
    listed = verdict["stretches"]
    return listed is not None and not listed and verdict["verdict"] != Verdict.REAL


def about_parts(verdict: Row, threshold: float | None, judges: str = "face") -> str | None:
    """Return what the stretches are, or why a fake video lists none; None with nothing to say.

    Args:
        threshold: of single faces; None: unknown.
    """
    limit = "" if threshold is None else f" ({threshold:.3f})"
    if verdict["stretches"]:
        return (
            f"In these seconds the mean {judges} score"
            f"{'' if judges == 'frame' else ' of a track'} is at or above the threshold of "
            f"{judges} scores{limit}. They show where to look first and are not verdicts: the "
            "scores are not calibrated, and the times are those of sampled frames."
        )
    if verdict["stretches"] is not None and verdict["verdict"] == Verdict.FAKE:
        return "No part stands out: the suspicion is not limited to some seconds of the video."
    return None


def truth(verdict: Row) -> str | None:
    """Return how the verdict compares with the archive's label; None without one."""
    label = verdict["label"]
    if label is None:
        return None
    method = f" (method {verdict['method']})" if verdict["method"] else ""
    if verdict["p_fake"] is None and not is_by_sound(verdict):
        return f"The archive labels it {label}{method}."
    if verdict["verdict"] == Verdict.INCONCLUSIVE:
        return f"The archive labels it {label}{method}; framejury did not decide."
    word = "right" if verdict["verdict"].upper() == label else "wrong"
    return f"The archive labels it {label}{method}: the verdict is {word}."


def limits_of(
    evidence: Evidence,
    tracks: Sequence[FaceTrack],
    threshold: float | None = None,
    judges: str = "face",
    *,
    elsewhere: bool = False,
) -> list[str]:
    """Return the limits of a scored video's verdict, one sentence each.

    Args:
        elsewhere: whether framejury did not train the model.
        threshold: of single faces; None: unknown.
        judges: face, or frame where each "face" is a whole frame.
    """
    found = [sound_limit(evidence.verdict)]
    if evidence.verdict.get("seen") in SIDES:
        found.append(HAD_SEEN)
    if evidence.verdict["reducer"] not in ONE_TRACK and threshold is not None:
        found += mixed(tracks, threshold)
    extraction, sampled_s = evidence.extraction, evidence.sampled_s
    if extraction is not None:
        with_face = evidence.verdict["frames_scored"]
        samples = extraction["frames_sampled"] if sampled_s is None else len(sampled_s)
        each = _frames_each(extraction, samples)
        if samples > with_face:
            unit = _samples_of(each)
            what = "could not be judged" if judges == "frame" else "show no face that can be judged"
            found.append(f"{samples - with_face:,} of {samples:,} sampled {unit} {what}.")
        left_out = extraction["faces_found"] - extraction["faces_kept"]
        if left_out > 0:
            gone = {1: "", 2: "not in both frames of a pair, "}.get(
                each, f"not in all {each} frames of a clip, "
            )
            found.append(
                f"{counted(left_out, 'face was', 'faces were')} found but not judged: {gone}too "
                "small, or more than the limit per frame (settings detection.*)."
            )
        if sampled_s and len(sampled_s) != extraction["frames_total"]:
            found.append(between(extraction, sampled_s) + added_frames(extraction))
        found += note_sentences(extraction)
    brief = sum(track.is_brief for track in tracks)
    if brief and len(tracks) > 1:
        have, mean = ("has", "its mean is") if brief == 1 else ("have", "their means are")
        found.append(
            f"{brief:,} of {len(tracks):,} face tracks {have} fewer than {BRIEFLY} scored faces, "
            f"so {mean} unreliable."
        )
    return [*found, NO_PROOF_ELSEWHERE if elsewhere else NO_PROOF]


def limits_without_faces(verdict: Row) -> list[str]:
    """Return the limits of a verdict on a video without a scored face."""
    return [sound_limit(verdict), NO_PROOF] if is_by_sound(verdict) else []


def changes_size(extraction: Mapping[str, Any]) -> bool:
    """Return whether frames differ in size, so that the file's size is not that of each frame."""
    notes = from_text(extraction.get("notes"))
    return any(note.code is Note.SIZE_CHANGED for note in notes)


def note_sentences(extraction: Mapping[str, Any]) -> list[str]:
    """Return one sentence per note about the file.

    Args:
        extraction: row of `extractions`, also of runs that kept no notes.
    """
    if extraction.get("notes") is None:
        return [VideoNote(Note.DAMAGED).sentence] if extraction["error"] else []
    return [note.sentence for note in from_text(extraction["notes"])]


def mixed(tracks: Sequence[FaceTrack], threshold: float) -> list[str]:
    """Return a warning if one score covers tracks on both sides of the threshold.

    Args:
        threshold: of single faces, 0 to 1.
    """
    known = [track for track in tracks if not track.is_brief]
    if not known:
        return []
    most = max(known, key=lambda track: track.mean)
    least = min(known, key=lambda track: track.mean)
    if not least.mean < threshold <= most.mean:
        return []
    return [
        f"The face tracks differ: the mean face score of track {most.number} is {most.mean:.3f}, "
        f"of track {least.number} it is {least.mean:.3f} (not calibrated). p_fake mixes them and "
        "may fit neither; in a fake video, some faces can be real."
    ]


def between(extraction: Row, sampled_s: Sequence[float]) -> str:
    """Return how much of the video lies between the sampled frames.

    Args:
        extraction: of the video.
        sampled_s: times of the sampled frames, of pairs the first ones, at least one.
    """
    times = sorted(sampled_s)
    end = extraction["duration_s"]
    edges = sorted({0.0, *times, *([end] if end is not None else [])})
    gaps = [(after - before, before, after) for before, after in pairwise(edges)]
    total = extraction["frames_total"]
    each = _frames_each(extraction, len(times))
    if total is None:
        text = f"{len(times):,} {_samples_of(each, len(times))}"
    elif each > 1:
        unit = _samples_of(each, len(times)).partition(" of ")[0]
        text = f"{len(times):,} {unit} out of {counted(total, 'frame')}"
    else:
        text = f"{len(times):,} of {counted(total, 'frame')}"
    text += " was sampled" if len(times) == 1 else " were sampled"
    if not gaps:
        return f"{text}."
    apart = [after - before for before, after in pairwise(times)]
    usual = f", about one every {took_word(median(apart))}" if apart else ""
    longest, start, stop = max(gaps)
    return (
        f"{text}{usual}; anything visible only in the frames between was missed. The longest gap "
        f"is {took_word(longest)}, from {clock(start)} to {clock(stop)}."
    )


def _frames_each(extraction: Row, samples: int) -> int:
    """Return how many frames each sample has, count."""
    return max(extraction["frames_sampled"] // samples, 1) if samples else 1


def _samples_of(each: int, count: int = 2) -> str:
    """Return what samples of so many frames are called, by default in the plural."""
    many = "" if count == 1 else "s"
    if each == 1:
        return f"frame{many}"
    return f"pair{many} of frames" if each == 2 else f"clip{many} of {each} frames"


def apart(tracks: Sequence[FaceTrack]) -> str | None:
    """Return the time between the faces that SSIM compares; None without such a pair."""
    gaps = sorted(
        after.pts_s - before.pts_s
        for track in tracks
        for before, after in pairwise(track.faces)
        if after.ssim is not None
    )
    if not gaps:
        return None
    usual = f"typically {took_word(median(gaps))} earlier"
    if took_word(gaps[0]) != took_word(gaps[-1]):
        usual += f" ({took_word(gaps[0])} to {took_word(gaps[-1])})"
    return usual


def advice(status: str) -> str | None:
    """Return what to do about a video without a score; None if nothing can be done."""
    return _ADVICE.get(Status(status))
