"""Every command that framejury prints or documents is one that its own parser takes."""

from __future__ import annotations

import argparse
import ast
import inspect
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from framejury.cli import main
from framejury.cli.main import COMMANDS
from framejury.errors import ConfigError
from framejury.settings.loading import load_settings, preset_names, setting_fields

ROOT = Path(__file__).resolve().parents[3]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
SUBMIT = (ROOT / "bin/submit.sh").read_text(encoding="utf-8")
JOBS = {module.rpartition(".")[2]: command for command, (module, _) in COMMANDS.items()} | {
    "inspect_archive": "inspect"
}
SETTINGS = frozenset(setting_fields())
FILLED = "PLACEHOLDER"
"""Stands for what is known only when a hint is printed, and for every metavar."""

WORD = r"[A-Za-z0-9_./=:,{}<>$@\[\]'\"+*~-]+"
PROGRAM = re.compile(
    rf"(?<![\w./-])(?:(?:\.venv/bin/|\$venv/bin/)?(?P<program>framejury|spark-submit|make)"
    rf"|(?P<script>bin/[\w-]+\.sh|submit\.sh))(?P<words>(?:[ \t]+(?:\\\n\s*)?{WORD})+)"
)
RUN = re.compile(r"\brun(?: again)?:? $")
"""What stands before a command that the reader shall run."""


@dataclass(frozen=True)
class Hint:
    """One command line.

    Attributes:
        place: file and line.
        words: program and arguments.
        exact: it is shown as code, so that every word counts and nothing required may lack;
            in a sentence, the command ends where its words are no arguments.
    """

    place: str
    words: tuple[str, ...]
    exact: bool


# ---------------------------------------------------------------- what is printed


def strings_of(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of every string in Python code; what an f-string inserts is `FILLED`."""
    inner: set[int] = set()
    strings: list[ast.Constant] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            inner |= {id(part) for part in ast.walk(node)} - {id(node)}
            parts = [str(p.value) if isinstance(p, ast.Constant) else FILLED for p in node.values]
            yield node.lineno, "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            strings.append(node)
    for node in strings:
        if id(node) not in inner:
            yield node.lineno, inspect.cleandoc(str(node.value))


@cache
def texts() -> tuple[tuple[str, str, bool], ...]:
    """(place, text, whether all of it is code) of everything that a person may read."""
    return tuple(read_texts())


BINARY = (".keras", ".onnx", ".parquet")


def read_texts() -> Iterator[tuple[str, str, bool]]:
    """As `texts`."""
    for folder in ("lib", "jobs", "benchmarks", "conf", "bin", "examples"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for line, text in strings_of(path.read_text(encoding="utf-8")):
                yield f"{path.relative_to(ROOT)}:{line}", text, False
    pages = [ROOT / "Makefile", *ROOT.glob("*.md")]
    for folder, pattern in (
        ("docs", "*.md"),
        ("models", "*.md"),
        ("examples", "*"),
        ("benchmarks", "*.md"),
        ("lib", "*.html"),
        ("lib", "*.js"),
        ("bin", "*.sh"),
        ("conf", "*"),
    ):
        pages += sorted((ROOT / folder).rglob(pattern))
    for path in pages:
        if path.is_file() and path.suffix not in (".py", ".pyc", ".csv", *BINARY):
            text = path.read_text(encoding="utf-8")
            if path.suffix != ".md":  # comments
                text = re.sub(r"^[ \t]*#+ ?", "", text, flags=re.MULTILINE)
            for number, part in enumerate(re.split(r"^```.*$", text, flags=re.MULTILINE)):
                fenced = path.suffix == ".md" and number % 2 == 1
                code = re.sub(r"[ \t]# .*$", "", part, flags=re.MULTILINE) if fenced else part
                yield str(path.relative_to(ROOT)), code, fenced


def hints_in(place: str, text: str, fenced: bool) -> Iterator[Hint]:
    """The command lines in a text."""
    spans = [] if fenced else [match.span(1) for match in re.finditer(r"`([^`]+)`", text)]
    for start, end in spans:
        text = text[:start] + text[start:end].replace("\n", " ") + text[end:]
    for match in PROGRAM.finditer(text):
        program = match["program"] or match["script"]
        before, words = text[: match.start()], match["words"]
        in_span = any(start <= match.start() < end for start, end in spans)
        # Behind three blanks or more, some lines have a remark.
        words = re.sub(r"\s*\\\n\s*", " ", words)
        words = re.split(r"[ \t]{3,}(?=[a-z(])| (?:>>?|\|)", words)[0]
        try:
            split = shlex.split(words)
        except ValueError:  # the text ends a quotation around the command
            split = words.replace("'", " ").replace('"', " ").split()
        known = is_known(program, split)
        own_line = not before.rpartition("\n")[2].strip(" $")
        code = fenced or (known and own_line and before.endswith("  "))
        run = RUN.search(before) is not None
        if known or (program != "spark-submit" and (code or run or in_span)):
            exact = (code or (run and len(split) > 1)) and "..." not in split
            yield Hint(place, (program, *split), exact)


# ---------------------------------------------------------------- what is true


@cache
def targets() -> dict[str, str]:
    """Recipe by target of the Makefile."""
    parts = re.split(r"^([a-z0-9-]+):", MAKEFILE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def is_known(program: str, words: list[str]) -> bool:
    """Whether it is surely a command: not a sentence about framejury, nor the word `make`."""
    first = words[0].rstrip(".,;:") if words else ""
    if program == "make":
        return first in targets()
    if program == "spark-submit":
        return any("jobs/" in word for word in words)
    if program == "framejury":
        return first in COMMANDS
    return first.startswith("--") or first in COMMANDS


def is_filled(word: str) -> bool:
    """Whether a word stands for another: DIR, VIDEO..., $bundle, <run>, KEY=VALUE."""
    return bool(re.fullmatch(r"[A-Z][A-Z_/-]*|.*[$<>{}].*|.*PLACEHOLDER.*", word))


@cache
def parser_of(command: str, exact: bool) -> argparse.ArgumentParser:
    """The command's own parser, which also takes metavars where it wants numbers or choices."""

    class Refused(argparse.ArgumentParser):
        def error(self, message: str) -> None:  # type: ignore[override]
            raise ValueError(message)

    parser: argparse.ArgumentParser = main.parser_of(command)
    parser.__class__ = Refused
    for action in parser._actions:
        if not exact:
            action.required = False
            if not action.option_strings and action.nargs in (None, "+"):
                action.nargs = "*"
        if action.choices is not None:
            action.choices = Choices(action.choices)
        if action.type is not None:
            action.type = lambda word, kind=action.type: word if is_filled(word) else kind(word)
    return parser


class Choices(list[str]):
    """Choices, and placeholders for one."""

    def __contains__(self, word: object) -> bool:
        return word == [] or is_filled(str(word)) or super().__contains__(word)


def spoken(command: str, words: list[str]) -> list[str]:
    """The words of a sentence that belong to a command: up to the first that is no argument."""
    parser = parser_of(command, exact=False)
    options = {name: action for action in parser._actions for name in action.option_strings}
    choices = {
        choice for a in parser._actions if not a.option_strings for choice in (a.choices or ())
    }
    kept: list[str] = []
    value = False
    for word in words:
        bare = word.rstrip(".,:;")
        option = bare.startswith("--")
        if not (value or option or is_filled(bare) or bare in choices or "/" in bare):
            break
        kept.append(bare)
        known = options.get(bare)
        value = option and (known is None or known.nargs != 0)
        if bare != word:
            break  # the sentence or its clause ends here
    return [*kept, FILLED] if value else kept


def complaint(hint: Hint) -> str | None:
    """Why a command line does not work; None when it does."""
    program, *rest = hint.words
    words = [word.rstrip(".,;:") if word.isupper() else word for word in rest]
    if program == "make":
        return make_complaint(words, hint.exact)
    if program.endswith(".sh") and not program.endswith("submit.sh"):
        return script_complaint(program, words)
    if program == "spark-submit":
        while "jobs/" not in words[0]:
            words = words[1:]
        name = Path(words[0].strip("'\"")).stem
        words[0] = JOBS.get(name, name)
    if program.endswith("submit.sh"):
        while words and words[0].startswith(("--", "...")):
            option = words[0].rstrip(".,;:")
            if option not in SUBMIT:
                return f"it has no {option}"
            words = words[1 if option in ("", "--no-auth", "--dry-run", "--help") else 2 :]
    return command_complaint(words[0], words[1:], hint.exact) if words else None


def script_complaint(program: str, words: list[str]) -> str | None:
    """As `complaint`, of another script of bin/."""
    if not (ROOT / program).is_file():
        return "there is no such script"
    text = (ROOT / program).read_text(encoding="utf-8")
    lacking = [word for word in words if word.startswith("--") and word not in text]
    return f"it has no {' '.join(lacking)}" if lacking else None


def make_complaint(words: list[str], exact: bool) -> str | None:
    target, *variables = words
    target = target.rstrip(".,;:")
    if is_filled(target) or target.startswith("-"):
        return None
    if target not in targets():
        return f"the Makefile has no {target}"
    for word in variables:
        name, given, _ = word.partition("=")
        if given and f"$({name})" not in MAKEFILE:
            return f"no target reads {name}"
        if not given:
            return f"{word} is no variable" if exact and word not in targets() else None
    return None


def command_complaint(command: str, words: list[str], exact: bool) -> str | None:
    command = command.rstrip(".,;:")
    if is_filled(command) or command.startswith("-"):
        return None
    if command not in COMMANDS:
        return f"framejury has no {command}"
    words = [word.rstrip(".") if is_filled(word.rstrip(".")) else word for word in words]
    given = words if exact else spoken(command, words)
    if "--help" in given:
        return None
    try:
        args = parser_of(command, exact).parse_args([word for word in given if word != "..."])
        check_settings(getattr(args, "set", []), getattr(args, "preset", None))
    except (ValueError, argparse.ArgumentError, ConfigError) as error:
        return str(error)
    return None


def check_settings(overrides: list[str], preset: str | list[str] | None) -> None:
    """Raises ValueError or ConfigError where a setting or preset does not exist."""
    for name in [preset] if isinstance(preset, str) else preset or []:
        if not is_filled(name) and name not in preset_names():
            raise ValueError(f"no preset {name}")
    for override in overrides:
        key, _, value = override.partition("=")
        if is_filled(key):
            continue
        if key not in SETTINGS:
            raise ValueError(f"no setting {key}")
        if not is_filled(value) and value.strip("."):
            load_settings(None, None, [override])


# ---------------------------------------------------------------- tests


@cache
def all_hints() -> tuple[Hint, ...]:
    return tuple(hint for text in texts() for hint in hints_in(*text))


def test_every_command_that_is_printed_works() -> None:
    wrong = [f"{hint} ({why})" for hint in all_hints() if (why := complaint(hint)) is not None]
    assert wrong == []


def test_every_setting_that_is_printed_exists() -> None:
    mentions = [
        (place, match[1])
        for place, text, _ in texts()
        for match in re.finditer(r"--set[ =`]+(\w+\.\w+)", text)
    ]
    assert len(mentions) > 15
    known = {*SETTINGS, "section.name"}
    assert [mention for mention in mentions if mention[1] not in known] == []


def test_every_job_that_is_named_exists() -> None:
    named = {
        (place, match[1])
        for place, text, _ in texts()
        for match in re.finditer(r"\bjobs/(\w+)\.py", text)
    }
    assert [(place, name) for place, name in sorted(named) if name not in {*JOBS, "NAME"}] == []


def test_every_kind_of_text_is_read() -> None:
    programs = {hint.words[0] for hint in all_hints()}
    assert programs >= {"framejury", "make", "spark-submit", "bin/submit.sh"}
    places = " ".join(hint.place for hint in all_hints())
    for part in ("README", "docs/", "models/", "lib/", ".html", "bin/", "conf/", "benchmarks/"):
        assert part in places


@pytest.mark.parametrize(
    ("text", "complaint_part"),
    [
        ("run: framejury reduce --warehouse DIR --bundle BUNDLE", "--bundle"),
        ("no such thing; run: framejury judge ARCHIVE", "no judge"),
        ("run: framejury train --output BUNDLE", "--warehouse"),
        ("see (framejury verdicts --format xlsx)", "xlsx"),
        ("`framejury scan VIDEO --preset nosuch`", "no preset nosuch"),
        ("`framejury extract --all --set sampling.frame=3`", "no setting sampling.frame"),
        ("`framejury extract --all --set sampling.frames=none`", "sampling.frames"),
        ("give it a try:\n\n  framejury split --warehouse DIR --side test\n", "--side"),
        ("`spark-submit jobs/nightly.py ARCHIVE --jail`", "--jail"),
        ("`spark-submit jobs/night.py ARCHIVE`", "no night"),
        ("bin/submit.sh --config local nightly ARCHIVE --warehouse DIR", "--config"),
        ("`bin/submit.sh nightly ARCHIVE --ware DIR`", "--ware"),
        ("`bin/submitted.sh nightly`", "no such script"),
        ("run: make set-up", "no set-up"),
        ("`make demo FOLDER=path`", "FOLDER"),
    ],
)
def test_a_broken_hint_is_found(text: str, complaint_part: str) -> None:
    (hint,) = hints_in("here", text, fenced=False)
    assert complaint_part in (complaint(hint) or "")


@pytest.mark.parametrize(
    "text",
    ["framejury reads an archive", "make one per process", "so (framejury also skips frames)"],
)
def test_a_sentence_is_no_command(text: str) -> None:
    assert list(hints_in("here", text, fenced=False)) == []
