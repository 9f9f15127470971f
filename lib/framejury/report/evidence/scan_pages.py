"""The evidence pages of `framejury scan --html`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from framejury.clock import now
from framejury.errors import UsageError
from framejury.examine.messages import TABLE_COLUMN, face_scores_of
from framejury.model.manifest import Bundle
from framejury.pages.templating import POLICY, environment, style_of
from framejury.report.bundle_info import BundleInfo
from framejury.report.evidence.video_evidence import evidence_of
from framejury.report.evidence.video_page import About, evidence_html
from framejury.report.trust import REAL_MEANS, trust_of
from framejury.report.wording import FILTERS
from framejury.settings import VerdictSettings
from framejury.verdict.rule import Rule

INDEX = "index.html"
_ENDINGS = (".html", ".htm")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 60
_OF_AN_ARCHIVE = ("layout", "label", "method", "group")
"""Columns that a file without an archive does not have."""


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One video: its verdict, columns as `framejury scan --json`, and the name of its page."""

    verdict: Mapping[str, Any]
    page: str


def index_html(
    entries: Sequence[IndexEntry], created_at: datetime, trust: str, judges: str = "face"
) -> str:
    """Return the index as a page, in the order given.

    Args:
        trust: the sentence of `trust.trust_of`.
        judges: face or frame: what the model scores.
    """
    template = environment(**FILTERS).get_template("evidence_index.html")
    return template.render(
        entries=entries,
        created_at=created_at,
        trust=trust,
        judges=judges,
        real_means=REAL_MEANS,
        policy=POLICY,
        style=style_of(),
    )


class ScanPages:
    """Writes one page per file, and an index of several.

    Args:
        target: NAME.html for one file; otherwise a folder.
        files: their number.

    Raises (from here, `add` and `finish`):
        UsageError: the pages cannot be written there.
    """

    def __init__(self, target: Path, files: int) -> None:
        self._single = target.suffix.lower() in _ENDINGS
        self._target = target
        self._entries: list[IndexEntry] = []
        self._trust, self._judges = "", "face"
        if self._single and files != 1:
            raise UsageError(
                f"--html {target} names one page, but {files:,} files are judged; name a folder"
            )
        if self._single and target.is_dir():
            raise UsageError(f"--html {target} is a folder; name a file or another folder")
        folder = target.parent if self._single else target
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make {folder} for --html: {error.strerror}") from error

    def add(
        self,
        verdict: Mapping[str, Any],
        rows: pa.RecordBatch,
        bundle: Bundle,
        rule: Rule,
        settings: VerdictSettings,
    ) -> None:
        """Write the page of one file.

        Args:
            verdict: as `framejury scan --json` prints it.
            rows: of the examiner.
            bundle, rule, settings: used for the verdict.
        """
        extraction, *others = rows.to_pylist()
        name = PurePosixPath(verdict["uri"]).name or verdict["uri"]
        row = {**verdict, "path": name, "run_id": extraction["run_id"]}
        row |= {"video_id": verdict["uri"]} | dict.fromkeys(_OF_AN_ARCHIVE)
        scores = face_scores_of(others, bundle.model_id)
        pictures = [row for row in others if row[TABLE_COLUMN] == "pictures"]
        evidence = evidence_of(row, extraction, scores, pictures)
        info = BundleInfo.of_bundle(bundle, rule)
        self._trust, self._judges = trust_of(info).sentence, info.judges
        about = About(
            created_at=now(),
            bundle=info,
            rule=rule,
            settings=settings,
            report=None if self._single else INDEX,
            scanned=True,
        )
        page = self._page_name(name)
        self._entries.append(IndexEntry(row, page))
        self._write(page, evidence_html(evidence, about))

    def finish(self) -> Path:
        """Write the index of several pages; return the page to open."""
        if self._single:
            return self._target
        self._write(INDEX, index_html(self._entries, now(), self._trust, self._judges))
        return self._target / INDEX

    def _page_name(self, name: str) -> str:
        if self._single:
            return self._target.name
        plain = _UNSAFE.sub("-", name).strip("-.")[:_LONGEST_NAME] or "video"
        return f"{len(self._entries) + 1:03d}-{plain}.html"

    def _write(self, name: str, page: str) -> None:
        place = (self._target.parent if self._single else self._target) / name
        try:
            place.write_bytes(page.encode("utf-8", errors="backslashreplace"))
        except OSError as error:
            raise UsageError(f"cannot write {place}: {error.strerror}") from error
