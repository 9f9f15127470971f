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
from framejury.errors import (
    BundleError,
    ConfigError,
    FramejuryError,
    UsageError,
    is_disk_full,
)
from framejury.logs import say
from framejury.settings import Settings
from framejury.settings.loading import described, load_settings, preset_names, setting_fields

if TYPE_CHECKING:
    from framejury.model.manifest import Bundle
    from framejury.verdict.rule import Rule

INTERRUPTED = 130
TERMINATED = 143
_NO_NETWORK = "inspect"
"""The preset without a network."""


class TerminatedError(BaseException):
    """SIGTERM from a scheduler or cluster: end in order, so that the lock is released."""


class _Parser(argparse.ArgumentParser):
    """Reports errors in one line, like every other error of framejury."""

    def error(self, message: str) -> NoReturn:
        text = logs.for_terminal(message)
        self.exit(2, f"{self.prog}: error: {text} (--help shows the options)\n")


def make_parser(
    name: str, doc: str, sections: Iterable[str] = (), *, presets: Sequence[str] = ()
) -> argparse.ArgumentParser:
    """Return a parser for one command; `--help` also lists the settings of `sections`.

    Args:
        name: the command, such as `index`.
        doc: what it does; the first paragraph of its help.
        sections: sections of `conf/default.yaml` that the command uses.
        presets: the default presets of a command that uses several; `args.preset` is then a
            list, or None for these.
    """
    sections = tuple(sections)
    parser = _Parser(
        prog=f"framejury {name}",
        description=doc,
        epilog=_settings_help(sections),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if sections:
        group = parser.add_argument_group("settings")
        several: dict[str, Any] = {"action": "append"} if presets else {}
        usual = ", ".join(presets) or "none"
        known = ""
        with suppress(ConfigError):  # --help works without the folder, too
            known = f": {', '.join(preset_names())}"
        group.add_argument(
            "--preset",
            metavar="NAME",
            help=f"settings from conf/presets/NAME.yaml{known}"
            + ("; may be repeated" if presets else "")
            + f" (default: {usual})",
            **several,
        )
        group.add_argument(
            "--config",
            metavar="FILE",
            help="a YAML file that overrides some settings (default: none)",
        )
        group.add_argument(
            "--set",
            metavar="KEY=VALUE",
            action="append",
            default=[],
            help="set one setting, such as sampling.frames=32; may be repeated (default: none)",
        )
    return parser


def add_warehouse(parser: argparse.ArgumentParser) -> None:
    """Add the option `--warehouse`."""
    parser.add_argument(
        "--warehouse",
        metavar="DIR",
        required=True,
        help="folder or URI of the warehouse: framejury's tables and reports (required)",
    )


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """Add the option `--bundle`, also called `--model`."""
    parser.add_argument(
        "--bundle",
        "--model",
        metavar="DIR",
        help="folder of the model bundle (default: the one shipped in models/)",
    )


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
    """Return the folder of `--bundle`, or of the only bundle in `models/`.

    Raises:
        BundleError: neither is there.
    """
    if args.bundle is not None:
        return Path(args.bundle)
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
    try:
        logs.start(parser.prog.split()[-1])
        try:
            code = body(parser.parse_args(argv))
        except SystemExit as stop:  # how argparse ends after --help or an unknown option
            code = stop.code if isinstance(stop.code, int) else 2
        sys.stdout.flush()  # here, where a closed pipe is handled
        return code
    except FramejuryError as error:
        text = f"{error}; {_MAKE_ROOM}" if is_disk_full(error) else str(error)
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
        if not is_disk_full(error):
            raise
        return _failed(parser, f"a disk is full: {error}; {_MAKE_ROOM}", exit_code_of(error))


_MAKE_ROOM = "make room and run this again (what was committed is kept)"


def _failed(parser: argparse.ArgumentParser, text: str, code: int) -> int:
    """Say in one line what went wrong, even if a parser or a file system gave several."""
    with suppress(OSError):  # the disk of the log may be full, too
        logs.say(f"{parser.prog}: error: {' '.join(text.split())}", "error", logging.ERROR)
    return code


def _terminate(number: int, frame: object) -> NoReturn:
    raise TerminatedError


def _settings_help(sections: Sequence[str]) -> str | None:
    if not sections:
        return None
    lines = ["settings used here (change with --set, --config or --preset):"]
    for key, field in setting_fields().items():
        if key.partition(".")[0] in sections:
            lines += [f"  {key} = {field['default']}", *described(field, "      ")]
    return "\n".join(lines)
