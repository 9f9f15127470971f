"""Scoring of face crops with a bundle, by ONNX Runtime."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import onnxruntime

from framejury.errors import BundleError, FramejuryError, SetupError
from framejury.model.class_activation import heat_added
from framejury.model.manifest import HEAT_NAME, ONNX_NAME, Bundle
from framejury.records import CroppedFace, Image
from framejury.signals.network_input import clip_of, picture_of

Floats = npt.NDArray[np.float32]
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
BATCH_SIZES = {"cpu": 4, "cuda": 64}
"""Fastest number of faces per call on each device: more do not fit a CPU core's caches."""

# Rounding may move a float32 sigmoid out of [0, 1]; larger errors mean a broken network.
_ROUNDING = 1e-6


class Scorer:
    """A loaded network. It holds native memory: create one per process, after any fork.

    Args:
        bundle: checked by `load_bundle`.
        threads: threads of the network, count.
        batch_size: faces per call of the network, count; bounds memory, not the input of `score`.
            None: `BATCH_SIZES` of the device, in pictures. The bundle's `batch_limit` holds.
        device: cuda fails without a usable GPU; it does not fall back to the CPU.

    Raises:
        BundleError: the ONNX file changed since `load_bundle`, or does not match its manifest.
        SetupError: cuda was requested and is not usable.
    """

    def __init__(
        self,
        bundle: Bundle,
        threads: int = 1,
        batch_size: int | None = None,
        device: Literal["cpu", "cuda"] = "cpu",
    ) -> None:
        clip_frames, limit = bundle.pixels.clip_frames, bundle.pixels.batch_limit
        if batch_size is None:
            batch_size = max(BATCH_SIZES[device] // clip_frames, 1)
        if limit is not None:
            batch_size = min(batch_size, limit)
        if threads < 1 or batch_size < 1:
            raise ValueError(f"threads {threads} and batch_size {batch_size} must be at least 1")
        self.bundle = bundle
        self.batch_size = batch_size
        self._spent_s = 0.0
        self._session = _open_session(bundle, threads, device)
        self._input_name, self._output_names = _check_contract(self._session, bundle)

    @property
    def seconds(self) -> dict[str, float]:
        """Time that the network has taken so far, seconds by model_id."""
        return {self.bundle.model_id: self._spent_s}

    def pictures(self, faces: Sequence[Image | CroppedFace]) -> npt.NDArray[np.uint8]:
        """Return the network's input for each face: uint8 (n, input_px, input_px, 3) RGB.

        For networks that look at clips, uint8 (n, clip_frames, input_px, input_px, 3).

        Args:
            faces: as in `score`.

        Raises:
            ValueError: a face lacks what the bundle's signal needs.
        """
        signal, pixels = self.bundle.signal, self.bundle.pixels
        whole = [face if isinstance(face, CroppedFace) else CroppedFace(face) for face in faces]
        shape = pixels.input_px, pixels.resize, pixels.jpeg_quality
        if pixels.clip_frames > 1:
            return np.stack([clip_of(face, pixels.clip_frames, *shape) for face in whole])
        return np.stack([picture_of(face, signal, *shape) for face in whole])

    def score(self, faces: Sequence[Image | CroppedFace]) -> npt.NDArray[np.float32]:
        """Score each face: near 1 means manipulated.

        Args:
            faces: crops, each uint8 (height, width, 3) RGB of any size; `CroppedFace` where the
                bundle's signal needs more than the crop.

        Returns:
            float32 (n,), scores 0 to 1 in the order of `faces`.

        Raises:
            FramejuryError: the network returned an invalid score.
            ValueError: a face lacks what the bundle's signal needs.
        """
        return self.score_and_explain(faces)[0]

    def score_and_explain(
        self, faces: Sequence[Image | CroppedFace]
    ) -> tuple[npt.NDArray[np.float32], Floats | None]:
        """Score each face as `score` does, and return its heat map.

        Returns:
            the scores, and float32 (n, side, side), 0 to 1: cells over the network's square input
            (`framejury.training.network`). None where the network gives no heat maps.
        """
        scores = np.empty(len(faces), dtype=np.float32)
        maps = []
        for start in range(0, len(faces), self.batch_size):
            batch = faces[start : start + self.batch_size]
            scores[start : start + len(batch)], heat = self._scored(self.pictures(batch))
            maps += heat
        return scores, _joined(maps)

    def score_members(
        self, faces: Sequence[Image | CroppedFace]
    ) -> tuple[Floats, Floats | None, Floats]:
        """Score each face as `score_and_explain` does, and give the scores of members.

        Returns:
            scores, heat maps, and float32 (n, m) with a column per member of an ensemble, in the
            order of the bundle's members; m is 0 for a single network.
        """
        return *self.score_and_explain(faces), np.empty((len(faces), 0), np.float32)

    @property
    def gives_heat(self) -> bool:
        """Whether the network gives heat maps."""
        return HEAT_NAME in self._output_names

    def score_pictures(self, pictures: npt.NDArray[np.uint8]) -> Floats:
        """Score network inputs, as `pictures` returns them, in one call: float32 (n,), 0 to 1.

        Raises:
            FramejuryError: the network returned an invalid score.
        """
        return self._scored(pictures)[0]

    def _scored(self, pictures: npt.NDArray[np.uint8]) -> tuple[Floats, list[Floats]]:
        raw, *heat = self._run(pictures)
        return _checked_scores(raw, len(pictures), self.bundle.model_id), heat

    def _run(self, pixels: npt.NDArray[np.uint8]) -> list[Floats]:
        """Return the scores and, where the network gives one, the heat map."""
        feed = {self._input_name: pixels.astype(np.float32)}
        began_s = time.perf_counter()
        try:
            return [np.asarray(out) for out in self._session.run(self._output_names, feed)]
        except Exception as error:  # ONNX Runtime's errors share no narrower base
            raise FramejuryError(
                f"model {self.bundle.model_id} failed on {len(pixels)} faces: {error}"
            ) from error
        finally:
            self._spent_s += time.perf_counter() - began_s


def _joined(maps: Sequence[Floats]) -> Floats | None:
    """Join maps to one array; None where they are not square or not finite."""
    heat = np.concatenate(maps) if maps else None
    if heat is None or heat.shape[1] != heat.shape[2] or not np.isfinite(heat).all():
        return None
    return heat


def _open_session(
    bundle: Bundle, threads: int, device: Literal["cpu", "cuda"]
) -> onnxruntime.InferenceSession:
    provider = _PROVIDERS[device]
    if provider not in onnxruntime.get_available_providers():
        raise SetupError(
            f"device {device} was requested, but this onnxruntime has only "
            f"{', '.join(onnxruntime.get_available_providers())}. Install onnxruntime-gpu instead, "
            "or score on the CPU"
        )
    options = cpu_options(threads)
    # The checked bytes are the bytes that run, and external data files cannot be loaded.
    content = bundle.onnx_path.read_bytes()
    if hashlib.sha256(content).hexdigest() != bundle.files[ONNX_NAME].sha256:
        raise BundleError(f"{bundle.onnx_path} changed after the bundle was checked")
    if bundle.heat_cells is None and bundle.adopted is None:
        content = heat_added(content) or content
    try:
        session = onnxruntime.InferenceSession(content, options, providers=[provider])
    except Exception as error:  # ONNX Runtime's errors share no narrower base
        raise BundleError(f"ONNX Runtime cannot load {bundle.onnx_path}: {error}") from error
    if session.get_providers()[0] != provider:
        raise SetupError(
            f"device {device} was requested, but ONNX Runtime could not start it. Check the GPU's "
            "driver and CUDA libraries, or score on the CPU"
        )
    return session


def cpu_options(threads: int) -> onnxruntime.SessionOptions:
    """Return the options of a network that shares its machine with other tasks."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Spinning idle threads would take the core of the next Spark task.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _check_contract(session: onnxruntime.InferenceSession, bundle: Bundle) -> tuple[str, list[str]]:
    """Return the names of the input and the outputs, once they match the manifest."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    heat = [item for item in outputs if item.name == HEAT_NAME]
    scores = [item for item in outputs if item.name != HEAT_NAME]
    side, cells = bundle.input_px, bundle.heat_cells
    frames = [bundle.pixels.clip_frames] if bundle.pixels.clip_frames > 1 else []
    wanted = [*frames, side, side, 3]
    fits = (
        len(inputs) == 1
        and len(scores) == 1
        and inputs[0].type == "tensor(float)"
        and list(inputs[0].shape[1:]) == wanted
        and not isinstance(inputs[0].shape[0], int)
        and (cells is None or [list(item.shape[1:]) for item in heat] == [[cells, cells]])
    )
    if not fits:
        found = ", ".join(f"{item.name} {item.type} {item.shape}" for item in [*inputs, *outputs])
        maps = "" if cells is None else f" and a heat map of {cells} by {cells} cells"
        raise BundleError(
            f"{bundle.onnx_path} has the inputs and outputs {found}; the manifest describes "
            f"float32 (n, {', '.join(map(str, wanted))}) and one score{maps} per face. Train or "
            "adopt it again"
        )
    return str(inputs[0].name), [str(item.name) for item in [*scores, *heat]]


def _checked_scores(
    raw: npt.NDArray[np.float32], expected: int, model_id: str
) -> npt.NDArray[np.float32]:
    if raw.size != expected:
        raise FramejuryError(f"model {model_id} returned an array {raw.shape} for {expected} faces")
    scores = raw.reshape(expected).astype(np.float32)
    # Every comparison with NaN is false, so this form catches NaN too.
    good = (scores >= -_ROUNDING) & (scores <= 1.0 + _ROUNDING)
    if not good.all():
        worst = scores[~good][0]
        raise FramejuryError(
            f"model {model_id} returned {worst} for a face, not a score from 0 to 1. The network "
            "is damaged, or its training diverged"
        )
    return np.clip(scores, 0.0, 1.0)
