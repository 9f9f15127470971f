"""What an evidence page says in sentences. Pure: a video's rows in, plain text out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from framejury.report.evidence.track_styles import BRIEFLY, Person
from framejury.report.evidence.video_evidence import Evidence, Row
from framejury.report.wording import SOUND
from framejury.schemas.statuses import Status, Verdict
from framejury.verdict.rule import Rule

NO_PROOF = (
    "It is no proof. A model that was trained on other videos gave these scores; its card, in the "
    "report and beside the model, says how often it is wrong. Look for yourself."
)

_CALLED = {
    Verdict.FAKE: "This video is called fake.",
    Verdict.REAL: "This video is called real.",
    Verdict.INCONCLUSIVE: "No verdict: the evidence does not decide.",
}
_REDUCED = {
    "mean": "the mean of all of them",
    "median": "their median",
    "trimmed_mean": "their mean without the highest and the lowest",
    "top_share": "the mean of the highest of them",
    "worst_person": "the mean of the person whose mean is the highest",
    "confidence_weighted": "their mean, in which scores far from 0.5 count more",
    "learned": "a weighted sum of their quantiles, with weights learned from labelled videos",
}
_ADVICE = {
    Status.NO_FACE: "Look at more frames (--set sampling.frames=64), or for smaller faces "
    "(--set detection.min_face_px=32, detection.frame_side_px=720).",
    Status.EMPTY: "The file has no bytes. Copy it again from where it came.",
    Status.NOT_VIDEO: "Only moving pictures are judged. If it plays as a video elsewhere, convert "
    "it to MP4 and judge the copy.",
    Status.UNREADABLE: "Play it. If it does not play either, copy it again from where it came; if "
    "it does, convert it to MP4 and judge the copy.",
    Status.TOO_LARGE: "Raise the limit that the reason names (settings limits.*), or cut the "
    "video.",
    Status.TIMEOUT: "Try again with more time: --set limits.timeout_s=1800. With a warehouse: "
    "framejury retry --status timeout.",
    Status.CRASHED: "Try again, with a higher limits.memory_bytes if the reason names memory; with "
    "a warehouse: framejury retry --status crashed. A file that crashes a decoder every time is "
    "damaged, or was made to.",
    Status.MISSING: "Put the file back; the next run judges it.",
    Status.NOT_SCORED: "The next run judges it: framejury nightly.",
}


def called(verdict: Row) -> str:
    """The one line: what the video is called."""
    if verdict["p_fake"] is None:
        return "This video has no score, and so no verdict."
    return _CALLED[Verdict(verdict["verdict"])]


def score_sentence(verdict: Row, level: float | None) -> str | None:
    """Score, interval and threshold; None without a score.

    Args:
        level: of the interval, 0 to 1; None: not known.
    """
    if verdict["p_fake"] is None:
        return None
    named = f"{level:.0%} interval" if level is not None else "interval"
    low, high = verdict["p_fake_low"], verdict["p_fake_high"]
    # Without verdict.confidence_level both ends are the score: that is no interval.
    wide = low is not None and high is not None and low < high
    interval = f" ({named} {low:.3f} to {high:.3f})" if wide else ""
    return (
        f"Its score p_fake is {verdict['p_fake']:.3f}{interval}, 0 real to 1 fake. From "
        f"{verdict['threshold']:.3f} on, a video is called fake."
    )


def why_inconclusive(verdict: Row, min_faces: int | None) -> str | None:
    """Why a scored video got no verdict; None where it got one."""
    if verdict["p_fake"] is None or verdict["verdict"] != Verdict.INCONCLUSIVE:
        return None
    low, high = verdict["p_fake_low"], verdict["p_fake_high"]
    if low is not None and high is not None and low < verdict["threshold"] <= high:
        return (
            "The interval crosses the threshold: with other frames of it, the same video could "
            "have been called the other way."
        )
    at_least = f" of at least {min_faces}" if min_faces is not None else ""
    return f"Too few faces: {verdict['faces_scored']}{at_least}."


def basis(verdict: Row, people: Sequence[Person], rule: Rule | None, judges: str = "face") -> str:
    """What the score was made from, and how.

    Args:
        judges: face, or frame where each "face" is a whole frame.
    """
    faces, frames, persons = (
        verdict[name] for name in ("faces_scored", "frames_scored", "persons")
    )
    seen = (
        counted(frames, "whole frame")
        if judges == "frame"
        else f"{counted(faces, 'face')} of {counted(persons, 'person', 'people')} in "
        f"{counted(frames, 'frame')}"
    )
    text = (
        f"It rests on {seen}. The network scored each {judges}; the score of the video is "
        f"{_REDUCED.get(verdict['reducer'], verdict['reducer'])}"
    )
    text += ", calibrated on labelled videos." if rule is not None and rule.calibration else "."
    if len(people) > 1 and verdict["worst_person"] is not None:
        worst, mean = verdict["worst_person"], verdict["worst_person_p_fake"]
        text += f" The most suspicious is person {worst}, with a mean of {mean:.3f}."
    return text


def truth(verdict: Row) -> str | None:
    """How the verdict compares with the archive's label; None without one."""
    label = verdict["label"]
    if label is None:
        return None
    method = f" (method {verdict['method']})" if verdict["method"] else ""
    if verdict["p_fake"] is None:
        return f"The archive labels it {label}{method}."
    decided = verdict["verdict"] != Verdict.INCONCLUSIVE
    right = verdict["verdict"].upper() == label
    word = ("right" if right else "wrong") if decided else "neither right nor wrong"
    return f"The archive labels it {label}{method}: the verdict is {word}."


def not_said(
    evidence: Evidence,
    people: Sequence[Person],
    threshold: float | None = None,
    judges: str = "face",
) -> list[str]:
    """What the verdict of a scored video leaves out, a sentence each.

    Args:
        threshold: of single faces; None: not known.
        judges: face, or frame where each "face" is a whole frame.
    """
    found = [SOUND]
    if evidence.verdict["reducer"] != "worst_person" and threshold is not None:
        found += mixed(people, threshold)
    extraction, sampled_s = evidence.extraction, evidence.sampled_s
    if extraction is not None:
        sampled, with_face = extraction["frames_sampled"], evidence.verdict["frames_scored"]
        looks = sampled if sampled_s is None else len(sampled_s)
        in_pairs = 2 * looks == sampled
        if looks > with_face:
            what = (
                "could not be judged" if judges == "frame" else "show no face that could be judged"
            )
            none = f"{looks - with_face:,} {what}."
            found.append(f"Of {_looks(looks, in_pairs=in_pairs)} looked at, {none}")
        left_out = extraction["faces_found"] - extraction["faces_kept"]
        if left_out > 0:
            gone = " not in both frames of a pair," if in_pairs else ""
            found.append(
                f"Found and not judged: {counted(left_out, 'face')},{gone} too small or beyond the "
                "most that a frame may have (settings detection.*)."
            )
        if sampled_s and len(sampled_s) != extraction["frames_total"]:
            found.append(between(extraction, sampled_s))
        if extraction["error"]:
            found.append("A part of the file could not be decoded; it was not looked at.")
    brief = [person for person in people if person.is_brief]
    if brief and len(people) > 1:
        found.append(
            f"Seen in fewer than {BRIEFLY} of the frames looked at, so that their scores say "
            f"little: {len(brief):,} of {counted(len(people), 'person', 'people')}."
        )
    return [*found, NO_PROOF]


def mixed(people: Sequence[Person], threshold: float) -> list[str]:
    """That one score stands for people who differ; nothing where they do not.

    Args:
        threshold: of single faces, 0 to 1.
    """
    known = [person for person in people if not person.is_brief]
    if not known:
        return []
    most = max(known, key=lambda person: person.mean)
    least = min(known, key=lambda person: person.mean)
    if not least.mean < threshold <= most.mean:
        return []
    return [
        f"The people differ: the mean of person {most.number} is {most.mean:.3f}, that of person "
        f"{least.number} {least.mean:.3f}. The score of the video mixes them and may be near "
        "neither; in a fake video not every face is fake."
    ]


def between(extraction: Row, sampled_s: Sequence[float]) -> str:
    """How much of the video lies between the frames that were looked at.

    Args:
        extraction: of the video.
        sampled_s: times looked at, of pairs of frames the first ones, at least one.
    """
    times = sorted(sampled_s)
    end = extraction["duration_s"]
    edges = sorted({0.0, *times, *([end] if end is not None else [])})
    gaps = [(after - before, before, after) for before, after in pairwise(edges)]
    total = extraction["frames_total"]
    of_all = f" of {total:,}" if total is not None else ""
    were = "was" if len(times) == 1 else "were"
    in_pairs = 2 * len(times) == extraction["frames_sampled"]
    text = f"{_looks(len(times), in_pairs=in_pairs)}{of_all} {were} looked at"
    if not gaps:
        return f"{text}."
    apart = [after - before for before, after in pairwise(times)]
    usual = f", about every {seconds(median(apart))}" if apart else ""
    longest, start, stop = max(gaps)
    return (
        f"{text}{usual}. The longest stretch between two looks is {seconds(longest)}, from "
        f"{clock(start)} to {clock(stop)}; what is to be seen only there was not judged."
    )


def _looks(count: int, *, in_pairs: bool) -> str:
    if in_pairs:
        return counted(count, "pair of frames", "pairs of frames")
    return counted(count, "frame")


def apart(people: Sequence[Person]) -> str | None:
    """How far apart in time the faces that SSIM compares are; None where there is no pair."""
    gaps = sorted(
        after.pts_s - before.pts_s
        for person in people
        for before, after in pairwise(person.faces)
        if after.ssim is not None
    )
    if not gaps:
        return None
    usual = f"usually {seconds(median(gaps))} before"
    if seconds(gaps[0]) != seconds(gaps[-1]):
        usual += f", between {seconds(gaps[0])} and {seconds(gaps[-1])}"
    return usual


def advice(status: str) -> str | None:
    """What to do about a video without a score; None where there is nothing to do."""
    return _ADVICE.get(Status(status))


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 face`, `1,234 faces`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def seconds(value: float) -> str:
    """A length of time for reading: 0.040 s, 2.5 s, 3:20 minutes."""
    if value >= 120:
        return f"{clock(value)} minutes"
    digits = 0 if value >= 20 else 1 if value >= 1 else 2 if value >= 0.1 else 3
    return f"{value:.{digits}f} s"


def clock(value: float) -> str:
    """A time in a video: 0:03.24, 1:02:03.50."""
    hundredths = math.floor(value * 100 + 0.5)
    whole, rest = divmod(hundredths, 100)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    hour = f"{hours}:{minute:02d}" if hours else f"{minute}"
    return f"{hour}:{second:02d}.{rest:02d}"
