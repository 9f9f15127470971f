"""What users have written into scripts, settings files and queries still works.

`tests/data/published_names.json` lists the commands with their options, the jobs, settings,
presets, columns and values as they were published. Names may be added to it; none is taken out.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from framejury.cli.main import parser_of
from framejury.schemas import statuses
from framejury.schemas.tables import stored_schema
from framejury.settings.loading import preset_names, setting_fields

ROOT = Path(__file__).resolve().parents[3]
PUBLISHED = json.loads((ROOT / "tests" / "data" / "published_names.json").read_text())


@pytest.mark.parametrize("command", PUBLISHED["commands"])
def test_a_command_takes_its_options(command: str) -> None:
    assert set(PUBLISHED["commands"][command]) <= set(parser_of(command).options())


def test_every_job_is_where_spark_submit_finds_it() -> None:
    assert {path.stem for path in (ROOT / "jobs").glob("*.py")} >= set(PUBLISHED["jobs"])


def test_every_setting_is_there() -> None:
    assert set(PUBLISHED["settings"]) <= setting_fields().keys()


@pytest.mark.parametrize("setting", PUBLISHED["setting_values"])
def test_a_setting_takes_the_values_it_took(setting: str) -> None:
    assert str(setting_fields()[setting]["values"]) == PUBLISHED["setting_values"][setting]


def test_every_preset_is_there() -> None:
    assert set(PUBLISHED["presets"]) <= set(preset_names())


@pytest.mark.parametrize("table", PUBLISHED["tables"])
def test_a_table_has_its_columns(table: str) -> None:
    """Under its name, or as one that readers still find in files (`FORMER_NAMES`)."""
    columns = {f"{field.name}: {field.type}" for field in stored_schema(table)}
    assert set(PUBLISHED["tables"][table]) <= columns


@pytest.mark.parametrize("kind", PUBLISHED["values"])
def test_a_closed_set_has_its_values(kind: str) -> None:
    assert set(PUBLISHED["values"][kind]) <= {value.value for value in getattr(statuses, kind)}
