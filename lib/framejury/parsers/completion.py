"""completion: print what makes bash, zsh or fish complete commands, options and settings.

bash: echo 'source <(framejury completion bash)' >> ~/.bashrc
zsh:  echo 'source <(framejury completion zsh)' >> ~/.zshrc
fish: framejury completion fish > ~/.config/fish/completions/framejury.fish
"""

from __future__ import annotations

from framejury.cli.options import make_parser
from framejury.cli.parser import Parser

SHELLS = ("bash", "zsh", "fish")


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("completion", __doc__)
    options.add_argument(
        "shell", metavar="SHELL", choices=SHELLS, help=f"the shell: {', '.join(SHELLS)}"
    )
    return options
