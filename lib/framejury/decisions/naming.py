"""Videos by the names that people write. Pure."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from framejury.storage import is_local, local_path


class VideoNames:
    """Finds videos by a path in the archive, its end, an absolute path, a URI or a `video_id`.

    Args:
        videos: columns `video_id`, `path`, `uri` of the snapshot.
    """

    def __init__(self, videos: Iterable[Mapping[str, Any]]) -> None:
        self._exact: dict[str, str] = {}
        self._by_name: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self.paths: dict[str, str] = {}
        for row in videos:
            path, video_id = str(row["path"]), str(row["video_id"])
            self.paths[video_id] = path
            self._exact |= dict.fromkeys((video_id, str(row["uri"]), path), video_id)
            plain = unicodedata.normalize("NFC", path)
            self._by_name[plain.rpartition("/")[2]].append((f"/{plain}", video_id))

    def find(self, name: str) -> list[str]:
        """Return the ids of the videos that a name can mean, by path: none, one or several.

        The name as it stands wins over an end of a path. Backslashes count as slashes, both ways
        to write an accent are the same, and an apostrophe in front (`pages.spreadsheet`) is left
        out.
        """
        for one in dict.fromkeys((name, name.removeprefix("'"))):
            if found := self._found(one):
                return sorted(found, key=lambda video_id: self.paths[video_id])
        return []

    def _found(self, name: str) -> list[str]:
        if not name.strip():
            return []
        absolute = str(local_path(name)) if is_local(name) else name
        for exact in (name, absolute):
            if exact in self._exact:
                return [self._exact[exact]]
        plain = unicodedata.normalize("NFC", name.strip().replace("\\", "/"))
        end = f"/{plain.removeprefix('./').lstrip('/')}"
        some = self._by_name.get(end.rpartition("/")[2], [])
        whole = [video_id for path, video_id in some if path == end]
        return whole or [video_id for path, video_id in some if path.endswith(end)]
