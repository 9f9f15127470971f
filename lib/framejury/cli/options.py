"""What every command shares: options, settings, errors and exit codes.

`main(argv) -> int` of a command is `run_command(parser(), argv, body)`. Exit codes: 0 done,
1 a fault, 2 something the user can fix, 3 done with many failures (`night.ending`), 130
interrupted, 143 terminated.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from framejury import logs
from framejury.cli.outputs import Place, check_places, is_about_a_path
from framejury.cli.parser import Parser, Several
from framejury.cli.settings_text import ShowSettings
from framejury.errors import (
    BundleError,
    FramejuryError,
    UsageError,
    is_disk_full,
)
from framejury.logs import say

if TYPE_CHECKING:
    from framejury.model.manifest import Bundle
    from framejury.settings import Settings
    from framejury.verdict.rule import Rule

INTERRUPTED = 130
TERMINATED = 143
WAREHOUSE_VARIABLE = "FRAMEJURY_WAREHOUSE"
BUNDLE_VARIABLE = "FRAMEJURY_BUNDLE"
STAND_INS = {"--warehouse": WAREHOUSE_VARIABLE, "--bundle": BUNDLE_VARIABLE}
"""Environment variables that stand in for options; an option wins, and an empty one is unset."""

JUDGING_SECTIONS = (
    *("sampling", "detection", "crops", "limits", "scoring"),
    *("audio", "verdict", "evidence", "report", "run", "publish", "spark"),
)
"""Sections of the settings that a nightly run uses."""

_NO_NETWORK = "inspect"
"""The preset without a network."""


class TerminatedError(BaseException):
    """SIGTERM from a scheduler or cluster: end in order, so that the lock is released."""


def make_parser(
    name: str, doc: str, sections: Iterable[str] = (), *, presets: Sequence[str] = ()
) -> Parser:
    """Return a parser for one command, with the options for settings if it uses any.

    Args:
        name: the command, such as `index`.
        doc: what it does; the first paragraph of its help.
        sections: sections of `conf/default.yaml` that the command uses.
        presets: the default presets of a command that uses several; `args.preset` is then a
            list, or None for these.
    """
    parser = Parser(name, doc, sections)
    if not parser.sections:
        return parser
    group = parser.add_argument_group("settings")
    several: dict[str, Any] = {"action": "append"} if presets else {}
    usual = ", ".join(presets) or "none"
    group.add_argument(
        "--preset",
        metavar="NAME",
        help=f"settings of conf/presets/NAME.yaml{'; repeatable' if presets else ''} "
        f"(default: {usual})",
        **several,
    )
    group.add_argument(
        "--config",
        metavar="FILE",
        type=Place("input file"),
        help="YAML file with some settings (default: none)",
    )
    group.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="such as sampling.frames=32; repeatable (default: none)",
    )
    group.add_argument(
        "--help-settings", action=ShowSettings, help="list the settings used here, and exit"
    )
    return parser


def add_warehouse(
    parser: argparse.ArgumentParser, *, writes: bool = False, several: str | None = None
) -> None:
    """Add the option `--warehouse`, which `FRAMEJURY_WAREHOUSE` stands in for.

    Args:
        parser: of the command.
        writes: whether the command writes to the warehouse, so that this is probed.
        several: help of an option that may be repeated; the value is then a list.
    """
    given = stand_in(WAREHOUSE_VARIABLE)
    parser.add_argument(
        "--warehouse",
        metavar="DIR",
        required=given is None,
        type=Place("folder" if writes else "folder to open", remote=True),
        action="store" if several is None else Several,
        default=given if several is None or given is None else [given],
        help=(several or "folder or URI of the warehouse: framejury's tables and reports")
        + f" (required, or set {WAREHOUSE_VARIABLE})",
    )


def add_bundle(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add the option `--bundle`, also called `--model`; where it may be repeated, it is a list."""
    more = " (repeatable)" if several else ""
    parser.add_argument(
        "--bundle",
        "--model",
        metavar="DIR",
        type=Place("folder to open"),
        action=Several if several else "store",
        help=f"model bundle{more}; also --model (default: {BUNDLE_VARIABLE}, else the one "
        "that ships)",
    )


def add_metrics_file(parser: argparse.ArgumentParser) -> None:
    """Add the option `--metrics-file`."""
    parser.add_argument(
        "--metrics-file",
        metavar="FILE",
        type=Place("file", convert=Path),
        help="also write metrics for Prometheus' textfile collector, to a file NAME.prom "
        "(default: no)",
    )


def add_decisions(parser: argparse.ArgumentParser, when: str = "") -> None:
    """Add the option `--decisions` of commands that measure or fit.

    Args:
        parser: of the command.
        when: begins the help where the option is for some uses of the command only.
    """
    parser.add_argument(
        "--decisions",
        action="store_true",
        help=f"{when}where a label is missing, use the decision of a person (default: no)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option `--json`."""
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON line (default: if stdout is no terminal)",
    )


def add_notify(parser: argparse.ArgumentParser) -> None:
    """Add the option `--notify`."""
    parser.add_argument(
        "--notify",
        metavar="URL",
        action="append",
        help="webhook to post the result to (default: $FRAMEJURY_NOTIFY)",
    )


def stand_in(variable: str) -> str | None:
    """Return the value of an environment variable that stands in for an option; empty: None."""
    return os.environ.get(variable) or None


def settings_of(
    args: argparse.Namespace,
    *,
    judging: bool = False,
    of_bundle: Mapping[str, Any] | None = None,
) -> Settings:
    """Return checked settings from `--preset`, `--config` and `--set`.

    Args:
        judging: whether the command judges videos rather than trains on them; a preset may
            sample other frames then (`when_judging`).
        of_bundle: settings that the bundle carries, below those of the options.

    Raises:
        ConfigError: an unknown key or a value out of range.
    """
    # Here: pydantic takes a tenth of a second, which `--help` does not need.
    from framejury.settings.loading import load_settings

    return load_settings(args.preset, args.config, args.set, judging=judging, of_bundle=of_bundle)


def check_has_network(preset: str | None) -> None:
    """Check the preset of a command that trains or judges.

    Raises:
        UsageError: the preset has no network.
    """
    if preset == _NO_NETWORK:
        raise UsageError(
            f"preset {preset} has no network to train or judge with; it is for: "
            f"framejury inspect ARCHIVE --output DIR --preset {preset}"
        )


def bundle_dir_of(args: argparse.Namespace) -> Path:
    """Return the folder of `--bundle`, of `FRAMEJURY_BUNDLE`, or of the only one in `models/`.

    Raises:
        BundleError: neither is there.
    """
    given = args.bundle or stand_in(BUNDLE_VARIABLE)
    if given is not None:
        return Path(given)
    here = Path(__file__).resolve().parents[1]
    for models in (here / "models", here.parents[1] / "models"):
        shipped = sorted(path.parent for path in models.glob("*/bundle.json"))
        if len(shipped) == 1:
            return shipped[0]
        if shipped:
            names = ", ".join(path.name for path in shipped)
            raise BundleError(f"{models} holds several bundles ({names}); choose one with --bundle")
    raise BundleError(
        "models/ holds no model bundle; train one "
        "(framejury train --warehouse DIR --output BUNDLE) and pass it with --bundle"
    )


def warn_of_demo(bundle: Bundle) -> None:
    """Tell the person who watches when a bundle is no detector, or its figures flatter it."""
    if bundle.purpose == "demo":
        say(
            f"warning: {bundle.model_id} was trained on demo clips and its verdicts mean nothing; "
            "name a detector with --bundle, or train one (framejury train)"
        )
    if bundle.data.leak is not None:
        say(f"warning: {bundle.model_id} learned from a split that leaks. {bundle.data.leak}")


def say_remark(rule: Rule) -> None:
    """Tell the person who watches when the settings put the bundle's rule aside."""
    if rule.remark:
        say(f"note: {rule.remark}")


def workers_of(args: argparse.Namespace) -> int:
    """Return the number of child processes: `--workers`, or one per core.

    Raises:
        UsageError: it is below 1.
    """
    if args.workers is not None and args.workers < 1:
        raise UsageError(f"--workers must be at least 1, got {args.workers}")
    return args.workers or len(os.sched_getaffinity(0))


def exit_code_of(error: BaseException) -> int:
    """Return the exit code of a command whose body raised this."""
    if is_disk_full(error):
        return UsageError.exit_code
    if isinstance(error, FramejuryError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return TERMINATED if isinstance(error, TerminatedError) else 1


def run_command(
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None,
    body: Callable[[argparse.Namespace], int],
) -> int:
    """Parse, run the body, and turn framejury's errors into one line and an exit code."""
    with suppress(ValueError):  # outside the main thread, as in a test
        signal.signal(signal.SIGTERM, _terminate)
    args = argparse.Namespace()
    try:
        logs.start(parser.prog.split()[-1])
        try:
            args = parser.parse_args(argv)
            if isinstance(parser, Parser):
                parser.check(args)
            check_places(parser, args)
            code = body(args)
        except SystemExit as stop:  # how argparse ends after --help or an unknown option
            code = stop.code if isinstance(stop.code, int) else 2
        sys.stdout.flush()  # here, where a closed pipe is handled
        return code
    except FramejuryError as error:
        text = f"{error}; {_MAKE_ROOM}" if is_disk_full(error) else str(error)
        text += _whence(parser, argv, text)
        return _failed(parser, text, exit_code_of(error))
    except (KeyboardInterrupt, TerminatedError) as stop:
        how = "interrupted" if isinstance(stop, KeyboardInterrupt) else "terminated"
        text = f"{parser.prog}: {how}; uncommitted work is lost, run the command again"
        logs.say(text, "interrupted", logging.WARNING)
        return exit_code_of(stop)
    except BrokenPipeError:
        # The reader of our output is gone (`| head`), which is not a fault.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if isinstance(error, OSError) and is_about_a_path(error, args):
            return _failed(parser, f"{error}; check the path and its permissions", 2)
        if not is_disk_full(error):
            raise
        return _failed(parser, f"a disk is full: {error}; {_MAKE_ROOM}", exit_code_of(error))


_MAKE_ROOM = "make room and run this again (what was committed is kept)"


def _failed(parser: argparse.ArgumentParser, text: str, code: int) -> int:
    """Say in one line what went wrong, even if a parser or a file system gave several."""
    with suppress(OSError):  # the disk of the log may be full, too
        logs.say(f"{parser.prog}: error: {' '.join(text.split())}", "error", logging.ERROR)
    return code


def _whence(parser: argparse.ArgumentParser, argv: Sequence[str] | None, text: str) -> str:
    """Name the environment variable that a path in an error comes from; nothing if none does."""
    given = list(sys.argv[1:] if argv is None else argv)
    for option, variable in STAND_INS.items():
        value = stand_in(variable)
        used = option in parser.format_help() and not any(arg.startswith(option) for arg in given)
        if used and value is not None and value in text:
            return f" ({value} comes from {variable})"
    return ""


def _terminate(number: int, frame: object) -> NoReturn:
    raise TerminatedError
