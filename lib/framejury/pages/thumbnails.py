"""Faces reduced for a table of up to a thousand rows."""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError

from framejury.pages.templating import data_uri

SMALL_PX = 72
"""Longer side in the verdict table: twice the displayed size, for high-density screens."""
LARGE_PX = 160
"""Longer side in the list of mistakes."""

_SIDE_LIMIT_PX = 8192
_QUALITY = 72


def thumbnail(picture: bytes, side_px: int) -> str | None:
    """Return a JPEG file as a `data:` address, its longer side reduced to `side_px`.

    Returns None for a file that is not a JPEG, is truncated or larger than 8192 pixels.
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
