"""Walk the boxes of MP4 and QuickTime files and the chunks of AVI, whatever their bytes claim.

Only headers are read, a few bytes each, and at most `MOST_BOXES` of them: a hostile file costs
little time and no memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from framejury.media.container import VideoSource

MOST_BOXES = 5000
"""Headers read per file, count; more are not read, and `FileBytes.exhausted` tells."""


@dataclass(frozen=True, slots=True)
class Part:
    """A box or chunk: its type, and where its content lies in the file, bytes."""

    kind: bytes
    start: int
    stop: int


@dataclass
class FileBytes:
    """The bytes of one file, of which a limited number of headers is read.

    Attributes:
        source: the file; a descriptor stays where it was.
        headers: headers read so far, count.
        exhausted: whether `MOST_BOXES` ended a walk.
    """

    source: VideoSource
    headers: int = 0
    exhausted: bool = field(default=False, init=False)

    @property
    def size_bytes(self) -> int:
        """Return the length of the file."""
        source = self.source
        return (os.fstat(source) if isinstance(source, int) else Path(source).stat()).st_size

    def read(self, start: int, count: int) -> bytes:
        """Return up to `count` bytes from `start` on.

        Raises:
            OSError: the file cannot be read.
        """
        if isinstance(self.source, int):
            return os.pread(self.source, count, start)
        with Path(self.source).open("rb") as file:
            file.seek(start)
            return file.read(count)

    def boxes(self, start: int, stop: int) -> Iterator[Part]:
        """Yield the boxes of MP4 between two places (ISO/IEC 14496-12, 4.2)."""
        while start + 8 <= stop and self._may_read():
            head = self.read(start, 16)
            if len(head) < 8:
                return
            size, kind, skip = int.from_bytes(head[:4]), head[4:8], 8
            if size == 1:
                size, skip = int.from_bytes(head[8:16]), 16
            end = stop if size == 0 else start + size
            if end < start + skip:
                return
            yield Part(kind, start + skip, min(end, stop))
            start = end

    def chunks(self, start: int, stop: int) -> Iterator[Part]:
        """Yield the chunks of RIFF between two places; they begin at even places."""
        while start + 8 <= stop and self._may_read():
            head = self.read(start, 8)
            if len(head) < 8:
                return
            end = start + 8 + int.from_bytes(head[4:], "little")
            yield Part(head[:4], start + 8, min(end, stop))
            start = end + end % 2

    def _may_read(self) -> bool:
        self.headers += 1
        self.exhausted |= self.headers > MOST_BOXES
        return not self.exhausted
