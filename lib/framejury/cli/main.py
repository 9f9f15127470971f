"""The console command `framejury COMMAND ...`: finds the command's `main(argv)` and calls it.

Nothing heavy is imported before the command is known: `framejury scan` starts without Spark,
`framejury --help` without any library.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from types import ModuleType

from framejury import __version__
from framejury.errors import SetupError

GROUPS = {
    "judge videos": {
        "nightly": ("jobs.nightly", "judge what is new or changed in an archive, and report"),
        "retry": ("jobs.retry_videos", "judge again the videos with a given status"),
        "scan": ("commands.scan", "judge single files, without Spark and without a warehouse"),
    },
    "see the results": {
        "verdicts": ("commands.verdicts", "print or export the latest verdict on every video"),
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
        "evaluate": ("commands.evaluate", "measure a bundle on labelled videos"),
        "calibrate": (
            "commands.calibrate",
            "fit a bundle's aggregation, calibration and threshold",
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
        "forget": (
            "commands.forget",
            "remove faces and pictures of a video for good, and judge it no more",
        ),
    },
    "set up": {
        "doctor": (
            "commands.doctor",
            "check this machine, and judge a clip made for it",
        ),
    },
}
"""By topic: each command, its module, what it does."""
COMMANDS = {name: found for group in GROUPS.values() for name, found in group.items()}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    if not args or args[0] in ("-h", "--help", "help"):
        print(_help())
        return 0 if args else 2
    if args[0] in ("-V", "--version"):
        print(f"framejury {__version__}")
        return 0
    if args[0] not in COMMANDS:
        known = ", ".join(COMMANDS)
        print(f"framejury: unknown command {args[0]!r}; commands: {known}", file=sys.stderr)
        return 2
    try:
        code: int = module_of(args[0]).main(args[1:])
    except ModuleNotFoundError as error:  # some libraries are imported only when needed
        if error.name is None or error.name.startswith("framejury"):
            raise
        print(
            f"framejury {args[0]}: error: {error.name} is not installed; "
            "pip install 'framejury[spark,report]' (to train: framejury[train])",
            file=sys.stderr,
        )
        return SetupError.exit_code
    return code


def module_of(command: str) -> ModuleType:
    """Import the module of a command.

    Raises:
        ModuleNotFoundError: a library that it needs is not installed.
    """
    return importlib.import_module(f"framejury.{COMMANDS[command][0]}")


def _help() -> str:
    lines = [
        "usage: framejury COMMAND [options]      (framejury COMMAND --help lists the options)",
        "",
        "Detect manipulated faces in video files and archives.",
    ]
    width = max(map(len, COMMANDS)) + 2
    for topic, group in GROUPS.items():
        lines += ["", f"{topic}:"]
        lines += [f"  {name:<{width}}{doc}" for name, (_, doc) in group.items()]
    return "\n".join([*lines, "", "Start with:  framejury scan VIDEO"])


if __name__ == "__main__":
    sys.exit(main())
