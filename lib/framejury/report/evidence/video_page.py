"""The evidence page of one video: one self-contained page without a script.

Paths and errors come from files and may be hostile: all text is escaped, control characters are
made visible, secrets in addresses are removed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from jinja2 import Template
from markupsafe import Markup

from framejury.pages.templating import POLICY, environment, style_of
from framejury.redaction import redacted
from framejury.report.bundle_info import BundleInfo
from framejury.report.evidence import sentences as words
from framejury.report.evidence.decision_block import decision_block
from framejury.report.evidence.file_facts import file_facts, technical_facts
from framejury.report.evidence.heat_words import heat_legend, heat_outside
from framejury.report.evidence.origin_facts import UNVERIFIED, origin_facts
from framejury.report.evidence.shown_clips import shown_clips
from framejury.report.evidence.shown_pictures import contact_sheet, frame_picture
from framejury.report.evidence.suspicious_tracks import rests_on, suspicious_tracks
from framejury.report.evidence.timeline import MOST_POINTS, Scale, timeline
from framejury.report.evidence.video_evidence import (
    Evidence,
    FaceEvidence,
    FaceTrack,
    Row,
    tracks_of,
)
from framejury.report.findings import banners_of
from framejury.report.sound_words import is_by_sound, sound_score_sentence
from framejury.report.trust import trust_of
from framejury.report.wording import FILTERS, outcome_word
from framejury.schemas.statuses import Status
from framejury.settings import VerdictSettings
from framejury.verdict.judge import face_threshold
from framejury.verdict.members import agreement
from framejury.verdict.members import in_words as said_by
from framejury.verdict.rule import Rule

MOST_ROWS = 500
"""Most faces in the table, those with the highest scores."""
_OPEN_ROWS = 40
_MOST_TRACKS = 30


@dataclass(frozen=True, slots=True)
class About:
    """What an evidence page knows besides the evidence.

    Attributes:
        created_at: when the page was made, with time zone.
        bundle: the model; None if not available.
        rule: turns face scores into the verdict; None if unknown. Ignored for a verdict with
            another model, threshold or reducer.
        settings: of the verdict; None if unknown.
        report: link to the report, relative to the page; may be None.
        model_id: of bundle and rule; None: they belong to every verdict.
        scanned: the page is of a single file, without a warehouse.
        warehouse: path or URI, for commands; None: not known.
    """

    created_at: datetime
    bundle: BundleInfo | None = None
    rule: Rule | None = None
    settings: VerdictSettings | None = None
    report: str | None = None
    model_id: str | None = None
    scanned: bool = False
    warehouse: str | None = None

    def __post_init__(self) -> None:
        if self.created_at.tzinfo is None:
            raise ValueError(f"created_at needs a time zone; got {self.created_at!r}")


def evidence_html(evidence: Evidence, about: About) -> str:
    """Return the page as text, for any status; takes about 0.15 s.

    Without pictures it has about 50 KB, with the most faces 200 KB.
    """
    verdict, rule = evidence.verdict, _rule_of(evidence.verdict, about)
    tracks = tracks_of(evidence.faces, verdict["worst_person"])
    extraction, settings = evidence.extraction, about.settings
    members = verdict.get("members") or ()
    judges = "face" if about.bundle is None else about.bundle.judges
    scale = _scale(verdict, rule)
    shown = contact_sheet(evidence)
    listed = _listed(evidence.faces)
    return _template().render(
        about=about,
        v=verdict,
        judges=judges,
        policy=f"{POLICY}; media-src data:",
        style=style_of("evidence.css", "decisions.css"),
        decision=decision_block(
            evidence, None if about.scanned else redacted(about.warehouse or "DIR"), judges
        ),
        banners=banners_of(about.bundle),
        trust=_trust(verdict, about),
        outcome=outcome_word(verdict),
        called=words.called(verdict),
        deleted=words.deleted(verdict),
        sound=sound_score_sentence(verdict),
        score=words.score_sentence(verdict, settings.confidence_level if settings else None),
        why=words.why_inconclusive(verdict, settings.min_faces if settings else None, judges),
        basis=words.basis(verdict, tracks, rule, judges),
        agreement=agreement(members) if members else None,
        said=said_by(members),
        rests_on=rests_on(suspicious_tracks(verdict, tracks, scale.threshold), verdict),
        parts=words.parts(verdict, judges),
        about_parts=words.about_parts(verdict, scale.threshold, judges),
        truth=words.truth(verdict),
        error=_error(evidence),
        advice=words.advice(verdict["status"]) if verdict["p_fake"] is None else None,
        limits=words.limits_of(
            evidence, tracks, scale.threshold, judges, elsewhere=_trained_elsewhere(about)
        )
        if evidence.faces and verdict["p_fake"] is not None
        else words.limits_without_faces(verdict),
        chart=_chart(evidence, tracks, scale, judges),
        narrow_chart=_chart(evidence, tracks, scale, judges, is_narrow=True),
        scale=scale,
        calibrated=rule is not None and face_threshold(rule) != rule.threshold,
        stretched=any(len(track.faces) > MOST_POINTS for track in tracks),
        apart=words.apart(tracks),
        every_frame=_every_frame(evidence),
        tracks=tracks[:_MOST_TRACKS],
        tracks_count=len(tracks),
        style_of={track.number: track.style for track in tracks},
        shown=shown,
        heat_legend=heat_legend(shown, judges, several=bool(members)) if shown else None,
        heat_outside=heat_outside(shown) if judges == "face" else None,
        clips=shown_clips(evidence),
        throughout=words.is_throughout(verdict),
        origin=origin_facts(extraction),
        unverified=UNVERIFIED,
        frame=frame_picture(evidence),
        faces=listed,
        faces_count=len(evidence.faces),
        open_rows=len(listed) <= _OPEN_ROWS,
        facts=file_facts(verdict, extraction, judges),
        technical=technical_facts(verdict, extraction, scanned=about.scanned),
    )


@cache
def _template() -> Template:
    return environment(**FILTERS).get_template("evidence.html")


def _trust(verdict: Row, about: About) -> str | None:
    """Return how far to trust the model; None where it gave no verdict."""
    if verdict["p_fake"] is None and not is_by_sound(verdict):
        return None
    own = about.model_id in (None, verdict["model_id"])
    return trust_of(about.bundle if own else None).sentence


def _trained_elsewhere(about: About) -> bool:
    return about.bundle is not None and about.bundle.training is not None


def _rule_of(verdict: Row, about: About) -> Rule | None:
    """Return the rule, if it made this verdict."""
    rule = about.rule
    if rule is None or about.model_id not in (None, verdict["model_id"]):
        return None
    same = rule.threshold == verdict["threshold"] and rule.reducer.name == verdict["reducer"]
    return rule if same else None


def _scale(verdict: Row, rule: Rule | None) -> Scale:
    """Return threshold and interval on the uncalibrated scale of single faces.

    Each is converted to the score at which a video of one such face would reach it, so what
    crosses the threshold on one scale does so on the other.
    """
    if rule is None:
        return Scale(None, None)
    low, high = verdict["p_fake_low"], verdict["p_fake_high"]
    band = None
    if low is not None and high is not None and low < high:
        ends = [min(face_threshold(replace(rule, threshold=end)), 1.0) for end in (low, high)]
        band = ends[0], max(ends)
    return Scale(min(face_threshold(rule), 1.0), band)


def _every_frame(evidence: Evidence) -> bool:
    """Return whether every frame of the video was sampled."""
    extraction, sampled_s = evidence.extraction, evidence.sampled_s
    if extraction is None or sampled_s is None:
        return False
    return bool(extraction["frames_total"] == len(sampled_s))


def _chart(
    evidence: Evidence,
    tracks: tuple[FaceTrack, ...],
    scale: Scale,
    judges: str,
    *,
    is_narrow: bool = False,
) -> Markup | None:
    # Without a verdict on these frames, their having no scored face means nothing.
    was_judged = evidence.verdict["status"] in (Status.SCORED, Status.NO_FACE)
    if not evidence.faces and not (was_judged and evidence.sampled_s):
        return None
    extraction = evidence.extraction
    duration_s = None if extraction is None else extraction["duration_s"]
    # Our own numbers and words: no text in it comes from a file.
    return Markup(
        timeline(tracks, scale, evidence.sampled_s, duration_s, judges, is_narrow=is_narrow)
    )


def _listed(faces: tuple[FaceEvidence, ...]) -> tuple[FaceEvidence, ...]:
    """Return the faces with the highest scores, by time."""
    if len(faces) <= MOST_ROWS:
        return faces
    ranked = sorted(range(len(faces)), key=lambda at: (-faces[at].score, at))
    return tuple(faces[at] for at in sorted(ranked[:MOST_ROWS]))


def _error(evidence: Evidence) -> str | None:
    """Return the error without secrets."""
    error = evidence.verdict["error"]
    if error is None and evidence.extraction is not None:
        error = evidence.extraction["error"]
    return None if error is None else redacted(error)
