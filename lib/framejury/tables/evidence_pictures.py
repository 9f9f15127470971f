"""Evidence pictures of faces whose crops are in the warehouse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from framejury.schemas.statuses import PictureKind
from framejury.schemas.tables import PICTURES
from framejury.settings import EvidenceSettings
from framejury.tables.extremes import PLACE, extremes
from framejury.tables.resources import task_gpu
from framejury.tables.score import SIGNAL_COLUMNS, cropped, scorer_of
from framejury.tables.shipping import ShippedBundle
from framejury.tables.spark_schema import spark_schema


def pictures_of_faces(
    faces: DataFrame,
    scores: DataFrame,
    bundle: ShippedBundle,
    run_id: str,
    settings: EvidenceSettings,
) -> DataFrame:
    """Return rows of `pictures` with `kind` face; the whole frames are not in the warehouse.

    Args:
        faces: rows of `faces`.
        scores: `face_scores` of all these faces.
        bundle: the bundle that scored, for heat maps.
        run_id: the run under way.
        settings: how many pictures, how large.
    """

    def kept(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from framejury.examine.kept_pictures import shown_face
        from framejury.faces.crop import encode_crop, limited

        scorer = scorer_of(bundle.local_dir(), 1, None, task_gpu())
        for batch in batches:
            rows = batch.to_pylist()
            found = [cropped(row, scorer) for row in rows]
            _, heat = scorer.score_and_explain(found)
            for number, (row, face) in enumerate(zip(rows, found, strict=True)):
                small = limited(shown_face(face, scorer), settings.face_px)
                for name in SIGNAL_COLUMNS:
                    del row[name]
                row |= {
                    "run_id": run_id,
                    "model_id": scorer.bundle.model_id,
                    "kind": PictureKind.FACE.value,
                    "picture": encode_crop(small, "jpeg", settings.jpeg_quality),
                    "heat": None if heat is None else heat[number].ravel().tolist(),
                }
            yield pa.RecordBatch.from_pylist(rows, schema=PICTURES)

    shown = scores.select(*PLACE, "pts_s", "p_fake")
    chosen = extremes(shown.withColumn("kind", F.lit(PictureKind.FACE.value)), settings.faces)
    wanted = faces.select(*PLACE, *SIGNAL_COLUMNS).join(
        chosen.drop("kind"), on=list(PLACE), how="inner"
    )
    return wanted.mapInArrow(kept, spark_schema(PICTURES))
