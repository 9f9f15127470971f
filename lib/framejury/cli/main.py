"""The console command `framejury COMMAND ...`: finds the command's `main(argv)` and calls it.

A command's options come first (`framejury.parsers`), its libraries after: help, usage errors and
wrong paths are answered before Spark, TensorFlow or OpenCV are loaded, and where they are missing.
"""

from __future__ import annotations

import importlib
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from framejury import __version__
from framejury.errors import SetupError, did_you_mean

if TYPE_CHECKING:
    from framejury.cli.parser import Parser

GROUPS = {
    "judge videos": {
        "nightly": ("jobs.nightly", "judge what is new or changed in an archive, and report"),
        "retry": ("jobs.retry_videos", "judge again the videos with a given status"),
        "scan": ("commands.scan", "judge single files, without Spark and without a warehouse"),
    },
    "see the results": {
        "verdicts": ("commands.verdicts", "print or export the latest verdict on every video"),
        "decide": ("commands.decide", "record what people decided, or list what waits for that"),
        "report": ("commands.report", "write the report of the latest verdicts again"),
        "evidence": ("commands.evidence", "write the pages that show what verdicts rest on"),
        "explain": ("commands.explain", "show heat maps of a video's most suspicious faces"),
        "runs": ("commands.runs", "list the runs of a warehouse, or show one in detail"),
    },
    "inspect without judging": {
        "inspect": ("commands.inspect", "show what is in a video or an archive"),
        "compare": (
            "commands.compare",
            "show where, when and how a fake differs from its original",
        ),
        "modality": (
            "jobs.label_modalities",
            "find out whether a fake's picture, sound or both were changed",
        ),
    },
    "train and measure": {
        "train": ("jobs.train_head", "train a network and write a model bundle"),
        "train-audio": ("commands.train_audio", "train a sound model on labelled videos"),
        "adopt": ("commands.adopt", "make a bundle of a network that was trained elsewhere"),
        "evaluate": ("commands.evaluate", "measure a bundle on labelled videos"),
        "calibrate": (
            "commands.calibrate",
            "fit a bundle's aggregation, calibration and threshold",
        ),
        "ensemble": (
            "commands.ensemble",
            "make one bundle of several, which judges by all of them",
        ),
        "compare-presets": (
            "jobs.compare_presets",
            "train and measure several presets on one archive",
        ),
    },
    "single steps": {
        "index": ("jobs.index_videos", "list the videos of an archive with labels and sources"),
        "extract": ("jobs.extract_faces", "find the faces of indexed videos and keep them"),
        "import": ("commands.import_faces", "turn face sets in Parquet into a warehouse"),
        "split": ("jobs.split_dataset", "divide labelled videos into train, val and test"),
        "export-faces": ("jobs.export_faces", "write the kept faces as folders of pictures"),
        "score": ("jobs.score_faces", "score the kept faces with a bundle"),
        "reduce": ("jobs.reduce_verdicts", "combine face scores into one verdict per video"),
    },
    "keep the warehouse": {
        "publish": (
            "commands.publish",
            "bring tables for other tools up to date: Delta Lake, PostgreSQL",
        ),
        "forget": (
            "commands.forget",
            "remove faces and pictures of a video for good, and judge it no more",
        ),
    },
    "set up": {
        "doctor": ("commands.doctor", "check this machine, and judge a clip made for it"),
        "settings": (
            "commands.settings",
            "list settings: of a command, of a section, or single ones",
        ),
        "completion": (
            "commands.completion",
            "print what makes bash, zsh or fish complete commands",
        ),
    },
}
"""By topic: each command, its module, what it does."""
COMMANDS = {name: found for group in GROUPS.values() for name, found in group.items()}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    if args[:1] == ["help"] and len(args) > 1:
        args = [args[1], "--help"]
    if not args or args[0] in ("-h", "--help", "help"):
        print(_help())
        return 0 if args else 2
    if args[0] in ("-V", "--version"):
        print(f"framejury {__version__}")
        return 0
    command, rest = args[0], args[1:]
    if command not in COMMANDS:
        print(f"framejury: {_unknown(command)}", file=sys.stderr)
        return 2
    # Here: `framejury --help` needs no library at all.
    from framejury.cli.options import run_command

    return run_command(parser_of(command), rest, lambda _: _run(command, rest))


def parser_of(command: str) -> Parser:
    """Return the parser of a command, without loading what the command needs."""
    name = COMMANDS[command][0].rpartition(".")[2]
    parser: Parser = importlib.import_module(f"framejury.parsers.{name}").parser()
    return parser


def module_of(command: str) -> ModuleType:
    """Import the module of a command.

    Raises:
        ModuleNotFoundError: a library that it needs is not installed.
    """
    return importlib.import_module(f"framejury.{COMMANDS[command][0]}")


def _run(command: str, args: Sequence[str]) -> int:
    try:
        code: int = module_of(command).main(args)
    except ModuleNotFoundError as error:  # some libraries are imported only when needed
        if error.name is None or error.name.startswith("framejury"):
            raise
        raise SetupError(
            f"{error.name} is not installed; "
            "pip install 'framejury[spark,report]' (to train: framejury[train])"
        ) from error
    return code


def _unknown(word: str) -> str:
    """Return what is wrong with a word that is no command, and what was meant."""
    if word.startswith("-"):
        return f"unknown option {word}; options follow a command (framejury --help lists them)"
    hint = did_you_mean(word, COMMANDS)
    if not hint and Path(word).is_dir():
        hint = f"; to judge this folder: framejury nightly {word} --warehouse DIR"
    elif not hint and Path(word).is_file():
        hint = f"; to judge this file: framejury scan {word}"
    return f"unknown command {word!r}{hint or '; framejury --help lists the commands'}"


def _help() -> str:
    width = max(map(len, COMMANDS)) + 4
    columns = min(shutil.get_terminal_size().columns, 100)
    lines = ["usage: framejury COMMAND [options]"]
    lines += ["Detect manipulated faces in video files and archives.", ""]
    for topic, group in GROUPS.items():
        lines.append(f"{topic}:")
        for name, (_, doc) in group.items():
            first, more = f"  {name:<{width - 2}}", " " * width
            lines += textwrap.wrap(doc, columns, initial_indent=first, subsequent_indent=more)
    more = "framejury COMMAND --help lists options. Start with:  framejury scan VIDEO"
    return "\n".join([*lines, "", more])


if __name__ == "__main__":
    sys.exit(main())
