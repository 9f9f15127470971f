"""The process that looks at videos for a Spark worker; kept between tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framejury.settings import Settings

if TYPE_CHECKING:
    from framejury.inspection.asking import Asker

_askers: dict[tuple[str, bool], Asker] = {}


def asker_of(settings: Settings, *, detectors: bool) -> Asker:
    """This worker's process for these settings, so that models load once.

    Args:
        settings: all of them.
        detectors: whether it is to find faces.
    """
    # Imported on the executor, never before the worker forks.
    from framejury.inspection.asking import Asker

    key = settings.digest(), detectors
    if key not in _askers:
        for old in _askers.values():
            old.close()
        _askers.clear()
        _askers[key] = Asker(settings, detectors=detectors)
    return _askers[key]
