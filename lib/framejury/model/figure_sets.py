"""Which videos a bundle's figures are about: the names of its `metrics`, written and read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

KnownOrNot = Literal[
    "known methods",
    "unknown methods",
    "known methods with sampled faces",
    "unknown methods with sampled faces",
]
Kind = Literal["all", "data set", "method"] | KnownOrNot
KNOWN_OR_NOT: tuple[KnownOrNot, ...] = get_args(KnownOrNot)
OF_FAKES: tuple[Kind, ...] = ("method", *KNOWN_OR_NOT)
"""Kinds whose figures are about some fakes, against reals."""
_NAME = re.compile(rf"(\w+)(?:, ({'|'.join(KNOWN_OR_NOT)})|, (.+), method (.+)|, (.+))?", re.S)


@dataclass(frozen=True)
class FigureSet:
    """The videos of a split, of one data set in it, or the fakes of a method in it and reals.

    Attributes:
        split: train, val or test.
        kind: all: of the split, without face sets; known methods: its fakes of methods that the
            network was trained on, with all reals of the split; with sampled faces: the same, with
            the videos of which only a few sampled faces are stored.
        data_set: where `kind` is a data set or method.
        method: where `kind` is method: its fakes in the data set, with the reals of the data set,
            or of the split where the data set has none.
    """

    split: str
    kind: Kind = "all"
    data_set: str = ""
    method: str = ""

    def __str__(self) -> str:
        """Return its name in `Manifest.metrics`."""
        if self.kind == "all":
            return self.split
        if self.kind == "method":
            return f"{self.split}, {self.data_set}, method {self.method}"
        return f"{self.split}, {self.data_set or self.kind}"

    @classmethod
    def of(cls, name: str) -> FigureSet:
        """Read a name back; any name that is none of these counts as a whole split."""
        found = _NAME.fullmatch(name)
        if found is None:
            return cls(name)
        split, known, of_method, method, data_set = found.groups()
        if known is not None:
            return cls(split, next(kind for kind in KNOWN_OR_NOT if kind == known))
        if method is not None:
            return cls(split, "method", of_method, method)
        return cls(split, "data set", data_set) if data_set is not None else cls(split)
