"""A verdict rule as Spark columns: aggregations, calibrations, ends of the interval.

Each function names its counterpart in `framejury.verdict`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, fields
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.pandas.functions import arrow_udf
from pyspark.sql.pandas.types import from_arrow_type

from framejury.schemas.tables import STRETCHES
from framejury.verdict.calibration import STEPS, UNITS, Calibration
from framejury.verdict.interval import UNKNOWN, Clusters, bootstrap_shifts
from framejury.verdict.persons import MOST_COMPANY
from framejury.verdict.ranked import TimedScores, ranked_shifts
from framejury.verdict.rule import Reducer
from framejury.verdict.stretches import Moments, stretches_of

_PI = 3.141592653589793


def reduced(reducer: Reducer, shift: Column) -> Column:
    """Return the score as if every face had `shift` more, as `verdict.judge.reduced`.

    Reads the columns `faces`, `frames_scored`, `total`, `worst_person_score`, and `ordered` (sorted
    units) or `weighed` and `weights` if the aggregation needs them.
    """
    if reducer.name == "learned":
        z = F.lit(reducer.intercept)
        for weight, value in zip(reducer.weights, map(_quantile, reducer.quantiles), strict=True):
            z = z + F.lit(weight) * value
        return _in_steps(_sigmoid(z + shift * F.lit(math.fsum(reducer.weights))))
    score = F.least(F.greatest(_plain(reducer) + shift, F.lit(0.0)), F.lit(1.0))
    return _for_company(score, reducer) if reducer.per_person else score


def _for_company(score: Column, reducer: Reducer) -> Column:
    """As `verdict.persons.for_company`."""
    if not reducer.company_shift:
        return score
    faces, frames = F.col("faces"), F.col("frames_scored")
    lowered = _logit(score) - F.lit(reducer.company_shift) * F.log(
        F.least(faces / frames, F.lit(float(MOST_COMPANY)))
    )
    return F.when(faces == frames, score).otherwise(_in_steps(_sigmoid(lowered)))


def highest_track(reducer: Reducer, persons_max: int) -> Column:
    """Return score and number of the face track that decides, as `verdict.persons.track_scores`.

    Both are in one long: the score in units of 1/UNITS**2, times `persons_max`, plus
    `persons_max` - 1 - the number. Reads `faces`, `total` and `tracks`.
    """
    whole, own = (f"(({row}total * {UNITS}) div {row}faces)" for row in ("", "t."))
    filled = f"greatest({reducer.shrink_faces} - t.faces, 0)"
    score = f"(t.faces * {own} + {filled} * {whole}) div (t.faces + {filled})"
    number = f"{persons_max - 1} - t.person"
    return F.expr(f"array_max(transform(tracks, t -> ({score}) * {persons_max} + {number}))")


def interval_clusters(reducer: Reducer) -> Column:
    """Return the moments weighted as by `verdict.judge`, without those of weight 0."""
    moments = F.col("moments")
    if reducer.name == "confidence_weighted":
        return F.transform(
            moments,
            lambda one: F.struct(
                one["second"].alias("second"),
                one["weighed"].alias("total"),
                one["weights"].alias("faces"),
            ),
        )
    if not reducer.one_track:
        return moments
    own = F.filter(moments, lambda one: one["person"] == F.col("worst_person"))
    if not reducer.shrink_faces:
        return own
    faces = F.aggregate(own, F.lit(0).cast("long"), lambda sum_, one: sum_ + one["faces"])
    filled = F.lit(reducer.shrink_faces) - faces

    def weighed(one: Column) -> Column:
        is_own = one["person"] == F.col("worst_person")
        weight = F.when(is_own, F.col("faces") + filled).otherwise(filled)
        sums = ((one[name] * weight).alias(name) for name in ("total", "faces"))
        return F.struct(one["second"].alias("second"), *sums)

    plain = F.transform(
        own, lambda one: F.struct(*(one[name].alias(name) for name in ("second", "total", "faces")))
    )
    return F.when(filled > 0, F.transform(moments, weighed)).otherwise(plain)


def _plain(reducer: Reducer) -> Column:
    faces = F.col("faces")
    if reducer.name == "mean":
        return F.col("total") / (F.lit(UNITS) * faces)
    if reducer.one_track:
        return F.col("worst_person_score")
    if reducer.name == "confidence_weighted":
        return F.col("weighed") / (F.lit(UNITS) * F.col("weights"))
    if reducer.name == "median":
        first = F.floor((faces - 1) / 2)
        last = F.floor(faces / 2)
    elif reducer.name == "trimmed_mean":
        cut = F.floor(faces * F.lit(reducer.trim_ratio) + 1e-9)
        first, last = cut, faces - cut - 1
    else:
        top = F.greatest(F.lit(1), F.ceil(faces * F.lit(reducer.top_ratio) - 1e-9))
        first, last = faces - top, faces - 1
    count = (last - first + 1).cast("int")
    chosen = F.slice("ordered", (first + 1).cast("int"), count)
    total = F.aggregate(chosen, F.lit(0).cast("long"), lambda left, right: left + right)
    return total / (F.lit(UNITS) * count)


def _quantile(quantile: float) -> Column:
    """Return a quantile of the sorted units, interpolated linearly, 0 to 1."""
    place = F.lit(quantile) * (F.col("faces") - 1)
    first = F.floor(place)
    below = F.element_at("ordered", (first + 1).cast("int"))
    above = F.element_at("ordered", F.least(first + 2, F.col("faces")).cast("int"))
    return (below + (place - first) * (above - below)) / F.lit(UNITS)


def calibrated(score: Column, calibration: Calibration | None) -> Column:
    """Calibrate a score, as `verdict.calibration.calibrated`."""
    if calibration is None:
        return score
    if calibration.method == "platt":
        z = F.lit(calibration.slope) * _logit(score) + F.lit(calibration.intercept)
        return _in_steps(_sigmoid(z))
    corners = list(zip(calibration.x, calibration.y, strict=True))
    lines = F.when(score <= F.lit(corners[0][0]), F.lit(corners[0][1]))
    for (x, y), (next_x, next_y) in pairwise(corners):
        slope = (next_y - y) / (next_x - x)
        lines = lines.when(score < F.lit(next_x), F.lit(slope) * (score - x) + F.lit(y))
    return _in_steps(lines.otherwise(F.lit(corners[-1][1])))


def _logit(score: Column) -> Column:
    held = F.least(F.greatest(score, F.lit(1 / UNITS)), F.lit(1 - 1 / UNITS))
    return F.log(held / (1 - held))


def _sigmoid(z: Column) -> Column:
    return 1 / (1 + F.exp(-z))


def _in_steps(score: Column) -> Column:
    return F.floor(score * STEPS + 0.5) / F.lit(STEPS)


def bootstrap(reducer: Reducer, level: float) -> Callable[[Column], Column]:
    """Return `interval.bootstrap_shifts`, or `ranked.ranked_shifts`, as a function of columns.

    Its argument is a column of non-empty arrays of moments, with their `units` if the aggregation
    needs every score; its result a struct of `low` and `high`.
    """

    def shifts(clusters: pa.Array) -> pa.Array:
        parts = clusters.flatten()
        lengths = clusters.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
        second, total, faces = (
            parts.field(name).to_numpy(zero_copy_only=False)
            for name in ("second", "total", "faces")
        )
        if reducer.ordered:
            units = parts.field("units").flatten().to_numpy(zero_copy_only=False)
            every = np.add.reduceat(faces, np.cumsum(lengths) - lengths)
            timed = TimedScores(units.astype(np.int64), np.repeat(second, faces), every)
            found = ranked_shifts(timed, reducer, level)
        else:
            found = bootstrap_shifts(Clusters(second, total, faces, lengths), level)
        ends = [pa.array(found[:, side], pa.float64()) for side in (0, 1)]
        return pa.StructArray.from_arrays(ends, names=["low", "high"])

    # The type hints make this array to array; the overloads also expect a number.
    udf: Callable[[Column], Column] = arrow_udf(shifts, "low double, high double")  # type: ignore[call-overload]
    return udf


def suspicious_stretches(threshold: float) -> Callable[[Column], Column]:
    """Return `stretches.stretches_of` as a function of a column of non-empty arrays of moments."""

    def found(moments: pa.Array) -> pa.Array:
        parts = moments.flatten()
        every = Moments(
            **{
                one.name: parts.field(one.name).to_numpy(zero_copy_only=False)
                for one in fields(Moments)
            }
        )
        lengths = moments.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
        stops = np.cumsum(lengths)
        starts = stops - lengths
        # Most videos have none: they are not visited one by one.
        some = np.logical_or.reduceat(every.means >= threshold, starts)
        rows: list[list[dict[str, Any]]] = [[] for _ in lengths]
        for number in np.flatnonzero(some).tolist():
            part = slice(starts[number], stops[number])
            rows[number] = [asdict(one) for one in stretches_of(every.part(part), threshold)]
        return pa.array(rows, STRETCHES)

    kind = from_arrow_type(STRETCHES)
    udf: Callable[[Column], Column] = arrow_udf(found, kind)  # type: ignore[call-overload]
    return udf


def student_shift(level: float) -> Column:
    """As `verdict.interval.student_shift`; reads counts and sums of the row."""
    faces, frames = F.col("faces_scored"), F.col("frames_scored")
    total, squares = F.col("total").cast("double"), F.col("squares").cast("double")
    variance = F.greatest(squares - total * total / faces, F.lit(0.0))
    variance = variance / (faces - 1) / F.lit(float(UNITS) ** 2)
    half = _student_t(level, frames - 1) * F.sqrt(variance / frames)
    return F.when(frames < 2, F.lit(UNKNOWN[1])).otherwise(half)


def _student_t(level: float, freedom: Column) -> Column:
    """As `verdict.interval.student_t`."""
    p = (1 + level) / 2
    z = NormalDist().inv_cdf(p)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    series = F.lit(z)
    for power, term in enumerate(terms, start=1):
        series = series + F.lit(term) / F.pow(freedom.cast("double"), F.lit(power))
    one = F.tan(F.lit(_PI * (p - 0.5)))
    two = F.lit(2 * (p - 0.5) * (2 / (4 * p * (1 - p))) ** 0.5)
    return F.when(freedom == 1, one).when(freedom == 2, two).otherwise(series)
