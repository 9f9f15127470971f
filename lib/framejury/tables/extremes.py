"""Choice of the evidence pictures of a video."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from framejury.schemas.statuses import PictureKind

PLACE = ("video_id", "frame_index", "face_index")


def extremes(pictures: DataFrame, count: int) -> DataFrame:
    """Keep each video's most and least suspicious faces and its most suspicious frame.

    Ties keep the earlier picture. Only ids and scores are shuffled, not the pictures.

    Args:
        pictures: rows with `kind`, `PLACE` and `p_fake`, such as rows of `pictures`.
        count: faces to keep at each end.
    """
    each = Window.partitionBy("video_id", "kind")
    place = [F.col(name).asc() for name in PLACE[1:]]
    up, down = (
        F.row_number().over(each.orderBy(score, *place))
        for score in (F.col("p_fake").asc(), F.col("p_fake").desc())
    )
    ranked = pictures.select("kind", *PLACE, up.alias("up"), down.alias("down"))
    is_face = F.col("kind") == PictureKind.FACE.value
    few = F.when(is_face, F.least("up", "down") <= count).otherwise(F.col("down") == 1)
    chosen = ranked.where(few).select("kind", *PLACE)
    same = [pictures[name].eqNullSafe(chosen[name]) for name in chosen.columns]
    return pictures.join(chosen, same, "left_semi")
