"""What a plan says, without Spark."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from framejury.night.plan import REASON, NightPlan


def test_the_cost_of_each_of_several_networks_is_said() -> None:
    videos = pa.table({REASON: ["new", "new"], "bytes": [10, 20]})
    plan = NightPlan(videos, np.ones(2), np.zeros(2, np.int64), 2, None)
    assert not any("networks" in line for line in plan.lines(5))
    costly = NightPlan(
        videos, np.ones(2), np.zeros(2, np.int64), 2, None, networks_s={"a": 0.25, "b": 0.5}
    )
    (line,) = [one for one in costly.lines(5) if "networks" in one]
    assert line.strip() == (
        "2 networks score each face, about 0.75 s per video on one core: 0.25 s a, 0.50 s b"
    )
