"""Print how long each part took, and the totals of all JUnit files below the given folders."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

KINDS = ("tests", "failures", "errors", "skipped")

counts = Counter(dict.fromkeys(KINDS, 0))
times = []
for folder in sys.argv[1:]:
    for file in sorted(Path(folder).glob("*.xml")):
        for suite in ElementTree.parse(file).getroot().iter("testsuite"):
            counts.update({kind: int(suite.get(kind, "0")) for kind in KINDS})
            times.append(f"{file.stem.removeprefix('test-')} {float(suite.get('time', '0')):.0f} s")
total, failed, errors, skipped = (counts[kind] for kind in KINDS)
passed = total - failed - errors - skipped
print(f"== {', '.join(times)}")
print(f"== {passed} passed, {failed} failed, {errors} errors, {skipped} skipped")
