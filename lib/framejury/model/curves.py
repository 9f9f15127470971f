"""The learning curves of a training as CSV: one line per epoch, in its log and in its bundle."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields

from pydantic import TypeAdapter, ValidationError

from framejury.errors import BundleError
from framejury.model.manifest import Bundle
from framejury.model.schedule import EpochRecord

CURVE_COLUMNS = tuple(field.name for field in fields(EpochRecord))
"""As the fields of `EpochRecord`; epochs count from 0, as in Keras."""


def curves_csv(history: Sequence[EpochRecord]) -> str:
    """Return a header and one line per epoch; figures that were not measured are empty."""
    text = io.StringIO()
    lines = csv.DictWriter(text, CURVE_COLUMNS, lineterminator="\n")
    lines.writeheader()
    lines.writerows(asdict(record) for record in history)
    return text.getvalue()


def read_curves(bundle: Bundle) -> tuple[EpochRecord, ...]:
    """Return the epochs of a bundle's training; empty if it does not carry them.

    Raises:
        BundleError: the file cannot be read.
    """
    path = bundle.curves_path
    return () if path is None else curves_of(path.read_bytes(), str(path))


def curves_of(data: bytes, name: str) -> tuple[EpochRecord, ...]:
    """Read `curves_csv` back; columns of later versions are left out.

    Args:
        data: the file.
        name: of the file, for errors.

    Raises:
        BundleError: it is not such a file.
    """
    try:
        rows = [
            {key: value for key, value in row.items() if key in CURVE_COLUMNS and value != ""}
            for row in csv.DictReader(io.StringIO(data.decode("utf-8")))
        ]
        history = TypeAdapter(tuple[EpochRecord, ...]).validate_python(rows)
    except (UnicodeDecodeError, csv.Error, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise BundleError(f"cannot read {name}: {reason}. Copy the bundle again") from None
    if not history or [record.epoch for record in history] != list(range(len(history))):
        raise BundleError(
            f"cannot read {name}: its epochs are not 0, 1, 2, ... in order. Copy the bundle again"
        )
    return history
