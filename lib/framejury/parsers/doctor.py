"""doctor: check this machine and print what is missing and what to do about it.

The last check makes a clip of one second with a drawn face and has it judged as `framejury scan`
would. Exit code 0 if there is no problem, else 2. Nothing is left behind.
"""

from __future__ import annotations

from framejury.cli.options import WAREHOUSE_VARIABLE, add_bundle, make_parser, stand_in
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("doctor", __doc__, ["training"])
    add_bundle(options)
    options.add_argument(
        "--warehouse",
        metavar="DIR",
        type=Place("folder to open", remote=True),
        default=stand_in(WAREHOUSE_VARIABLE),
        help=f"also check that DIR can be written (default: {WAREHOUSE_VARIABLE}, else none)",
    )
    options.add_argument(
        "--tensorflow",
        action="store_true",
        help="also start TensorFlow and list its GPUs; takes seconds (default: no)",
    )
    options.add_argument(
        "--json", action="store_true", help="print one JSON object (default: lines of text)"
    )
    return options
