"""The options of every command, light: parsing comes before the command's libraries are loaded.

`parsers/NAME.py` holds the options of `commands/NAME.py` or `jobs/NAME.py`; its docstring is the
description in `--help`.
"""
