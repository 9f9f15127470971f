"""A warehouse read as docs/data_dictionary.md tells, in a process that has no framejury."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[2] / "docs" / "data_dictionary.md"
_PRINTED = """
import sys, importlib.util
assert importlib.util.find_spec("framejury") is None
print(json.dumps(read_table(sys.argv[1], sys.argv[2]).to_pylist(), default=str))
"""


def documented_rows(warehouse: Path, table: str) -> list[dict[str, Any]]:
    """Run the program of the page; return all committed rows of a table. Times are texts."""
    (program,) = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    # -I: neither the working directory nor PYTHONPATH; -S with site-packages: no editable install.
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    code = f"import sys; sys.path.append({packages!r})\n{program}{_PRINTED}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(warehouse), table],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows
