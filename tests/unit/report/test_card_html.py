"""The model card as HTML: what `model.card` writes is set, and nothing else becomes markup."""

from __future__ import annotations

import time
from pathlib import Path

from framejury.report.card_html import card_html
from tests.builders.reports import ATTACKS, Page

CARD = Path(__file__).parents[3] / "models" / "detector" / "MODEL_CARD.md"
SPLITS = """
| split | figure | value | interval |
| --- | --- | --- | --- |
| val | video_auc | 0.9 | not computed |
| val | video_fpr | 0.1 | not computed |
| test | video_auc | 0.8 | 0.7 to 0.9 (95%) |
"""


def test_the_card_that_ships_is_set_whole() -> None:
    card = CARD.read_text(encoding="utf-8")
    page = Page(card_html(card))
    for sign in ("##", "**", "`", "| ", "---"):
        assert sign not in page.text, sign
    assert page.tags.count("h3") == 1 and page.tags.count("h4") >= 8
    assert {"p", "ul", "li", "code", "table", "caption"} <= set(page.tags)
    # The table of all figures becomes one per split and data set.
    figures = card.partition("| split | figure |")[2].partition("\n\n")[0]
    splits = {line.split(" | ")[0] for line in figures.splitlines()[2:]}
    assert page.tags.count("table") == card.count("\n| --- |") - 1 + len(splits)
    assert "Split test, celebdf" in page.text


def test_one_table_per_split_without_empty_columns() -> None:
    html = card_html(SPLITS)
    assert html.count("<table>") == 2
    val, test = html.split("<table>")[1:]
    assert "<caption>Split val</caption>" in val and "interval" not in val
    assert "<caption>Split test</caption>" in test and "0.7 to 0.9 (95%)" in test
    assert val.count("<tr>") == 1 + 2 and test.count("<tr>") == 1 + 1


def test_words_in_code_and_in_bold() -> None:
    assert card_html("a `b **c**` **d & e**") == ("<p>a <code>b **c**</code> <b>d &amp; e</b></p>")


def test_an_attack_stays_text_wherever_it_stands() -> None:
    for attack in ATTACKS:
        line = attack.replace("\n", " ").replace("`", "").replace("|", "")
        card = f"# {line}\n\n{line} `{line}` **{line}**\n\n- {line}\n\n| split | figure |\n"
        card += f"| --- | --- |\n| {line} | {line} |\n"
        page = Page(card_html(card))
        assert set(page.tags) <= {
            *("h3", "p", "code", "b", "ul", "li"),
            *("div", "table", "caption", "thead", "tbody", "tr", "th", "td"),
        }
        assert {name for name, _ in page.attributes} <= {
            *("class", "tabindex", "role", "aria-label", "scope"),
        }
    for link in (
        "[a](javascript:alert(1))",
        "<https://a.example>",
        "![x](https://a.example/x.png)",
    ):
        assert not {"a", "img"} & set(Page(card_html(link)).tags)


def test_a_hostile_card_costs_no_time() -> None:
    start = time.monotonic()
    for text in ("|" + "-" * 10**6 + "x", "`" * 10**6, "**a" * 10**6, "|" * 10**5, "#" * 10**6):
        card_html(f"| split | figure |\n{text}")
    assert time.monotonic() - start < 20
