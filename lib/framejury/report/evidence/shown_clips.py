"""The stored clips of a video as its page shows them, without looking into them.

A clip comes from the process that decoded a possibly hostile file. Only the reader's browser opens
it, which is made for that.
"""

from __future__ import annotations

from dataclasses import dataclass

from framejury.faces.header import crop_size
from framejury.pages.templating import data_uri
from framejury.report.evidence.video_evidence import Evidence
from framejury.schemas.statuses import PictureKind


@dataclass(frozen=True, slots=True)
class ShownClip:
    """A clip on the page; `moving` and `still` are `data:` addresses.

    Attributes:
        start_s, end_s: its part of the film, seconds.
        person: the face track.
        score: mean score of the suspicious part, 0 to 1; not calibrated.
        width, height: pixels.
    """

    start_s: float
    end_s: float
    person: int
    score: float
    moving: str
    still: str
    width: int
    height: int


def shown_clips(evidence: Evidence) -> tuple[ShownClip, ...]:
    """Return the clips by time; those without a known face are left out."""
    persons = {(face.frame_index, face.face_index): face.person for face in evidence.faces}
    found = []
    for picture in evidence.pictures:
        person = persons.get((picture.frame_index, picture.face_index or 0))
        part = picture.clip
        if picture.kind is not PictureKind.CLIP or person is None or part is None:
            continue
        size = crop_size(picture.picture)
        found.append(
            ShownClip(
                part.start_s,
                part.end_s,
                person,
                picture.score,
                data_uri(part.moving, "video/webm"),
                data_uri(picture.picture, "image/jpeg"),
                size.width,
                size.height,
            )
        )
    return tuple(sorted(found, key=lambda clip: (clip.start_s, clip.person)))
