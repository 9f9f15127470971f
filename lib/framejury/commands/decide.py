"""decide: record what a person decided about a video, or list what waits for a decision."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from framejury.cli.options import run_command
from framejury.clock import now
from framejury.decisions.decided import VideoDecisions
from framejury.decisions.decisions_csv import (
    LARGEST_BYTES,
    LONGEST_NAME,
    LONGEST_NOTE,
    KnownVideos,
    check_words,
    decoded,
    new_decisions,
    not_found,
    read_lines,
)
from framejury.errors import UsageError, did_you_mean
from framejury.evaluation.rows import joined
from framejury.logs import say
from framejury.pages.text_table import UNKNOWN, columns, counted
from framejury.parsers.decide import LISTED, REVIEWER, parser
from framejury.redaction import printable
from framejury.report.actions import Place, decide_command, look_at, what_to_do
from framejury.report.waiting import (
    Waiting,
    find_waiting,
    is_outdated,
    unclear_lines,
    waiting_sentence,
)
from framejury.report.wording import day_word, outcome_word
from framejury.runs.chosen_verdicts import chosen_verdicts
from framejury.runs.drift import night_of
from framejury.storage import local_path
from framejury.warehouse import Warehouse
from framejury.warehouse.deciding import known_videos, record_decisions
from framejury.warehouse.page_places import page_place, written_pages

_COMPARED = 20_000
"""Up to this many names are compared with one that is unknown; takes a second per 100,000."""
_UNCLEAR = 10
"""Unclear videos that are named unless all are asked for."""
_HEAD = ("what", "p_fake", "look at", "video")


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    if args.file is not None and args.videos:
        raise UsageError("give either VIDEO or --from FILE")
    if args.decision is not None and not args.videos:
        raise UsageError(f"--{args.decision} needs VIDEO; without it, what waits is listed")
    if args.decision is None and args.note is not None:
        raise UsageError("--note goes with --fake, --real or --unclear")
    warehouse = Warehouse.open(args.warehouse)
    if args.file is not None:
        return _from_file(warehouse, args.file)
    if not args.videos:
        return _list(warehouse, None if args.all else LISTED)
    known = known_videos(warehouse)
    ids = list(dict.fromkeys(_video(known, warehouse, name) for name in args.videos))
    if args.decision is None:
        for video_id in ids:
            print("\n".join(_shown(warehouse, known, video_id)))
        return 0
    return _decide(args, warehouse, known, ids)


def _video(known: KnownVideos, warehouse: Warehouse, name: str) -> str:
    """Return the video that a name means.

    Raises:
        UsageError: it means none, several, or one that was forgotten.
    """
    ids = known.names.find(name)
    if len(ids) == 1:
        return ids[0]
    for stone in warehouse.forgotten().values():
        if name in (stone.path, stone.video_id):
            raise UsageError(
                f"{printable(stone.path)} was forgotten on {stone.at:%Y-%m-%d} by {stone.by}, so "
                "nobody decides on it"
            )
    text = not_found(name, [known.names.paths[one] for one in ids])
    if not ids:
        text += (
            f"{_close(known, name)}; give its path in the archive, or list what waits: "
            f"framejury decide --warehouse {warehouse.location.uri}"
        )
    raise UsageError(text)


def _close(known: KnownVideos, name: str) -> str:
    """Return `; did you mean X?` for a name that is close to a path or a file name, or nothing."""
    paths = [printable(path) for path in known.names.paths.values()]
    files = list(dict.fromkeys(path.rpartition("/")[2] for path in paths))
    for word, names in ((name, paths), (name.rpartition("/")[2], files)):
        near = names if len(names) <= _COMPARED else [one for one in names if one.startswith(word)]
        if hint := did_you_mean(word, near):
            return hint
    return ""


def _decide(
    args: argparse.Namespace, warehouse: Warehouse, known: KnownVideos, ids: Sequence[str]
) -> int:
    reviewer, whence = _reviewer(args.by)
    try:
        note = check_words(args.note, "note", LONGEST_NOTE)
    except ValueError as error:
        raise UsageError(f"--note: {error}") from error
    at = now()
    decided = [
        (
            video_id,
            known.decided(
                video_id,
                args.decision,
                reviewer=reviewer,
                note=note,
                at=at,
                source="command",
            ),
        )
        for video_id in ids
    ]
    record_decisions(warehouse, decided, at)
    for video_id, one in decided:
        seen = one.seen_verdict or "nothing yet"
        score = "" if one.seen_p_fake is None else f" {one.seen_p_fake:.3f}"
        path = printable(known.names.paths[video_id])
        say(f"  {path}: {one.decision} (framejury: {seen}{score})")
    say(f"  {counted(len(decided), 'decision')} recorded, by {reviewer}{whence}")
    _say_rest(warehouse)
    return 0


def _reviewer(given: str | None) -> tuple[str, str]:
    """Return the name of whoever decides, and in words where it comes from.

    Raises:
        UsageError: it cannot be used, or there is none.
    """
    name, whence = given, ""
    if name is None and (name := os.environ.get(REVIEWER)):
        whence = f" ({REVIEWER}; --by NAME changes it)"
    if not name and given is None:
        try:
            name = getpass.getuser()
        except (OSError, KeyError):  # a container's number without a name
            raise UsageError(f"say who decides: --by NAME, or {REVIEWER}") from None
        whence = " (the login name; --by NAME changes it)"
    try:
        words = check_words(name, "name", LONGEST_NAME)
    except ValueError as error:
        raise UsageError(f"--by: {error}") from error
    if words is None:
        raise UsageError("--by is empty; give the name of whoever decides")
    return words, whence


def _from_file(warehouse: Warehouse, name: str) -> int:
    """Record the decisions of a file.

    Raises:
        UsageError: it cannot be read.
    """
    path = local_path(name)
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ValueError(f"it has more than {LARGEST_BYTES:,} bytes")
        text = decoded(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"cannot read {printable(name)}: {reason}") from error
    at = now()
    read = read_lines(text, at)
    new = new_decisions(read.lines, known_videos(warehouse), at, Path(name).name)
    problems = (*read.problems, *new.problems)
    for problem in problems:
        say(f"  {printable(name)} {problem}")
    if new.decided:
        record_decisions(warehouse, new.decided, at)
    parts = [f"{counted(len(new.decided), 'decision')} recorded"]
    parts += [f"{new.known:,} recorded before"] if new.known else []
    parts += [f"{counted(len(problems), 'line')} left out"] if problems else []
    say(f"  {', '.join(parts)}")
    _say_rest(warehouse)
    return 2 if problems and not new.decided and not new.known else 0


def _say_rest(warehouse: Warehouse) -> None:
    if warehouse.with_table("verdicts"):
        say(f"  {waiting_sentence(_waiting(warehouse, chosen_verdicts(warehouse)))}")
    say(
        "  to show it in the report (takes a minute or two): "
        f"framejury report --warehouse {warehouse.location.uri}"
    )


def _waiting(warehouse: Warehouse, rows: pa.Table) -> Waiting:
    """Return what waits of the latest verdicts."""
    judged = warehouse.require("verdicts")
    night = night_of(judged[-1])
    runs = [commit.run_id for commit in judged if night_of(commit) == night]
    new = rows.filter(pc.is_in(rows["run_id"], pa.array(runs)))["video_id"].to_pylist()
    return find_waiting(rows, new)


def _list(warehouse: Warehouse, most: int | None) -> int:
    standing = chosen_verdicts(warehouse)
    waiting = _waiting(warehouse, standing)
    print(waiting_sentence(waiting))
    rows = waiting.table.slice(0, most).to_pylist()
    if rows:
        cells = [
            (
                waiting.kind(rank),
                UNKNOWN if row["p_fake"] is None else f"{row['p_fake']:.3f}",
                look_at(row) or "all of it",
                row["path"],
            )
            for rank, row in enumerate(rows)
        ]
        heading, *lines = columns([_HEAD, *cells], "lr")
        print(heading)
        pages = _pages(warehouse, waiting.table.slice(0, most))
        for row, line in zip(rows, lines, strict=True):
            print("\n".join([line, *pages.get(row["video_id"], ())]))
        if waiting.total > len(rows):
            say(f"  first {len(rows):,} of {waiting.total:,}; --all lists the others")
        command = decide_command("VIDEO", warehouse.location.uri)
        say(f"  look at the evidence, then: {command}")
    if unclear := unclear_lines(standing, standing.num_rows if most is None else _UNCLEAR):
        print("\n".join(["", *unclear]))
    return 0


def _pages(warehouse: Warehouse, verdicts: pa.Table) -> dict[str, list[str]]:
    """Return video_id -> a line that names its evidence page, of those that have one."""
    written = written_pages(warehouse.location, verdicts)
    return {
        row["video_id"]: [
            f"  evidence: {page_place(warehouse.location, row['run_id'], row['video_id']).uri}"
        ]
        for row in verdicts.select(["run_id", "video_id"]).to_pylist()
        if row["video_id"] in written
    }


def _shown(warehouse: Warehouse, known: KnownVideos, video_id: str) -> Iterator[str]:
    """Yield what is known about a video: verdict, what to do, and its decisions."""
    yield printable(known.names.paths[video_id])
    decisions = known.decisions.get(video_id, VideoDecisions(()))
    videos = warehouse.read_snapshot("videos").select(["video_id", "path", "uri", "label"])
    videos = videos.filter(pc.equal(videos["video_id"], video_id))
    if warehouse.with_table("verdicts"):
        judged = joined(videos, warehouse.read_latest("verdicts"))
        pages = _pages(warehouse, judged)
        for row in judged.to_pylist():
            score = "" if row["p_fake"] is None else f" {row['p_fake']:.3f}"
            label = "" if row["label"] is None else f", labelled {row['label']}"
            yield f"  framejury: {outcome_word(row)}{score}{label}"
            yield from pages.get(video_id, ())
            place = Place(warehouse.location.uri)
            yield from (f"  {step}" for step in what_to_do(row, place, decisions))
    if is_outdated(decisions):
        yield "  The file was replaced since the latest decision, which no longer counts."
    for one in reversed(decisions.history):
        note = "" if one.note is None else f": {printable(one.note)}"
        old = "" if one.is_about(decisions.content_id) else " (about an earlier file)"
        yield (
            f"  {day_word(one.decided_at)}  {one.decision} by {printable(one.reviewer)}{old}{note}"
        )


if __name__ == "__main__":
    sys.exit(main())
