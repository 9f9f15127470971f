"""Completion scripts of bash, zsh and fish, made from the parsers of all commands."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterable, Iterator
from contextlib import suppress

from framejury.cli.main import COMMANDS, parser_of
from framejury.cli.values import OneOrMore
from framejury.errors import ConfigError
from framejury.settings import Settings
from framejury.settings.loading import preset_names, setting_fields

_NONE, _FOLDERS, _FILES, _SETTINGS = "@none", "@folders", "@files", "@settings"
_FOLDER_NAMES = ("DIR", "ARCHIVE", "FOLDER")
_FILE_NAMES = ("FILE", "PATH", "VIDEO", "VIDEO|ARCHIVE", "FAKE", "ORIGINAL")

_BASH = """\
# Completion of framejury in bash, printed by: framejury completion bash
_framejury_options() {
    case "$1" in
@OPTIONS@
    esac
}
_framejury_values() {
    case "$1 $2" in
@VALUES@
    esac
}
_framejury_setting_values() {
    case "$1" in
@SETTING_VALUES@
    esac
}
_framejury() {
    local IFS=$' \\t\\n' cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]} key='' stem='' found=''
    COMPREPLY=()
    if [ "$COMP_CWORD" -le 1 ]; then
        COMPREPLY=($(compgen -W '@COMMANDS@' -- "$cur"))
        return
    fi
    # Bash makes the equals sign a word of its own, zsh does not.
    if [ "$cur" = '=' ]; then
        key=$before cur=''
    elif [ "$before" = '=' ]; then
        key=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ $cur == *=* ]]; then
        key=${cur%%=*} stem=${cur%%=*}= cur=${cur#*=}
    fi
    if [[ $key == -* ]]; then
        found=$(_framejury_values "$command" "$key")
    elif [ -n "$key" ]; then
        found=$(_framejury_setting_values "$key")
    else
        found=$(_framejury_values "$command" "$before")
        if [ -z "$found" ] && [[ $cur != -* ]]; then
            found=$(_framejury_values "$command" argument)
        fi
        [ -n "$found" ] || found=$(_framejury_options "$command")
    fi
    case "$found" in
        @none) ;;
        @folders)
            compopt -o filenames 2>/dev/null
            IFS=$'\\n' && COMPREPLY=($(compgen -d -- "$cur"))
            ;;
        @files)
            compopt -o filenames 2>/dev/null
            IFS=$'\\n' && COMPREPLY=($(compgen -f -- "$cur"))
            ;;
        @settings)
            compopt -o nospace 2>/dev/null
            COMPREPLY=($(compgen -S = -W '@SETTINGS@' -- "$cur"))
            ;;
        *) COMPREPLY=($(compgen -P "$stem" -W "$found" -- "$cur")) ;;
    esac
}
complete -F _framejury framejury
"""

_ZSH = """\
# Completion of framejury in zsh, printed by: framejury completion zsh
autoload -U +X compinit && compinit -u
autoload -U +X bashcompinit && bashcompinit
"""


def completion_script(shell: str) -> str:
    """Return the script that makes a shell complete `framejury`.

    Args:
        shell: bash, zsh or fish.
    """
    if shell == "fish":
        return "".join(f"{line}\n" for line in _fish_lines())
    return _bash() if shell == "bash" else _ZSH + _bash()


def _bash() -> str:
    options, values = [], []
    for command in COMMANDS:
        parser = parser_of(command)
        options.append(f'        {command}) echo "{" ".join(parser.options())}" ;;')
        for action in parser.actions():
            found = _values(command, action)
            for name in action.option_strings or ["argument"]:
                if found:
                    values.append(f'        "{command} {name}") echo "{found}" ;;')
    values.append(f'        "help "*) echo "{" ".join(COMMANDS)}" ;;')
    filled = {
        "OPTIONS": "\n".join(options),
        "VALUES": "\n".join(dict.fromkeys(values)),
        "SETTING_VALUES": "\n".join(
            f'        {key}) echo "{" ".join(words)}" ;;' for key, words in _setting_values()
        ),
        "COMMANDS": " ".join(["help", *COMMANDS]),
        "SETTINGS": " ".join(setting_fields()),
    }
    return re.sub("@([A-Z_]+)@", lambda match: filled[match[1]], _BASH)


def _fish_lines() -> Iterator[str]:
    yield "# Completion of framejury in fish, printed by: framejury completion fish"
    yield "complete -c framejury -f"
    yield f"complete -c framejury -n __fish_use_subcommand -a help -d {shlex.quote('show help')}"
    names = shlex.quote(" ".join(COMMANDS))
    yield f"complete -c framejury -n '__fish_seen_subcommand_from help' -a {names}"
    for command, (_, doc) in COMMANDS.items():
        said = _fish_quoted(doc)
        yield f"complete -c framejury -n __fish_use_subcommand -a {command} -d {said}"
    for command in COMMANDS:
        here = f"complete -c framejury -n '__fish_seen_subcommand_from {command}'"
        for action in parser_of(command).actions():
            said = _fish_quoted(re.sub(r" \((default|required).*", "", action.help or ""))
            spelling = " ".join(
                f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
                for name in action.option_strings
            )
            taken = _fish_values(_values(command, action))
            if spelling:
                yield f"{here} {spelling}{taken} -d {said}"
            elif taken:
                yield f"{here}{taken.replace(' -x', '').replace(' -r', '')}"


def _fish_values(found: str) -> str:
    if not found:
        return ""
    if found == _NONE:
        return " -x"
    if found == _FILES:
        return " -r -F"
    if found == _FOLDERS:
        return " -x -a '(__fish_complete_directories)'"
    words = [f"{key}=" for key in setting_fields()] if found == _SETTINGS else found.split()
    return f" -x -a {shlex.quote(' '.join(words))}"


def _fish_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _values(command: str, action: argparse.Action) -> str:
    """Return what an option or argument takes: words, `@files`, `@folders`, `@settings`, `@none`.

    An empty text stands for an option without a value, and for an argument that nothing completes.
    """
    words: Iterable[object] = action.choices or ()
    if isinstance(action.type, OneOrMore):
        words = action.type.known
    if command == "settings" and action.dest == "names":
        words = [*COMMANDS, *Settings.model_fields, *setting_fields()]
    elif action.dest == "preset":
        with suppress(ConfigError):
            words = preset_names()
    if words or action.nargs == 0:
        return " ".join(map(str, words))
    if action.dest == "set":
        return _SETTINGS
    kinds = dict.fromkeys(_FOLDER_NAMES, _FOLDERS) | dict.fromkeys(_FILE_NAMES, _FILES)
    return kinds.get(str(action.metavar), _NONE if action.option_strings else "")


def _setting_values() -> Iterator[tuple[str, list[str]]]:
    """Yield the keys of settings that take one of a few words, with these."""
    for key, field in setting_fields().items():
        words = re.split(r" \| | or ", str(field["values"]))
        named = [word for word in words if re.fullmatch(r"[\w.]+", word)]
        if len(named) > 1 and " | " in str(field["values"]):
            yield key, named
