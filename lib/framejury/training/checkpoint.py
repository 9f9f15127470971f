"""The work directory of a training: everything needed to resume after a kill.

`state.json` is replaced in one step once the weights of an epoch are complete on disk, so it always
names files that exist and belong together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from framejury.errors import UsageError
from framejury.model.model_id import digest_of
from framejury.model.schedule import EpochRecord, best_epoch
from framejury.settings import TrainingSettings

if TYPE_CHECKING:
    import keras

STATE_NAME = "state.json"
_STATE_VERSION = 2


class WorkDir:
    """The files of one training.

    Attributes:
        path: the directory.
        history: finished epochs, in order.
    """

    def __init__(self, path: Path, settings: TrainingSettings, fingerprint: str) -> None:
        """Open a new work directory, or one with finished epochs.

        Args:
            path: created when missing.
            settings: settings of this training.
            fingerprint: fingerprint of its data.

        Raises:
            UsageError: another training (other settings or data) was started here, or the
                directory holds something else.
        """
        self.path = path
        self._settings = settings
        self._identity = {
            "version": _STATE_VERSION,
            "settings": settings.model_dump(mode="json"),
            "fingerprint": fingerprint,
        }
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot create the work directory {path}: {error}") from error
        self.history = self._read_history()

    def log_dir(self, wanted: Path | None) -> Path:
        """Return the folder of the log: `wanted` with a digest of the training, or one inside."""
        if wanted is None:
            return self.path / "log"
        return wanted.with_name(f"{wanted.name}-{digest_of(self._identity)[:8]}")

    @property
    def resynthesis_dir(self) -> Path:
        """Folder of networks trained for this training alone: they learn from its split train."""
        return self.path / f"resynthesis-{digest_of(self._identity)[:8]}"

    @property
    def last_weights(self) -> Path:
        """Weights and optimizer state after the last finished epoch."""
        return self._weights(self.history[-1].epoch)

    @property
    def best_weights(self) -> Path:
        """Weights of the best epoch by `choose_by`."""
        return self._weights(best_epoch(self.history, self._settings))

    def finish_epoch(self, model: keras.Model, record: EpochRecord) -> None:
        """Store an epoch: its weights first, then the history that names them.

        Args:
            model: compiled, in its state after the epoch.
            record: figures of the epoch.
        """
        scratch = self.path / "unfinished.weights.h5"
        model.save_weights(scratch)
        scratch.replace(self._weights(record.epoch))
        self.history = (*self.history, record)
        self._write_state()
        keep = {self.last_weights, self.best_weights}
        for file in self.path.glob("epoch-*.weights.h5"):
            if file not in keep:
                file.unlink()

    def _weights(self, epoch: int) -> Path:
        return self.path / f"epoch-{epoch:04d}.weights.h5"

    def _write_state(self) -> None:
        state = {**self._identity, "history": [asdict(record) for record in self.history]}
        scratch = self.path / "unfinished.json"
        scratch.write_text(json.dumps(state, indent=1, allow_nan=False), encoding="utf-8")
        scratch.replace(self.path / STATE_NAME)

    def _read_history(self) -> tuple[EpochRecord, ...]:
        file = self.path / STATE_NAME
        if not file.exists():
            return ()
        advice = f"give another work directory, or delete {self.path} to start over"
        try:
            state = json.loads(file.read_text(encoding="utf-8"))
            found = {key: state[key] for key in self._identity}
            history = TypeAdapter(tuple[EpochRecord, ...]).validate_python(state["history"])
        except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
            raise UsageError(f"{file} is not a training state ({error!r}); {advice}") from error
        if found != self._identity:
            raise UsageError(
                f"{self.path} holds another training: {_differences(found, self._identity)}; "
                f"{advice}"
            )
        self._require_weights(history, advice)
        return history

    def _require_weights(self, history: Sequence[EpochRecord], advice: str) -> None:
        for epoch in {history[-1].epoch, best_epoch(history, self._settings)} if history else ():
            if not self._weights(epoch).is_file():
                raise UsageError(f"{self._weights(epoch)} is missing; {advice}")


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    differences = []
    if found["version"] != wanted["version"]:
        differences.append(f"its version is {found['version']}, not {wanted['version']}")
    before, now = dict(found["settings"]), wanted["settings"]
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            differences.append(f"training.{name} was {before.get(name)} and is now {now.get(name)}")
    if found["fingerprint"] != wanted["fingerprint"]:
        differences.append("the faces or the split have changed")
    return "; ".join(differences)
