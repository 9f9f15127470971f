"""axe-core run on a page."""

from __future__ import annotations

from typing import Any

DESK = {"width": 1280, "height": 900}
_BAD = ("serious", "critical")


def faults(browser: Any, axe: str, address: str, scheme: str, **options: Any) -> list[str]:
    """Rules that the page breaks, with where."""
    context = browser.new_context(
        **{"viewport": DESK, "color_scheme": scheme, "bypass_csp": True} | options
    )
    page = context.new_page()
    page.goto(address)
    page.evaluate(axe)
    found = page.evaluate("() => axe.run({ resultTypes: ['violations'] })")
    context.close()
    assert found["testEngine"]["name"] == "axe-core"
    return [
        f"{one['impact']} {one['id']}: {node['html'][:150]} {node['failureSummary'][:200]}"
        for one in found["violations"]
        if one["impact"] in _BAD
        for node in one["nodes"][:3]
    ]
