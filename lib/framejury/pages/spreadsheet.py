"""CSV that is safe to open in a spreadsheet: no text in it runs as a formula."""

from __future__ import annotations

import codecs
import json

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

# Spreadsheets run cells that begin like this, even quoted ones (OWASP, "CSV Injection").
_FORMULA = "^([\\s\\pZ\ufeff]*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\\t\\r\\n])"


def csv_bytes(table: pa.Table, *, mark: bool, header: bool = True) -> bytes:
    """Return UTF-8 CSV with a header, texts quoted, null as empty.

    A struct gives a column per field, such as `box_x`; a list is JSON.

    Texts that a spreadsheet would run as a formula get a leading apostrophe.

    Args:
        table: its columns are those of the CSV.
        mark: whether to begin with a byte-order mark, as Excel needs it.
        header: whether to begin with the names of the columns.
    """
    table = table.flatten()
    table = table.rename_columns([name.replace(".", "_") for name in table.column_names])
    for index, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            safe = pc.replace_substring_regex(
                table[field.name], pattern=_FORMULA, replacement=r"'\1"
            )
            table = table.set_column(index, field.name, safe)
        elif pa.types.is_nested(field.type):
            texts = [None if one is None else json.dumps(one) for one in table[index].to_pylist()]
            table = table.set_column(index, field.name, pa.array(texts, pa.string()))
    sink = pa.BufferOutputStream()
    pa.csv.write_csv(table, sink, pa.csv.WriteOptions(include_header=header))
    return (codecs.BOM_UTF8 if mark else b"") + bytes(sink.getvalue().to_pybytes())
