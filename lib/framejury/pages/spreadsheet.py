"""A table as CSV that a spreadsheet may open: no text in it is run as a formula."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

# A spreadsheet runs a cell that begins so, even in quotes (OWASP, "CSV Injection").
_FORMULA = "^([\\s\\pZ\ufeff]*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\\t\\r\\n])"


def csv_bytes(table: pa.Table) -> bytes:
    """CSV, UTF-8, header, quoted texts, empty for null.

    A text that a spreadsheet would run as a formula gets a leading apostrophe; the JSON beside
    it has it unchanged.
    """
    for index, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            safe = pc.replace_substring_regex(
                table[field.name], pattern=_FORMULA, replacement=r"'\1"
            )
            table = table.set_column(index, field.name, safe)
    sink = pa.BufferOutputStream()
    pa.csv.write_csv(table, sink)
    return bytes(sink.getvalue().to_pybytes())
