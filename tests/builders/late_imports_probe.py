"""A program that has media examined in every way, and prints what was imported in the sandbox.

It runs where framejury's core is installed alone, so it needs neither tests nor their libraries:

    python late_imports_probe.py BUNDLES SOUND_MODEL MEDIA

BUNDLES is a folder of bundles, MEDIA one of media files. Output: one JSON object, `statuses` by
file, and `imported`: way and file, with the modules.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from framejury.errors import MediaError
from framejury.examine import listener, worker
from framejury.examine.messages import ExaminePlan, VideoJob
from framejury.inspection import inspect_client
from framejury.media.fetch import local_copy
from framejury.records import Size
from framejury.settings.loading import settings_from

Handler = Callable[[dict[str, Any]], bytes]
WAYS: list[dict[str, Any]] = [
    {},
    {"detection": {"detector": "haar"}, "crops": {"format": "jpeg"}},
    {"detection": {"follow_s": 1.0}},
    {"sampling": {"rounds": [2, 4, 6]}},
    {"sampling": {"mode": "random"}},
    {"sampling": {"mode": "strided_retry"}},
    {"sampling": {"pairs": True}, "crops": {"pair": "kept"}},
]

_seen: set[str] = set()


def _note(event: str, args: tuple[Any, ...]) -> None:
    if event == "import":
        _seen.add(args[0])


@cache
def _watch() -> None:
    sys.addaudithook(_note)


def _watched(module: str) -> Callable[[Mapping[str, Any]], Handler]:
    """Return the factory of a module's handler, which also tells what was imported."""

    def make(setup: Mapping[str, Any]) -> Handler:
        handle: Handler = importlib.import_module(module).serve(setup)

        def answer(request: dict[str, Any]) -> bytes:
            _watch()  # the first request comes after the lockdown
            if not request.get("imported"):
                return handle(request)
            found = json.dumps(sorted(_seen)).encode()
            _seen.clear()
            return found

        return answer

    return make


examine = _watched("framejury.examine.child")
hear = _watched("framejury.examine.sound_child")
inspect = _watched("framejury.inspection.inspect_child")


def imported_by(client: Any) -> list[str]:
    return list(json.loads(client._sandbox.call({"imported": True}, 60)))


def examined(
    bundles: list[Path | None], media: list[Path]
) -> Iterator[tuple[str, Path, list[str], str]]:
    for bundle in bundles:
        # Every way with one bundle, and every bundle in one way.
        for values in WAYS if bundle is not None and bundle.name == "rgb" else WAYS[:1]:
            settings = {"sampling": {"frames": 4}} | values
            if bundle is not None and bundle.name in ("delta", "flow_fusion"):
                settings = {"sampling": {"frames": 4, "pairs": True}}
            plan = ExaminePlan(
                "run",
                settings_from(settings).model_dump(mode="json"),
                None if bundle is None else str(bundle),
                keep_crops=bundle is None,
            )
            with worker.Examiner(plan) as client:
                for file in media:
                    job = VideoJob(file.name, str(file), file.stat().st_size)
                    row = client.examine(job).to_pylist()[0]
                    client.survey(job)
                    way = f"examine {bundle and bundle.name} {values}"
                    yield way, file, imported_by(client), row["status"]


def heard(model: Path, media: list[Path]) -> Iterator[tuple[str, Path, list[str], str]]:
    with listener.Listener(settings_from({}), model) as client:
        for file in media:
            with file.open("rb") as content:
                found = client.listen(content.fileno(), 60)
            yield "hear", file, imported_by(client), found.outcome.value


def looked_at(media: list[Path]) -> Iterator[tuple[str, Path, list[str], str]]:
    with inspect_client.InspectClient(settings_from({}), detectors=True) as client:
        for file in media:
            status = "inspected"
            try:
                _, pictures = client.inspect(str(file), "all")
                client.sheet([*pictures.values()], [file.name] * len(pictures))
                with local_copy(str(file), 1 << 30) as copy:
                    client.read(copy).frames(np.array([0]), Size(64, 64))
            except MediaError as error:
                status = error.status.value
            yield "inspect", file, imported_by(client), status


def main() -> None:
    bundles, model, folder = map(Path, sys.argv[1:])
    media = sorted(folder.iterdir())
    worker._CHILD = f"{Path(__file__).stem}:examine"
    listener._CHILD = f"{Path(__file__).stem}:hear"
    inspect_client._CHILD = f"{Path(__file__).stem}:inspect"
    imported: dict[str, list[str]] = {}
    statuses: dict[str, set[str]] = {}
    ways = (examined([None, *sorted(bundles.iterdir())], media), heard(model, media))
    for found in (*ways, looked_at(media)):
        for way, file, modules, status in found:
            statuses.setdefault(file.name, set()).add(status)
            if modules:
                imported[f"{way} {file.name}"] = modules
    shown = {name: sorted(found) for name, found in statuses.items()}
    print(json.dumps({"imported": imported, "statuses": shown}))


if __name__ == "__main__":
    main()
