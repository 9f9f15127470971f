"""The steps before training: the options they get, and how their failures are reported."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from framejury.cli.options import INTERRUPTED, TERMINATED, TerminatedError
from framejury.jobs import train_head
from framejury.labelled.preparation import (
    StepError,
    check_step,
    index_and_extract,
    settings_options,
)


def test_settings_become_the_same_options() -> None:
    assert settings_options(None, None, []) == []
    assert settings_options("flow_fusion", "my.yaml", ["a.b=1", "c.d=2"]) == [
        *("--preset", "flow_fusion", "--config", "my.yaml"),
        *("--set", "a.b=1", "--set", "c.d=2"),
    ]


def test_an_archive_goes_into_one_warehouse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouses = ["--warehouse", str(tmp_path / "a"), "--warehouse", str(tmp_path / "b")]
    output = ["--output", str(tmp_path / "bundle")]
    assert train_head.main(["--archive", str(tmp_path), *warehouses, *output]) == 2
    assert "give --warehouse once" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())  # nothing was begun


def test_a_step_is_the_command_of_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing, warehouse = str(tmp_path / "missing"), str(tmp_path / "w")
    with pytest.raises(StepError) as failed:
        index_and_extract(missing, warehouse, settings_options(None, None, []))
    assert failed.value.step == "index"
    assert "framejury index: error:" in capsys.readouterr().err


def test_a_step_that_failed_says_which_and_keeps_its_code() -> None:
    check_step("extract", 0)
    with pytest.raises(StepError, match="extract ended with exit code 2") as failed:
        check_step("extract", 2)
    assert (failed.value.step, failed.value.exit_code) == ("extract", 2)


@pytest.mark.parametrize(
    ("code", "stop"),
    [
        (INTERRUPTED, KeyboardInterrupt),
        (-signal.SIGINT, KeyboardInterrupt),
        (TERMINATED, TerminatedError),
        (-signal.SIGTERM, TerminatedError),
    ],
)
def test_a_step_that_somebody_stopped_stops_everything(
    code: int, stop: type[BaseException]
) -> None:
    with pytest.raises(stop):
        check_step("extract", code)
