"""`report.txt`: the report for terminals, mail and logs."""

from __future__ import annotations

from collections.abc import Callable

from framejury.evaluation.binary import Confusion
from framejury.evaluation.bootstrap import Interval
from framejury.evaluation.breakdown import VerdictCounts
from framejury.evaluation.metrics import SliceMetrics
from framejury.model.card_tables import few_marked
from framejury.pages.text_table import counted, grid, heading
from framejury.redaction import printable
from framejury.report.evidence.sentences import advice
from framejury.report.findings import Findings
from framejury.report.known import TITLE, known_table
from framejury.report.opening import review_text
from framejury.report.predictions import as_rows
from framejury.report.protocol_tables import Table, protocol_tables, trained_cells
from framejury.report.seen_videos import HEADER, NOTE, odds_sentence, seen_rows
from framejury.report.sound_words import decided_word
from framejury.report.summary import (
    accuracy_sentences,
    by_score_sentence,
    limits_sentence,
    outcome_counts,
    summary_sentences,
    undecided_sentence,
)
from framejury.report.text_news import changed_text, mistakes_text, runs_text
from framejury.report.training_curves import training_text
from framejury.report.trust import REAL_MEANS
from framejury.report.verdicts_by_night import nights_text
from framejury.report.wording import (
    auc_against,
    bootstrap_sentence,
    correct_word,
    decimal,
    flat,
    inconclusive_words,
    interval_text,
    left_out_words,
    metric_lines,
    outcome_word,
    percent,
    status_meaning,
    status_word,
)
from framejury.schemas.statuses import Label, Status


def text_report(findings: Findings, *, max_rows: int) -> str:
    """Return the whole report as plain text with aligned tables, lines of any length.

    Args:
        max_rows: most rows of a table; the text refers to `predictions.csv` for the rest.
    """
    blocks = [
        _head(findings),
        review_text(findings, max_rows),
        _counts(findings),
        changed_text(findings, max_rows),
        mistakes_text(findings),
        _protocol(findings),
        _accuracy(findings),
        _confusions(findings),
        _methods(findings),
        _seen(findings),
        _known(findings),
        _predictions(findings, max_rows),
        _failures(findings, max_rows),
        runs_text(findings),
        nights_text(() if findings.review is None else findings.review.by_night),
        training_text(findings.run.bundle),
        _run(findings),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def protocol_text(findings: Findings) -> str:
    """Return the head of the report and the tables of the evaluation protocol."""
    blocks = [_head(findings), _protocol(findings), _known(findings), _seen(findings)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _protocol(f: Findings) -> str:
    """Return nothing if the protocol was not followed."""
    if f.protocol is None:
        return ""
    tables = [
        _protocol_table(table) for table in protocol_tables(f.protocol, f.judges, f.run.bundle)
    ]
    bootstrap = bootstrap_sentence(f.protocol.overall.metrics.bootstrap)
    return "\n\n".join([heading("Evaluation protocol"), *tables, bootstrap])


def _protocol_table(table: Table) -> str:
    rows = [
        [f"{cell.value} ({cell.interval})" if cell.interval else cell.value for cell in row]
        for row in table.rows
    ]
    sides = "".join("l" if is_word else "r" for is_word in table.words)
    lines = [table.title, grid(table.header, rows, sides), table.note]
    return "\n".join(line for line in lines if line)


def _head(f: Findings) -> str:
    lines = [heading(printable(f.title))]
    for banner in f.banners:
        lines += ["", "!" * 78, printable(banner), "!" * 78]
    lines += ["", f.trust.sentence, "", *summary_sentences(f), "", f.judged]
    lines += [f"Note: {printable(note)}" for note in f.notes]
    return "\n".join(lines)


def _counts(f: Findings) -> str:
    o = f.outcomes
    threshold = "several thresholds" if f.threshold is None else f"threshold {f.threshold:.3f}"
    reducers = printable(", ".join(f.reducers)) or "-"
    lines = [
        heading(counted(f.videos, "video")),
        f"{outcome_counts(o)} ({threshold}, aggregation {reducers})",
        *(f"inconclusive: {why}" for why in inconclusive_words(f.inconclusive)),
        "",
        grid(
            ("status", "videos", "meaning"),
            [(status_word(s), f"{n:,}", status_meaning(s)) for s, n in f.statuses.items()],
            "lr",
        ),
    ]
    return "\n".join(lines)


def _accuracy(f: Findings) -> str:
    if f.why_no_accuracy:
        return f"{heading('Accuracy')}\n{f.why_no_accuracy}"
    sentences = [*accuracy_sentences(f), undecided_sentence(f), by_score_sentence(f)]
    blocks = [heading("Accuracy"), " ".join(sentences), "", _slice(f.video.overall)]
    if len(f.video.layouts) > 1:
        rows = [
            (
                one.name,
                one.coverage.labelled,
                one.scored.total,
                percent(one.scored.accuracy),
                interval_text(one.bootstrap.intervals["accuracy"], percent),
                decimal(one.scored.auc),
                percent(one.scored.fpr),
            )
            for one in f.video.layouts
        ]
        header = ("layout", "labelled", "scored", "accuracy", "interval", "AUC", "FPR")
        blocks += ["", grid(header, rows, "lrrrlrr")]
    if f.face is not None:
        m = f.face.labelled
        lines = [(line.label, line.value, line.meaning) for line in metric_lines(m, None)]
        blocks += [
            "",
            f"{counted(m.total, f.judges)} of labelled videos, each against the label of its video",
            grid(("metric", "value", "meaning"), lines, "lr"),
        ]
    return "\n".join(blocks)


def _slice(one: SliceMetrics) -> str:
    c = one.coverage
    lines = [
        (line.label, line.value, line.interval, line.meaning)
        for line in metric_lines(one.scored, one.bootstrap)
    ]
    return "\n".join(
        [
            f"{c.scored:,} of {counted(c.labelled, 'labelled video')} scored "
            f"({percent(c.scored_share)}), {c.decided:,} decided ({percent(c.decided_share)}).",
            "",
            "By score alone, all scored videos against the threshold:",
            grid(("metric", "value", "interval", "meaning"), lines, "lr"),
            bootstrap_sentence(one.bootstrap),
        ]
    )


def _confusions(f: Findings) -> str:
    if f.why_no_accuracy:
        return ""
    blocks = [
        heading("Confusion matrices"),
        "Videos by score alone, against the threshold",
        _matrix(f.video.overall.scored.confusion),
        "",
        "Videos by verdict",
        _verdict_matrix(f.video.overall.verdicts),
    ]
    if f.face is not None:
        title = f"{f.judges.capitalize()}s by score alone, against the threshold"
        blocks += ["", title, _matrix(f.face.labelled.confusion)]
    return "\n".join(blocks)


def _matrix(c: Confusion) -> str:
    rows = [("FAKE", c.tp, c.fn), ("REAL", c.fp, c.tn)]
    return grid(("label", "at or above", "below"), [_shares(row) for row in rows], "lrr")


def _verdict_matrix(verdicts: dict[str, VerdictCounts]) -> str:
    rows = []
    for label in (Label.FAKE.value, Label.REAL.value):
        v = verdicts[label]
        rows.append(_shares((label, v.fake, v.real, v.inconclusive, v.not_scored)))
    return grid(("label", "fake", "real", "inconclusive", "not scored"), rows, "lrrrr")


def _shares(row: tuple[str, *tuple[int, ...]]) -> tuple[str, ...]:
    name, *counts = row
    total = sum(counts)
    return (name, *(f"{n:,} ({percent(n / total if total else None)})" for n in counts))


def _methods(f: Findings) -> str:
    blocks = []
    trained = None if f.run.bundle is None else f.run.bundle.methods
    known, blank = ((), ()) if trained is None else (("in training",), ("",))
    for name, rows in (
        ("Videos", f.video.methods),
        (f"{f.judges.capitalize()}s", () if f.face is None else f.face.methods),
    ):
        if rows:
            table = [
                (
                    row.layout,
                    row.truth,
                    row.method,
                    *(trained_cells(row.method, trained) if row.truth == "FAKE" else blank),
                    few_marked(row.scored),
                    _with_ends(percent(row.correct), row.correct_interval, percent),
                    decimal(row.mean_score),
                    _with_ends(decimal(row.auc), row.auc_interval, decimal)
                    if row.truth == Label.FAKE.value
                    else "",
                    auc_against(row),
                )
                for row in rows
            ]
            header = ("layout", "label", "method", *known, "scored", "correct", "mean score", "AUC")
            sides = f"lll{'l' * len(known)}rrrrl"
            blocks.append(f"{name} by method\n{grid((*header, 'against'), table, sides)}")
    return "\n\n".join([heading("By method"), *blocks]) if blocks else ""


def _seen(f: Findings) -> str:
    """Return nothing if no video was seen in training."""
    if not f.seen.sides:
        return ""
    table = grid(HEADER, seen_rows(f.seen), "lrrrrrr")
    title = heading("Videos the model had seen in training")
    return "\n".join([title, table, NOTE, odds_sentence(f.seen)])


def _known(f: Findings) -> str:
    """Return figures of known and unknown methods, and what was not tested; may be empty."""
    found = []
    if f.why_not_apart:
        found.append(f"{heading(TITLE)}\n{f.why_not_apart}")
    elif f.apart is not None:
        found.append(f"{heading(TITLE)}\n{_protocol_table(known_table(f.apart))}")
    return "\n\n".join([*found, *([said] if (said := limits_sentence(f)) else [])])


def _with_ends(value: str, interval: Interval | None, write: Callable[[float], str]) -> str:
    return value if interval is None else f"{value} ({interval_text(interval, write)})"


def _predictions(f: Findings, max_rows: int) -> str:
    total = f.predictions.num_rows
    rows = [
        (
            decimal(row["p_fake"]) if row["p_fake"] is not None else "",
            outcome_word(row) + decided_word(row),
            row["label"] or "",
            correct_word(row),
            row["faces_scored"],
            row["path"],
        )
        for row in as_rows(f.predictions, max_rows)
    ]
    lines = [
        heading("Verdicts"),
        "Highest score first; p_fake is the score of the video, from 0 (real) to 1 (fake).",
        REAL_MEANS,
    ]
    if total > max_rows:
        lines.append(f"First {max_rows:,} of {total:,} videos; predictions.csv has all.")
    header = ("p_fake", "verdict", "label", "correct?", f"{f.judges}s", "video")
    return "\n".join([*lines, grid(header, rows, "rlllrl")])


def _failures(f: Findings, max_rows: int) -> str:
    total = f.outcomes.not_scored
    others = [words] if (words := left_out_words(f.context.left_out)) else []
    if not total:
        return "\n".join([heading("Not scored"), "Every video was scored.", *others])
    failed = f.predictions.slice(f.predictions.num_rows - total)
    rows = [
        (status_word(row["status"]), row["path"], row["error"] or status_meaning(row["status"]))
        for row in as_rows(failed, max_rows)
    ]
    hints = [
        f"{status_word(status)}: {hint}"
        for status in f.statuses
        if status != Status.SCORED.value and (hint := advice(status))
    ]
    lines = [
        heading(f"Not scored: {total:,}"),
        "What to do:",
        *hints,
        "",
        grid(("status", "video", "reason"), rows),
    ]
    if total > max_rows:
        lines.append(f"First {max_rows:,}; predictions.csv has all.")
    return "\n".join([*lines, *others])


def _run(f: Findings) -> str:
    run = f.run
    lines = [
        ("run", run.run_id),
        ("report written", run.created_at.isoformat(timespec="seconds")),
        ("archive", run.archive),
        ("warehouse", run.warehouse),
        ("model", run.model_id),
        *((f"seconds: {phase}", f"{seconds:.1f}") for phase, seconds in run.seconds.items()),
        *((f"this run: {status_word(s)}", str(n)) for s, n in (run.statuses or {}).items()),
        *((f"videos with a note: {note}", f"{n:,}") for note, n in f.file_notes.items()),
        *((f"version: {name}", version) for name, version in run.versions.items()),
    ]
    blocks = [f"{heading('Run')}\n{grid(('name', 'value'), lines)}"]
    for step in run.steps:
        title = heading(printable(f"Settings: {step.title}"))
        blocks.append(f"{title}\n{grid(('setting', 'value'), list(flat(step.settings)))}")
    return "\n\n".join(blocks)
