"""explain: show what made the network suspect the most suspicious faces of a video."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from framejury.cli.judging_options import Judging
from framejury.cli.options import run_command
from framejury.cli.outputs import new_folder
from framejury.cli.video_files import video_places
from framejury.errors import BundleError, UsageError
from framejury.examine.kept_pictures import shown_face
from framejury.examine.messages import TABLE_COLUMN, ExaminePlan, VideoJob, face_scores_of
from framejury.examine.worker import Examiner
from framejury.faces.crop import cropped_face, encode_crop
from framejury.logs import say
from framejury.model.ensemble_scorer import require_one_framing, scorer_for
from framejury.model.manifest import Bundle
from framejury.model.occlusion import Occlusion
from framejury.model.overlay import overlay
from framejury.parsers.explain import parser
from framejury.records import CroppedFace, Image
from framejury.settings import Settings
from framejury.signals.rgb import network_input

_SHOWN_PX = 320
_STRIP_PX = 28


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    if args.faces < 1:
        raise UsageError(f"--faces must be at least 1, got {args.faces}")
    (place,) = video_places([args.video])
    output = new_folder(args.output)
    judging = Judging.from_args(args)
    bundle = judging.bundle
    require_one_framing(bundle)
    examined = _examined(place, bundle, judging.settings)
    faces = _most_suspicious(examined, bundle.model_id, args.faces)
    scorer = scorer_for(bundle)
    _, heats = scorer.score_and_explain([face for _, face in faces])
    occlusion = Occlusion(scorer, math.inf)
    if not scorer.gives_heat:
        say("  the network gives no heat maps: covering parts of each face to make them")
    output.mkdir(parents=True, exist_ok=True)
    for rank, (row, face) in enumerate(faces, start=1):
        heat = occlusion.heat(face) if heats is None else heats[rank - 1]
        if heat is None:
            raise BundleError(f"{bundle.model_id} gives heat maps that cannot be used")
        frame, pts_s, score = row["frame_index"], row["pts_s"], row["score"]
        picture = shown_face(face, scorer)
        target = output / f"face-{frame:06d}-{rank}.png"
        text = f"frame {frame}   {pts_s:.2f} s   score {score:.3f}"
        target.write_bytes(encode_crop(_sheet(picture, overlay(picture, heat), text), "png"))
        print(f"{target}: frame {frame} at {pts_s:.2f} s, score {score:.3f}")
    say(f"  {len(faces)} faces by {bundle.model_id}, the most suspicious first")
    return 0


def _examined(uri: str, bundle: Bundle, settings: Settings) -> pa.RecordBatch:
    """Return the rows of the video, crops as PNG: lossless, so the pixels are those scored."""
    crops = settings.crops.model_copy(update={"format": "png"})
    settings = settings.model_copy(update={"crops": crops}).without_evidence()
    plan = ExaminePlan(
        "explain", settings.model_dump(mode="json"), str(bundle.directory), keep_crops=True
    )
    with Examiner(plan) as examiner:
        return examiner.examine(VideoJob(video_id=uri, uri=uri))


def _most_suspicious(
    rows: pa.RecordBatch, model_id: str, count: int
) -> list[tuple[Mapping[str, Any], CroppedFace]]:
    """Return rows of up to `count` scores with their faces, the highest first; ties keep the order.

    Raises:
        UsageError: no face of the video was scored; the message gives its status.
    """
    extraction, *others = rows.to_pylist()
    at = ("frame_index", "face_index")
    faces = {tuple(row[name] for name in at): row for row in others if row[TABLE_COLUMN] == "faces"}
    scores = face_scores_of(others, model_id)
    if not scores:
        reason = f": {extraction['error']}" if extraction["error"] else ""
        raise UsageError(
            f"{extraction['video_id']} has no face to explain ({extraction['status']}{reason})"
        )
    scores.sort(key=lambda row: (-row["score"], *(row[name] for name in at)))
    return [(row, cropped_face(faces[tuple(row[name] for name in at)])) for row in scores[:count]]


def _sheet(plain: Image, heated: Image, text: str) -> Image:
    """Return both pictures side by side above a line of text: uint8 (348, 640, 3) RGB."""
    pictures = [network_input(picture, _SHOWN_PX) for picture in (plain, heated)]
    strip = np.full((_STRIP_PX, 2 * _SHOWN_PX, 3), 255, np.uint8)
    place = 8, _STRIP_PX - 9
    cv2.putText(strip, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([np.concatenate(pictures, axis=1), strip])


if __name__ == "__main__":
    sys.exit(main())
