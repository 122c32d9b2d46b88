"""Notebooks: tables as HTML that fits light and dark pages, and folds what is long."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from spark_sig.render.text import cut, printable

# How many rows of a table are seen at once, and how many more unfold; the value has them all.
SEEN = 25
UNFOLDED = 2_000
# How much of a cell is seen, and how much of it in a tip.
_WIDEST = 160
_TIP = 2_000
# Words with no more letters stay whole: tables that break any word break all, to be narrow.
_WORD = 24

# Colours are the page's own: greys that are seen on white and on black, nothing behind them.
_STYLE = """
.spark-sig-nb{line-height:1.45;overflow-x:auto}
.spark-sig-nb table{border-collapse:collapse;margin:.2em 0 .6em;font-size:.92em}
.spark-sig-nb caption{caption-side:top;text-align:left;font-weight:600;padding:.2em 0}
.spark-sig-nb th,.spark-sig-nb td{text-align:left!important;vertical-align:top;\
padding:.15em 1em .15em 0;border:0;border-bottom:1px solid rgba(128,128,128,.35);\
max-width:40em}
.spark-sig-nb .long{overflow-wrap:anywhere;min-width:12em}
.spark-sig-nb th{font-weight:600;opacity:.75}
.spark-sig-nb summary{cursor:pointer;opacity:.75}
.spark-sig-nb .bad{font-weight:600}
""".strip()


def fragment(*parts: str) -> str:
    """Return parts of HTML as one output of a notebook."""
    return f'<div class="spark-sig-nb"><style>{_STYLE}</style>{"".join(parts)}</div>'


def line(text: str, *, bad: bool = False) -> str:
    """Return a line of text; one that is bad stands out."""
    return f'<p class="bad">{shown(text)}</p>' if bad else f"<p>{shown(text)}</p>"


def fold(title: str, html: str) -> str:
    """Return a part of HTML below a title that unfolds it."""
    return f"<details><summary>{shown(title)}</summary>{html}</details>"


def lines(title: str, texts: Sequence[str]) -> str:
    """Return texts as a list below a title; nothing where there are none."""
    if not texts:
        return ""
    items = "".join(f"<li>{shown(text)}</li>" for text in texts[:SEEN])
    if left := len(texts) - SEEN:
        items += f"<li>… and {left:,} more</li>" if left > 0 else ""
    return f"<p>{shown(title)}</p><ul>{items}</ul>"


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    title: str = "",
    *,
    bad: Iterable[int] = (),
    total: int | None = None,
) -> str:
    """Return a table; rows after the first some are folded, those after many left out.

    Args:
        head: names of the columns; none where empty.
        rows: cells; all text in them is escaped.
        title: what stands above it; nothing where empty.
        bad: places of the rows that stand out.
        total: how many rows there are, where ``rows`` are not all.

    Example:
        >>> html = table(["name"], [[f"<{at}>"] for at in range(2_000)])
        >>> html.count("<tr"), "1,975 more" in html, "<0>" in html, "&lt;0&gt;" in html
        (2002, True, False, True)
    """
    total = len(rows) if total is None else total
    marked = set(bad)
    made = [_row(cells, "td", at in marked) for at, cells in enumerate(rows[: SEEN + UNFOLDED])]
    start = f"<thead>{_row(head, 'th')}</thead>" if head else ""
    caption = f"<caption>{shown(title)}</caption>" if title else ""
    seen = f"<table>{caption}{start}<tbody>{''.join(made[:SEEN])}</tbody></table>"
    if total <= SEEN:
        return seen
    beyond = total - len(made)
    rest = f"<table>{start}<tbody>{''.join(made[SEEN:])}</tbody></table>"
    rest += f"<p>… and {beyond:,} more</p>" if beyond else ""
    return seen + fold(f"{total - SEEN:,} more", rest)


def shown(text: str) -> str:
    """Return a text as HTML shows it: escaped, and what would hide or act made visible."""
    return escape(printable(text))


def _row(cells: Iterable[str], tag: str, bad: bool = False) -> str:
    made = "".join(_cell(cell, tag) for cell in cells)
    return f'<tr class="bad">{made}</tr>' if bad else f"<tr>{made}</tr>"


def _cell(text: str, tag: str) -> str:
    whole = printable(text)
    seen = cut(whole, _WIDEST)
    tip = "" if seen == whole else f' title="{escape(whole[:_TIP])}"'
    long = ' class="long"' if any(len(word) > _WORD for word in seen.split()) else ""
    return f"<{tag}{long}{tip}>{escape(seen)}</{tag}>"
