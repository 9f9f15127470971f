"""The console command `framejury VERB ...`: finds the verb's `main(argv)` and calls it.

Nothing heavy is imported before the verb is known, so `framejury scan` starts
without Spark and `framejury --help` without anything.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from framejury import __version__
from framejury.errors import SetupError

VERBS = {
    "index": ("framejury.jobs.index_videos", "list an archive's videos, labels and sources"),
    "extract": ("framejury.jobs.extract_faces", "find and keep the faces of indexed videos"),
    "modality": (
        "framejury.jobs.label_modalities",
        "tell fakes by picture from fakes by sound, with their originals",
    ),
    "import": ("framejury.commands.import_faces", "turn face sets in Parquet into a warehouse"),
    "split": ("framejury.jobs.split_dataset", "divide labelled videos into train, val, test"),
    "export-faces": ("framejury.jobs.export_faces", "write the kept faces as folders of pictures"),
    "train": ("framejury.jobs.train_head", "train a network and write a model bundle"),
    "evaluate": (
        "framejury.commands.evaluate",
        "measure a bundle on labelled videos, with figures",
    ),
    "calibrate": (
        "framejury.commands.calibrate",
        "fit reducer, calibration and threshold of a bundle",
    ),
    "score": ("framejury.jobs.score_faces", "score kept faces with a bundle"),
    "reduce": ("framejury.jobs.reduce_verdicts", "one verdict a video from its face scores"),
    "report": ("framejury.commands.report", "write the report of the latest verdicts again"),
    "evidence": ("framejury.commands.evidence", "what the verdicts on named videos rest on"),
    "nightly": ("framejury.jobs.nightly", "index, extract, score, reduce, report what is new"),
    "retry": ("framejury.jobs.retry_videos", "judge again what ended with certain statuses"),
    "scan": ("framejury.commands.scan", "judge single files, without Spark or a warehouse"),
    "explain": ("framejury.commands.explain", "heat maps of a video's most suspicious faces"),
    "inspect": ("framejury.commands.inspect", "look at a video or an archive, judging nothing"),
    "compare": ("framejury.commands.compare", "what was changed between a fake and its original"),
    "compare-presets": (
        "framejury.jobs.compare_presets",
        "train and measure several presets on one archive",
    ),
    "verdicts": ("framejury.commands.verdicts", "print or export every video's latest verdict"),
    "runs": ("framejury.commands.runs", "list the runs of a warehouse, or show one"),
    "doctor": ("framejury.commands.doctor", "check this machine and say what to do"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns its exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    if not args or args[0] in ("-h", "--help", "help"):
        print(_help())
        return 0 if args else 2
    if args[0] in ("-V", "--version"):
        print(f"framejury {__version__}")
        return 0
    if args[0] not in VERBS:
        print(
            f"framejury: unknown verb {args[0]!r}; there are: {', '.join(VERBS)}", file=sys.stderr
        )
        return 2
    try:
        module = importlib.import_module(VERBS[args[0]][0])
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("framejury"):
            raise
        print(
            f"framejury {args[0]}: error: {error.name} is not installed; "
            "pip install 'framejury[spark,report]' (to train: framejury[train])",
            file=sys.stderr,
        )
        return SetupError.exit_code
    code: int = module.main(args[1:])
    return code


def _help() -> str:
    width = max(map(len, VERBS)) + 2
    lines = [
        "usage: framejury VERB [options]      framejury VERB --help for each",
        "",
        "The frames of a video are the jury; framejury returns its verdict.",
        "",
        *(f"  {verb:<{width}}{doc}" for verb, (_, doc) in VERBS.items()),
        "",
        "The main job:  framejury nightly ARCHIVE --warehouse DIR",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
