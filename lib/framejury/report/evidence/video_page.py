"""The evidence page of one video: what was seen, and what the verdict rests on.

One self-contained page without a script. Paths and errors come from files and may be hostile:
all text is escaped, control characters are shown, secrets in addresses hidden.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import Template
from markupsafe import Markup

from framejury.pages.templating import POLICY, environment, style_of
from framejury.redaction import redacted
from framejury.report.evidence import sentences as words
from framejury.report.evidence.shown_pictures import shown_faces, shown_frame
from framejury.report.evidence.timeline import MOST_POINTS, Scale, timeline
from framejury.report.evidence.track_styles import Person, people_of
from framejury.report.evidence.video_evidence import Evidence, FaceEvidence, Row
from framejury.report.findings import banners_of
from framejury.report.inputs import BundleInfo
from framejury.report.wording import SOUND, decimal, outcome_word, status_meaning, status_word
from framejury.settings import VerdictSettings
from framejury.verdict.judge import face_threshold
from framejury.verdict.rule import Rule

MOST_ROWS = 500
"""Faces that the table lists; of more, those with the highest scores."""
_OPEN_ROWS = 40
_MOST_PEOPLE = 30


@dataclass(frozen=True, slots=True)
class About:
    """What an evidence page knows beside the evidence.

    Attributes:
        created_at: when the page was made, with time zone.
        bundle: the model; None when it is not at hand.
        rule: by which faces became the verdict; None when not known. Ignored for a verdict that
            was made by another model, threshold or reducer.
        settings: of the verdict; None when not known.
        report: link to the report, relative to the page; None: there is none.
        model_id: of bundle and rule; None: they are those of every verdict.
        scanned: the page comes from a single file, and no warehouse is behind it.
    """

    created_at: datetime
    bundle: BundleInfo | None = None
    rule: Rule | None = None
    settings: VerdictSettings | None = None
    report: str | None = None
    model_id: str | None = None
    scanned: bool = False

    def __post_init__(self) -> None:
        if self.created_at.tzinfo is None:
            raise ValueError(f"created_at needs a time zone; got {self.created_at!r}")


def evidence_html(evidence: Evidence, about: About) -> str:
    """The page as text, whatever the video's status.

    Takes some 0.1 s; without pictures it has some 50 KB, and with the most faces 200 KB.
    """
    verdict, rule = evidence.verdict, _rule_of(evidence.verdict, about)
    people = people_of(evidence.faces, verdict["worst_person"])
    extraction, settings = evidence.extraction, about.settings
    judges = "face" if about.bundle is None else about.bundle.judges
    scale = _scale(verdict, rule)
    most, least = shown_faces(evidence)
    listed = _listed(evidence.faces)
    return _template().render(
        about=about,
        v=verdict,
        judges=judges,
        policy=POLICY,
        style=style_of("evidence.css"),
        banners=banners_of(about.bundle),
        outcome=outcome_word(verdict),
        called=words.called(verdict),
        score=words.score_sentence(verdict, settings.confidence_level if settings else None),
        why=words.why_inconclusive(verdict, settings.min_faces if settings else None),
        basis=words.basis(verdict, people, rule, judges),
        truth=words.truth(verdict),
        error=_error(evidence),
        advice=words.advice(verdict["status"]) if verdict["p_fake"] is None else None,
        not_said=words.not_said(evidence, people, scale.threshold, judges)
        if evidence.faces
        else [SOUND],
        chart=_chart(evidence, people, scale, judges),
        scale=scale,
        calibrated=rule is not None and face_threshold(rule) != rule.threshold,
        stretched=any(len(person.faces) > MOST_POINTS for person in people),
        apart=words.apart(people),
        every_frame=_every_frame(evidence),
        people=people[:_MOST_PEOPLE],
        people_count=len(people),
        look_of={person.number: person.look for person in people},
        most=most,
        least=least,
        frame=shown_frame(evidence),
        faces=listed,
        faces_count=len(evidence.faces),
        open_rows=len(listed) <= _OPEN_ROWS,
        facts=_facts(verdict, extraction, about, judges),
    )


@cache
def _template() -> Template:
    found = environment()
    found.filters.update(
        decimal=decimal,
        clock=words.clock,
        count=lambda value: f"{value:,}",
        status_word=status_word,
        status_meaning=status_meaning,
    )
    return found.get_template("evidence.html")


def _rule_of(verdict: Row, about: About) -> Rule | None:
    """The rule, if this verdict was made by it."""
    rule = about.rule
    if rule is None or about.model_id not in (None, verdict["model_id"]):
        return None
    same = rule.threshold == verdict["threshold"] and rule.reducer.name == verdict["reducer"]
    return rule if same else None


def _scale(verdict: Row, rule: Rule | None) -> Scale:
    """Threshold and interval on the scale of single faces, which a calibration is not on.

    The ends are moved as the threshold is, to the score at which a video of one such face would
    reach them: whatever crosses the threshold on one scale does so on the other.
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
    """Whether no frame of the video was left out."""
    extraction, sampled_s = evidence.extraction, evidence.sampled_s
    if extraction is None or sampled_s is None:
        return False
    return bool(extraction["frames_total"] == len(sampled_s))


def _chart(
    evidence: Evidence, people: tuple[Person, ...], scale: Scale, judges: str
) -> Markup | None:
    if not evidence.faces and not evidence.sampled_s:
        return None
    extraction = evidence.extraction
    duration_s = None if extraction is None else extraction["duration_s"]
    # Numbers and words of our own: nothing in it comes from a file.
    return Markup(timeline(people, scale, evidence.sampled_s, duration_s, judges))


def _listed(faces: tuple[FaceEvidence, ...]) -> tuple[FaceEvidence, ...]:
    """The highest scores, by time."""
    if len(faces) <= MOST_ROWS:
        return faces
    ranked = sorted(range(len(faces)), key=lambda place: (-faces[place].p_fake, place))
    return tuple(faces[place] for place in sorted(ranked[:MOST_ROWS]))


def _error(evidence: Evidence) -> str | None:
    """What went wrong, without secrets."""
    error = evidence.verdict["error"]
    if error is None and evidence.extraction is not None:
        error = evidence.extraction["error"]
    return None if error is None else redacted(error)


def _facts(
    verdict: Row, extraction: Row | None, about: About, judges: str
) -> list[tuple[str, str]]:
    """Name and value of what is known of the file and how it was looked at."""
    file: list[tuple[str, Any]] = [
        ("file", verdict["path"]),
        ("address", redacted(verdict["uri"])),
        ("layout", verdict["layout"]),
        ("group", verdict["group"]),
    ]
    seen: list[tuple[str, Any]] = []
    if extraction is not None:
        e = extraction
        width, height = e["width_px"], e["height_px"]
        wall_s, cpu_s = e["wall_s"], e["cpu_s"]
        found = f"{e['faces_found']:,}, {e['faces_kept']:,}"
        seen = [
            ("size", None if e["bytes"] is None else _bytes(e["bytes"])),
            ("SHA-256", e["content_id"]),
            ("container, codec", _joined(e["container"], e["codec"])),
            ("picture", None if width is None else f"{width} x {height} pixels"),
            ("length", None if e["duration_s"] is None else words.seconds(e["duration_s"])),
            ("frames", None if e["frames_total"] is None else f"{e['frames_total']:,}"),
            ("decoded, looked at", f"{e['frames_decoded']:,}, {e['frames_sampled']:,}"),
            ("faces found, kept", None if judges == "frame" else found),
            ("took", None if wall_s is None or cpu_s is None else _took(wall_s, cpu_s)),
            ("settings_id", e["settings_id"]),
        ]
    own = () if about.scanned else ("video_id", "run_id")
    ids: list[tuple[str, Any]] = [(name, verdict[name]) for name in (*own, "model_id", "reducer")]
    return [(name, str(value)) for name, value in (*file, *seen, *ids) if value is not None]


def _took(wall_s: float, cpu_s: float) -> str:
    return f"{words.seconds(wall_s)}, {words.seconds(cpu_s)} of processor time"


def _joined(*texts: str | None) -> str | None:
    return ", ".join(text for text in texts if text) or None


def _bytes(count: int) -> str:
    """`1.2 MB (1,234,567 bytes)`, powers of ten."""
    for power, unit in ((9, "GB"), (6, "MB"), (3, "kB")):
        if count >= 10**power:
            return f"{count / 10**power:.1f} {unit} ({count:,} bytes)"
    return words.counted(count, "byte")
