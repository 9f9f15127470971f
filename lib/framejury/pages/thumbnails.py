"""Faces made small enough for a table of a thousand."""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError

from framejury.pages.templating import data_uri

SMALL_PX = 72
"""Longer side in the verdict table, twice what is shown: for fine screens."""
LARGE_PX = 160
"""Longer side beside a mistake."""

_SIDE_LIMIT_PX = 8192
_QUALITY = 72


def thumbnail(picture: bytes, side_px: int) -> str | None:
    """A JPEG file as a `data:` address, its longer side `side_px` at most.

    Returns:
        None where the file is no JPEG, is cut short, or claims an absurd size.
    """
    try:
        with Image.open(io.BytesIO(picture), formats=("JPEG",)) as opened:
            if max(opened.size) > _SIDE_LIMIT_PX:
                return None
            opened.draft("RGB", (side_px, side_px))
            image = opened.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError):
        return None
    image.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    small = io.BytesIO()
    image.save(small, "JPEG", quality=_QUALITY, optimize=True)
    return data_uri(small.getvalue(), "image/jpeg")
