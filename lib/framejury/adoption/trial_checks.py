"""What is tried of a foreign network before it becomes a bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from framejury.adoption.description import Description
from framejury.adoption.network_facts import NetworkFacts
from framejury.adoption.trial import Trial, TrialError, TrialScores
from framejury.errors import BundleError
from framejury.machine.check import Check
from framejury.media.drawn_face import drawn_face
from framejury.model.manifest import Bundle
from framejury.records import Image, Size
from framejury.settings import LimitSettings
from framejury.signals.rgb import stretched

AGREEMENT = 1e-4
"""Largest difference of a score between one face per call and several."""

_SEVERAL = 8
_ROUNDING = 1e-6
_SLOW_RATIO = 10
_DRAWN = Size(240, 240)

Report = Callable[[Check], None]
Pixels = npt.NDArray[np.uint8]


def try_network(
    network: Path,
    description: Description,
    facts: NetworkFacts,
    *,
    limits: LimitSettings,
    shipped: Bundle | None,
    report: Report,
) -> int | None:
    """Run a network in a child process; report each check as it is made.

    Args:
        network: an ONNX file with framejury's input and output.
        description: completed.
        facts: of the network as it was given.
        limits: of the process that will judge.
        shipped: the bundle to compare its cost with; None: there is none.
        report: gets each check.

    Returns:
        most faces per call of the network; None: any number.

    Raises:
        BundleError: it cannot be used; the message says why and what to do.
    """
    pictures = trial_pictures(description)
    with Trial(network, limits) as trial:
        report(Check("loads", "ok", f"in ONNX Runtime on the CPU, {_mebibytes(network)}"))
        single = _one_by_one(trial, pictures, facts)
        _check_range(single.scores, report)
        if single.scores.tobytes() != trial.run(pictures, 1).scores.tobytes():
            raise BundleError(
                "the network gives other scores for the same faces the second time: it draws "
                "random numbers. Export it in inference mode (PyTorch: model.eval())"
            )
        report(Check("repeatable", "ok", f"the same {len(pictures)} scores twice, bit by bit"))
        limit = _batch_limit(
            trial, pictures, single, description=description, facts=facts, report=report
        )
        _report_cost(trial, pictures, limit, limits=limits, shipped=shipped, report=report)
    return limit


def trial_pictures(description: Description) -> Pixels:
    """Return faces to try a network with: noise, black, white, grey and a drawn face.

    Returns:
        uint8 (8, side, side, 3) RGB; of clips (8, frames, side, side, 3), all frames alike.
    """
    side = description.input.side_px
    assert side is not None
    noise = np.random.default_rng(0).integers(0, 256, (4, side, side, 3), np.uint8)
    plain = [np.full((side, side, 3), value, np.uint8) for value in (0, 255, 128)]
    return as_input([*noise, *plain, stretched(drawn_face(_DRAWN), side)], description.frames)


def as_input(pictures: Sequence[Image], frames: int) -> Pixels:
    """Stack pictures as the input of a network; a clip shows one picture `frames` times."""
    stacked = np.stack(pictures)
    return stacked if frames == 1 else np.repeat(stacked[:, None], frames, axis=1)


def _one_by_one(trial: Trial, pictures: Pixels, facts: NetworkFacts) -> TrialScores:
    try:
        return trial.run(pictures, 1)
    except TrialError as error:
        if facts.batch in (None, 1):
            raise
        raise BundleError(
            f"{facts.file_name} is made for exactly {facts.batch} faces per call, and cannot take "
            f"another number ({error}). Export it with a dynamic batch, or for 1"
        ) from None


def _check_range(scores: npt.NDArray[np.float32], report: Report) -> None:
    if not np.isfinite(scores).all():
        raise BundleError(
            "the network gives scores that are not numbers for noise, black or white pictures: its "
            "weights are damaged, or input.scale, mean and deviation are not those of its training"
        )
    low, high = float(scores.min()), float(scores.max())
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise BundleError(
            f"the network gives scores from {low:.3g} to {high:.3g}, not 0 to 1: is output.gives "
            "logit or logits?"
        )
    found = f"{low:.4f} to {high:.4f} on noise, black, white and a drawn face"
    if high - low < _ROUNDING:
        report(
            Check(
                "scores",
                "warning",
                found,
                "it gives all of them the same score: compare input.scale, mean and deviation with "
                "its training",
            )
        )
    else:
        report(Check("scores", "ok", found))


def _batch_limit(
    trial: Trial,
    pictures: Pixels,
    single: TrialScores,
    *,
    description: Description,
    facts: NetworkFacts,
    report: Report,
) -> int | None:
    """Return the most faces per call that give the same scores as one; None: any number."""
    given = description.batch_limit
    if given == 1:
        report(Check("batch", "ok", "1 face per call, as described"))
        return 1
    several = min(given or _SEVERAL, _SEVERAL)
    reason = ""
    try:
        difference = float(np.abs(trial.run(pictures, several).scores - single.scores).max())
        if difference > AGREEMENT:
            reason = f"scores differ by {difference:.2g} from those of single faces"
    except TrialError as error:
        reason = str(error)
    if not reason:
        found = f"1 and {several} faces per call agree within {difference:.1e}"
        report(Check("batch", "ok", found if given is None else f"{found}; at most {given}"))
        return given
    if facts.batch == 1:
        report(Check("batch", "ok", f"1 face per call, as exported ({several}: {reason})"))
        return 1
    raise BundleError(
        f"with {several} faces per call: {reason}. Write batch_limit: 1 into the description, or "
        "export the network so that faces of one call do not influence each other"
    )


def _report_cost(
    trial: Trial,
    pictures: Pixels,
    limit: int | None,
    *,
    limits: LimitSettings,
    shipped: Bundle | None,
    report: Report,
) -> None:
    own_s, peak = _cost(trial, pictures, limit)
    memory = "unknown memory" if peak is None else f"{peak / 2**20:,.0f} MiB in all"
    found = f"{own_s * 1000:,.1f} ms per face on one core, {memory}"
    if shipped is None:
        report(Check("cost", "ok", found))
        return
    side = shipped.input_px
    noise = np.random.default_rng(0).integers(0, 256, (len(pictures), side, side, 3), np.uint8)
    with Trial(shipped.onnx_path, limits) as other:
        shipped_s, _ = _cost(other, noise, None)
    ratio = own_s / shipped_s
    found += f"; {ratio:.2g} times {shipped.model_id} ({shipped_s * 1000:,.1f} ms)"
    to_do = "plan for it, or judge fewer frames (--set sampling.frames=11)"
    slow = ratio >= _SLOW_RATIO
    report(Check("cost", "warning" if slow else "ok", found, to_do if slow else ""))


def _cost(trial: Trial, pictures: Pixels, limit: int | None) -> tuple[float, int | None]:
    """Return the seconds per face, and the most memory held, once everything is warm."""
    batch = limit or 4
    trial.run(pictures, batch)
    return trial.run(pictures, batch).seconds / len(pictures), trial.peak_memory_bytes()


def _mebibytes(path: Path) -> str:
    return f"{path.stat().st_size / 2**20:,.1f} MiB"
