"""The client of the decoding process that a Spark worker keeps for `inspect` and `modality`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framejury.settings import Settings

if TYPE_CHECKING:
    from framejury.inspection.inspect_client import InspectClient

_clients: dict[tuple[str, bool], InspectClient] = {}


def client_for(settings: Settings, *, detectors: bool) -> InspectClient:
    """Return this worker's client for these settings, so that models load once.

    Args:
        settings: all of them.
        detectors: whether its process loads face detectors.
    """
    # Imported on the executor, never before the worker forks.
    from framejury.inspection.inspect_client import InspectClient

    key = settings.digest(), detectors
    if key not in _clients:
        for other in _clients.values():
            other.close()
        _clients.clear()
        _clients[key] = InspectClient(settings, detectors=detectors)
    return _clients[key]
