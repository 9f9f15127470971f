"""Writing report and evidence pages from verdicts; shared by reduce, nightly and report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from framejury.logs import say
from framejury.night.context import context_of, night_commits, seen_of, shown_faces
from framejury.night.evidence_pages import pages_to_write, write_pages
from framejury.pages.text_table import left_out_sentences
from framejury.report.bundle_info import BundleInfo
from framejury.report.inputs import Context, RunInfo, RunReport
from framejury.report.steps import EXTRACTION, SCORING, VERDICTS, Step, steps_of, used_by
from framejury.runs.provenance import bundle_of, training_history
from framejury.schemas.statuses import Side
from framejury.settings import ReportSettings, VerdictSettings
from framejury.storage import Location, local_path, write_whole
from framejury.tables.store import Store
from framejury.tables.tallies import described, face_counts, runs_behind
from framejury.verdict.judge import face_threshold
from framejury.verdict.rule import Rule, rule_of_facts
from framejury.warehouse import OUTPUTS, Warehouse
from framejury.warehouse.commits import Commit
from framejury.warehouse.deciding import standing_decisions
from framejury.warehouse.page_places import page_link

if TYPE_CHECKING:
    from framejury.report.evidence.video_page import About
    from framejury.report.published_files import FacePrediction


@dataclass(frozen=True)
class Publisher:
    """Writes the report on the verdicts after a commit, and evidence pages.

    Attributes:
        store: of the warehouse.
        warehouse: where the tables are.
        commit: the run that reports; its facts may hold more than was committed.
        videos: the snapshot.
        settings: how much to show.
        now: when the report is made, UTC.
        seconds: ends the run's clock and returns seconds by phase; None: those of `commit`.
        decision_problems: what could not be used of the file of decisions, as sentences.
        ended_at: when the run ended; None: it ends with this report.
        folder: where to write; None: `reports/<run_id>` and `evidence` of the warehouse.
    """

    store: Store
    warehouse: Warehouse
    commit: Commit
    videos: DataFrame
    settings: ReportSettings
    now: datetime
    folder: Location | None = None
    seconds: Callable[[], Mapping[str, float]] | None = None
    decision_problems: tuple[str, ...] = ()
    ended_at: datetime | None = None

    def publish(self, verdicts: DataFrame) -> Location:
        """Write report and evidence pages, and return the report's folder.

        Args:
            verdicts: rows of `latest("verdicts")`; cache them, they are read several times.
        """
        from framejury.report.published_files import outputs_folder
        from framejury.report.report import build_report, write_files

        report = self.report(verdicts)
        report = replace(report, context=self._with_evidence(verdicts, report))
        if self.settings.outputs == "face_frames":
            table, which = _recipe_videos(self.warehouse, report.verdicts)
            folder = self._root.child(OUTPUTS, outputs_folder("verdicts", report.run.model_id))
            covered = replace(report, verdicts=table)
            _write_face_frames(self.store, verdicts, covered, self._rule(), folder, which=which)
        rows, mark = self.settings.rows, self.settings.csv_mark
        files = build_report(report, page_rows=rows, csv_mark=mark, seconds=self.seconds)
        if self.folder is None:
            return self.warehouse.write_report(self.commit.run_id, files)
        write_files(files, local_path(self.folder.uri))
        return self.folder

    def write_evidence(self, verdicts: DataFrame, ids: Sequence[str]) -> pa.Table:
        """Write the evidence pages of these videos, replacing pages that exist.

        Returns:
            their verdicts, one row per page; `run_id` is part of its path.
        """
        wanted = verdicts.where(F.col("video_id").isin(list(ids)))
        gone = self.videos.select("video_id", "missing_since")
        chosen = described(wanted.join(gone, on="video_id", how="inner"), self.videos)
        known = Context(seen=seen_of(self.store, self.warehouse, chosen, self.videos))
        chosen = _with_seen(chosen, known)
        known_decisions = standing_decisions(self.warehouse)
        write_pages(
            self.store, wanted, chosen, self._root, self._abouts(), decisions=known_decisions
        )
        return chosen

    def report(self, verdicts: DataFrame) -> RunReport:
        """Return the report without evidence."""
        videos = self.store.present(self.videos)
        table: pa.Table = described(verdicts, videos)
        commits = self.warehouse.commits()
        night = night_commits(commits, self.commit)
        context = replace(
            context_of(self.store, commits, night, table, nights=self.settings.nights),
            seen=seen_of(self.store, self.warehouse, table, self.videos),
            decisions=standing_decisions(self.warehouse),
        )
        return RunReport(
            table,
            face_counts(_unseen(self.store.scores_behind(verdicts), table, context), videos),
            self._info(table, verdicts.join(videos, on="video_id", how="left_semi")),
            notes=(*_notes(self.warehouse, context), *self._left_out()),
            face_threshold=face_threshold(self._rule()),
            context=context,
            decision_problems=self.decision_problems,
        )

    def _left_out(self) -> list[str]:
        """Return sentences on the videos that the report does not count."""
        gone = self.videos.where(F.col("missing_since").isNotNull())
        deleted = self.store.without_forgotten(gone).count()
        return left_out_sentences(deleted, len(self.warehouse.forgotten()))

    @property
    def _root(self) -> Location:
        """The folder above `evidence/`."""
        return self.warehouse.location if self.folder is None else self.folder

    @property
    def _judged(self) -> Commit:
        """The last run that judged a video; a nightly run without new videos judges none."""
        return self.warehouse.require("verdicts")[-1]

    def _rule(self) -> Rule:
        """Return the rule in use."""
        return _rule_of(self._judged)

    def _steps(self, verdicts: DataFrame) -> tuple[Step, ...]:
        """Return the settings of the runs that made the rows behind these verdicts."""
        made = {
            EXTRACTION: runs_behind(self.store.extractions_behind(verdicts)),
            SCORING: runs_behind(self.store.scores_behind(verdicts)),
            VERDICTS: runs_behind(verdicts),
        }
        commits = self.warehouse.commits()
        used = {one.run_id: used_by(one.settings, one.model_id, one.facts.rule) for one in commits}
        trained = {
            one.model_id: one.facts.bundle.get("settings")
            for one in commits
            if one.model_id is not None
            and one.facts.bundle is not None
            and one.run_id in made[VERDICTS]
        }
        return steps_of(made, used, trained)

    def _others(self, table: pa.Table) -> dict[str, BundleInfo]:
        """Return the bundles of models behind these verdicts, except for that of the last run."""
        models = set(table["model_id"].to_pylist()) - {self._judged.model_id}
        return {
            one.model_id: BundleInfo.of_facts(
                one.facts.bundle,
                own_rule=_rule_of(one) == rule_of_facts(one.facts.bundle),
            )
            for one in self.warehouse.require("verdicts")
            if one.model_id is not None and one.model_id in models and one.facts.bundle is not None
        }

    def _info(self, table: pa.Table | None = None, verdicts: DataFrame | None = None) -> RunInfo:
        """Return the run; with verdicts also the settings and the models behind them."""
        facts = self.commit.facts
        model_id = str(self._judged.model_id)
        history = training_history(self.warehouse, model_id)
        bundle = bundle_of(self._judged)
        return RunInfo(
            run_id=self.commit.run_id,
            created_at=self.now,
            archive=self.warehouse.archive or "",
            warehouse=self.warehouse.location.uri,
            model_id=model_id,
            bundle=BundleInfo.of_facts(
                bundle, history, own_rule=self._rule() == rule_of_facts(bundle)
            ),
            steps=() if verdicts is None else self._steps(verdicts),
            others={} if table is None else self._others(table),
            versions=facts.versions,
            seconds=facts.seconds,
            statuses=facts.statuses,
            ended_at=self.ended_at,
        )

    def _with_evidence(self, verdicts: DataFrame, report: RunReport) -> Context:
        """Write missing evidence pages; return the context with links to pages, and with faces."""
        from framejury.report.predictions import evidence_order, whose_faces

        order = evidence_order(report.verdicts, report.context.judged_now)
        decisions = report.context.decisions or {}
        there, wanted = pages_to_write(self._root, order, decisions)
        chosen = _with_seen(wanted.slice(0, self.settings.evidence_pages), report.context)
        if chosen.num_rows:
            write_pages(
                self.store, verdicts, chosen, self._root, self._abouts(), decisions=decisions
            )
        there |= set(chosen["video_id"].to_pylist())
        prefix = "../../" if self.folder is None else ""
        links = {
            row["video_id"]: prefix + page_link(row["run_id"], row["video_id"])
            for row in order.select(["video_id", "run_id"]).to_pylist()
            if row["video_id"] in there
        }
        ids = whose_faces(report.verdicts, self.settings.rows, report.context)
        faces = shown_faces(self.store.pictures_behind(verdicts), ids)
        return replace(report.context, evidence=links, faces=faces)

    def _abouts(self) -> Callable[[str], About]:
        """Return the function from a run to what the pages on its verdicts share."""
        commits = {commit.run_id: commit for commit in self.warehouse.commits()}
        return cache(lambda run_id: self._about(commits[run_id]))

    def _about(self, judged: Commit) -> About:
        """Return what pages in `ROOT/evidence/<run_id>/` share."""
        from framejury.report.evidence.video_page import About

        place = f"reports/{self.commit.run_id}/" if self.folder is None else ""
        about = About(
            created_at=self.now,
            report=f"../../{place}report.html",
            warehouse=self.warehouse.location.uri,
        )
        if judged.facts.bundle is None:
            return about
        rule = _rule_of(judged)
        own_rule = rule == rule_of_facts(judged.facts.bundle)
        return replace(
            about,
            bundle=BundleInfo.of_facts(judged.facts.bundle, own_rule=own_rule),
            model_id=judged.model_id,
            rule=rule,
            settings=VerdictSettings.model_validate(judged.settings["verdict"]),
        )


def _with_seen(verdicts: pa.Table, context: Context) -> pa.Table:
    """Add the column `seen`, as in `report.seen_videos.seen_column`."""
    from framejury.report.seen_videos import seen_column

    return verdicts.append_column("seen", seen_column(verdicts["video_id"], context))


def _rule_of(judged: Commit) -> Rule:
    """Return the rule of a run; for one written before rules existed, the bundle's threshold."""
    rule = judged.facts.rule
    return rule_of_facts(bundle_of(judged) | ({} if rule is None else {"rule": rule}))


def _unseen(scores: DataFrame, verdicts: pa.Table, context: Context) -> DataFrame:
    """Leave out the faces of labelled videos that their model had seen in training."""
    from framejury.report.seen_videos import is_seen

    seen = pc.and_(is_seen(verdicts["video_id"], context), pc.is_valid(verdicts["label"]))
    ids = verdicts.select(["video_id"]).filter(seen)
    if not ids.num_rows:
        return scores
    left_out = F.broadcast(scores.sparkSession.createDataFrame(ids))
    return scores.join(left_out, on="video_id", how="left_anti")


def _notes(warehouse: Warehouse, context: Context) -> tuple[str, ...]:
    recorded = context.seen is not None and not context.seen.videos["seen"].null_count
    if recorded or not warehouse.with_table("splits"):
        return ()
    return (
        "Videos of this archive were split for training here, so the bundle may have been trained "
        "on some of them. For figures on held-out videos: framejury evaluate --side test.",
    )


def _recipe_videos(warehouse: Warehouse, table: pa.Table) -> tuple[pa.Table, str]:
    """Return the verdicts that the recipe's files cover, and which they are, in words.

    The recipe averages the faces of its test set only. Without a split (an archive that nothing was
    trained on), or with one of single faces, all videos count.
    """
    if warehouse.with_table("splits"):
        split = warehouse.read_snapshot("splits")
        ids = split.filter(pc.equal(split["side"], Side.TEST.value))["video_id"]
        if len(ids):
            return table.filter(pc.is_in(table["video_id"], ids.combine_chunks())), "split test"
    return table, "all of the archive"


def _write_face_frames(
    store: Store,
    verdicts: DataFrame,
    report: RunReport,
    rule: Rule,
    folder: Location,
    *,
    which: str,
) -> None:
    """Write the files that recipe face_frames publishes on verdicts.

    Args:
        store: of the warehouse.
        verdicts: rows of `latest("verdicts")`.
        report: on those of these verdicts that the files cover.
        rule: the rule of the latest verdicts.
        folder: where to.
        which: the videos in words, such as `split test`.
    """
    from framejury.report import published_files

    table = report.verdicts
    truth = verdicts.sparkSession.createDataFrame(table.select(["video_id", "path", "label"]))
    scores = store.scores_behind(verdicts).join(truth, on="video_id", how="inner")
    called = F.col("score") >= published_files.FACE_THRESHOLD
    unseen = _unseen(scores, table, report.context)
    counts = unseen.groupBy("label", called.alias("called")).count().collect()
    confusion = published_files.confusion_of({(row[0], row[1]): row[2] for row in counts})
    files = published_files.verdict_outputs(table, confusion, rule, which, report.context)
    for name, content in files.items():
        write_whole(folder.child(name), content)
    # All faces of an archive may not fit into the driver's memory, so they go through a file.
    with tempfile.TemporaryFile() as file:
        file.writelines(published_files.predictions_json(_predictions(scores)))
        file.seek(0)
        write_whole(folder.child(published_files.PREDICTIONS), file)
    say(f"  published files: {folder.uri}")


def _predictions(scores: DataFrame) -> Iterator[FacePrediction]:
    """Yield predictions by path, frame and face; the driver holds one partition at a time."""
    from framejury.report.published_files import FacePrediction

    columns = ("path", "frame_index", "face_index")
    rows = scores.select(*columns, F.col("score").cast("double")).orderBy(*columns)
    for row in rows.toLocalIterator():
        yield FacePrediction(row[0], row[1], row[2], row[3])
