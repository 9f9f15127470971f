"""Reading and writing sound models.

A sound model is a folder with `sound.onnx` and `sound.json`, which states what it was trained on,
its threshold and the digest of the network. A model that was altered is refused.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from framejury.audio.log_mel import CONTRACT
from framejury.errors import BundleError

MANIFEST_NAME, ONNX_NAME = "sound.json", "sound.onnx"
OUTPUT_NAME = "p_fake"
_MANIFEST_BYTES = 2**20

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class SoundManifest(BaseModel):
    """The content of `sound.json`.

    Attributes:
        features: `log_mel.CONTRACT` of the training.
        threshold: sounds with this score and above count as fake.
        data: a sentence on the training data.
        leak: a sentence on what lets one source be in two splits; None: nothing does.
        counts: split -> label -> videos.
        metrics: split -> name -> value, by video.
        sha256: of the network, hex.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format: Literal["framejury-sound-model"] = "framejury-sound-model"
    format_version: Literal[1] = 1
    model_id: str = ""
    features: dict[str, float | str]
    threshold: Share
    data: str
    leak: str | None
    counts: dict[str, dict[str, int]]
    metrics: dict[str, dict[str, float]]
    libraries: dict[str, str]
    created_at: datetime
    sha256: str = ""

    @property
    def own_id(self) -> str:
        """The id that its content gives: of the network and of the threshold."""
        text = json.dumps([self.sha256, self.threshold, self.features], sort_keys=True)
        return f"sound-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


class SoundModel(SoundManifest):
    """A checked sound model; `directory` is its folder."""

    directory: Path


def load_sound_model(directory: str | Path) -> SoundModel:
    """Read a sound model and check it against its manifest.

    Raises:
        BundleError: the folder is no sound model, was altered, or was trained on other features.
    """
    directory = Path(directory)
    path = directory / MANIFEST_NAME
    if not path.is_file():
        raise BundleError(
            f"{directory} is not a sound model: it has no {MANIFEST_NAME}. Give a folder that "
            "`framejury train-audio` wrote"
        )
    try:
        with path.open("rb") as file:
            raw: dict[str, Any] = json.loads(file.read(_MANIFEST_BYTES))
        model = SoundModel.model_validate({**raw, "directory": directory})
    except (OSError, ValueError, TypeError, RecursionError, ValidationError) as error:
        text = " ".join(str(error).split())[:300]
        raise BundleError(f"cannot read {path}: {text}. Copy the model again") from None
    if model.features != CONTRACT:
        raise BundleError(
            f"{path} was trained on other features than this framejury computes; train it again "
            "(framejury train-audio)"
        )
    network = directory / ONNX_NAME
    if not network.is_file() or _sha256(network) != model.sha256 or model.own_id != model.model_id:
        raise BundleError(
            f"{network} or {MANIFEST_NAME} was altered after it was written. Copy the model again"
        )
    return model


def write_sound_model(
    directory: str | Path, manifest: SoundManifest, onnx_file: Path
) -> SoundModel:
    """Write a sound model; an earlier one there is replaced.

    Args:
        directory: of the model; its parents are created.
        manifest: its `model_id` and `sha256` are filled in.
        onnx_file: copied to `sound.onnx`.

    Raises:
        BundleError: the folder holds something else.
    """
    directory = Path(directory)
    check_may_replace(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        fresh = scratch / "new"
        fresh.mkdir()
        shutil.copyfile(onnx_file, fresh / ONNX_NAME)
        full = manifest.model_copy(update={"sha256": _sha256(fresh / ONNX_NAME)})
        full = full.model_copy(update={"model_id": full.own_id})
        (fresh / MANIFEST_NAME).write_text(full.model_dump_json(indent=2) + "\n", encoding="utf-8")
        load_sound_model(fresh)
        if directory.exists():
            directory.rename(scratch / "old")
        fresh.rename(directory)
    finally:
        shutil.rmtree(scratch)
    return load_sound_model(directory)


def check_may_replace(directory: Path) -> None:
    """Check that a folder is free, empty or a sound model.

    Raises:
        BundleError: it holds something else.
    """
    if not directory.exists() or (directory / MANIFEST_NAME).is_file():
        return
    if not directory.is_dir() or any(directory.iterdir()):
        raise BundleError(
            f"{directory} exists and is not a sound model, so it is not overwritten. Give another "
            "folder"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
