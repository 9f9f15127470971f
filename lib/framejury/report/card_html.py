"""The model card as HTML: the part of Markdown that `model.card` writes. Pure.

A bundle comes from anywhere, so its text is escaped before anything else, and nothing in it becomes
a link, a picture or markup of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from markupsafe import Markup, escape

from framejury.redaction import printable

_HEADING = re.compile(r"(#{1,6}) +(.*)")
_CODE = re.compile(r"`([^`]+)`")
_BOLD = re.compile(r"\*\*([^*]+)\*\*")
_PER_SPLIT = ("split", "figure")
"""How a table of figures begins; it becomes one table per split."""
_NOT_COMPUTED = "not computed"


def card_html(card: str) -> Markup:
    """Return headings, lists, tables, paragraphs, `code` and **bold** of a card as HTML.

    Its headings begin at `h3`, below those of the page.
    """
    lines = [line.rstrip() for line in card.split("\n")]
    return Markup("\n").join(_blocks(lines))


def _blocks(lines: Sequence[str]) -> Iterator[Markup]:
    for kind, group in groupby(lines, _kind):
        found = list(group)
        if kind == "heading":
            yield from (_heading(line) for line in found)
        elif kind == "list":
            items = Markup("").join(
                Markup("<li>{}</li>").format(_inline(line.lstrip()[2:])) for line in found
            )
            yield Markup("<ul>{}</ul>").format(items)
        elif kind == "table":
            yield from _tables([_cells(line) for line in found])
        elif kind == "text":
            yield Markup("<p>{}</p>").format(_inline(" ".join(found)))


def _kind(line: str) -> str:
    if not line.strip():
        return "none"
    if _HEADING.fullmatch(line):
        return "heading"
    if line.lstrip().startswith(("- ", "* ")):
        return "list"
    return "table" if line.startswith("|") else "text"


def _heading(line: str) -> Markup:
    found = _HEADING.fullmatch(line)
    assert found is not None
    level = min(len(found[1]) + 2, 6)
    return Markup("<h{0}>{1}</h{0}>").format(level, _inline(found[2]))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _tables(rows: Sequence[Sequence[str]]) -> Iterator[Markup]:
    """Yield one table, or for figures one per split, in the order of the card."""
    header, *body = rows
    if body and set("".join(body[0])) <= set("-: "):
        body = body[1:]
    if tuple(header[:2]) != _PER_SPLIT:
        yield _table("", header, body)
        return
    tables = [
        _table(f"Split {split}", *_without_empty(header[1:], [row[1:] for row in group]))
        for split, group in groupby(body, lambda row: row[0])
    ]
    yield Markup('<div class="pair">{}</div>').format(Markup("").join(tables))


def _without_empty(
    header: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Leave out the last column where no row has a value in it."""
    if len(header) > 1 and all(row[-1:] == [_NOT_COMPUTED] for row in rows):
        return header[:-1], [row[:-1] for row in rows]
    return header, rows


def _table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(_inline(one)) for one in header)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(Markup("<td>{}</td>").format(_inline(one)) for one in row)
        )
        for row in rows
    )
    title = Markup("<caption>{}</caption>").format(_inline(caption)) if caption else ""
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="{}">'
        "<table>{}<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(printable(caption or "Table of the model card"), title, head, body)


def _inline(text: str) -> Markup:
    """Escape a text, then set its `code` and its **bold**."""
    parts = _CODE.split(str(escape(printable(text))))
    found = [
        f"<code>{part}</code>" if number % 2 else _BOLD.sub(r"<b>\1</b>", part)
        for number, part in enumerate(parts)
    ]
    return Markup("".join(found))
