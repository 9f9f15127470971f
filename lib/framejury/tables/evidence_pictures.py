"""Evidence pictures: those of faces in the warehouse, and the choice per video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyspark import SparkFiles
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.pandas.types import from_arrow_schema

from framejury.records import Box, Size
from framejury.schemas.statuses import PictureKind
from framejury.schemas.tables import PICTURES
from framejury.settings import EvidenceSettings
from framejury.tables.resources import task_gpu
from framejury.tables.score import SIGNAL_COLUMNS, cropped, scorer_of

PLACE = ("video_id", "frame_index", "face_index")


def pictures_of_faces(
    faces: DataFrame,
    scores: DataFrame,
    bundle: str,
    run_id: str,
    settings: EvidenceSettings,
) -> DataFrame:
    """Return rows of `pictures` with `kind` face; the whole frames are not in the warehouse.

    Args:
        faces: rows of `faces`.
        scores: `face_scores` of all these faces.
        bundle: from `ship_bundle`: the bundle that scored, for heat maps.
        run_id: the run under way.
        settings: how many pictures, how large.
    """

    def kept(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from framejury.examine.kept_pictures import heat_by, heat_share, shown_face
        from framejury.faces.crop import box_in_crop, cut_of_row, encode_crop, limited
        from framejury.model.occlusion import Occlusion

        scorer = scorer_of(SparkFiles.get(bundle), 1, None, task_gpu())
        occlusion = Occlusion(scorer, settings.occlusion_s)
        for batch in batches:
            rows = batch.to_pylist()
            found = [cropped(row, scorer) for row in rows]
            _, heat = scorer.score_and_explain(found)
            for number, (row, face) in enumerate(zip(rows, found, strict=True)):
                small = limited(shown_face(face, scorer), settings.face_px)
                cells = None if heat is None else heat[number]
                if cells is None and settings.occlusion_s:
                    cells = occlusion.heat_of_suspicious(face, row["score"], row["video_id"])
                size = Size(*face.crop.shape[:2])
                box = box_in_crop(Box(**row["box"]), cut_of_row(row), size)
                for name in (*SIGNAL_COLUMNS, "box"):
                    del row[name]
                row |= {
                    "run_id": run_id,
                    "model_id": scorer.bundle.model_id,
                    "kind": PictureKind.FACE.value,
                    "picture": encode_crop(small, "jpeg", settings.jpeg_quality),
                    "heat": None if cells is None else cells.ravel().tolist(),
                    "heat_inside": heat_share(cells, face.crop, box, scorer),
                    "heat_by": heat_by(cells, scorer),
                }
            yield pa.RecordBatch.from_pylist(rows, schema=PICTURES)

    shown = scores.select(*PLACE, "pts_s", "score")
    chosen = extremes(shown.withColumn("kind", F.lit(PictureKind.FACE.value)), settings)
    wanted = faces.select(*PLACE, *SIGNAL_COLUMNS, "box").join(
        chosen.drop("kind"), on=list(PLACE), how="inner"
    )
    return wanted.mapInArrow(kept, from_arrow_schema(PICTURES))


def extremes(pictures: DataFrame, settings: EvidenceSettings) -> DataFrame:
    """Keep each video's most and least suspicious faces, its most suspicious frame and clips.

    Ties keep the earlier picture. Only ids and scores are shuffled, not the pictures.

    Args:
        pictures: rows with `kind`, `PLACE` and `score`, such as rows of `pictures`.
        settings: faces to keep at each end, and clips.
    """
    each = Window.partitionBy("video_id", "kind")
    place = [F.col(name).asc() for name in PLACE[1:]]
    up, down = (
        F.row_number().over(each.orderBy(score, *place))
        for score in (F.col("score").asc(), F.col("score").desc())
    )
    ranked = pictures.select("kind", *PLACE, up.alias("up"), down.alias("down"))
    kind = F.col("kind")
    few = (
        F.when(kind == PictureKind.FACE.value, F.least("up", "down") <= settings.faces)
        .when(kind == PictureKind.CLIP.value, F.col("down") <= settings.clips)
        .otherwise(F.col("down") == 1)
    )
    chosen = ranked.where(few).select("kind", *PLACE)
    same = [pictures[name].eqNullSafe(chosen[name]) for name in chosen.columns]
    return pictures.join(chosen, same, "left_semi")
