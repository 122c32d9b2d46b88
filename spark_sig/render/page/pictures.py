"""Pictures: numbers of a report as SVG inside the page.

Colours and patterns are the style sheet's.  Widths are shares, so that nothing needs a script.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from spark_sig.render.page.elements import el
from spark_sig.render.page.figures import Family

# The least width of a part that is there, so that it can be seen, as a share.
_THINNEST = 0.008
# Side of a cell of a map, and of its mark by how bad a field is.
_CELL = 10
_MARKS = (3, 5, 7, 9, 10)


class Part(NamedTuple):
    """A part of a bar.

    Args:
        share: its share of the whole, 0 to 1.
        kind: its class in the style sheet.
        family: what its pattern says; none where None.
    """

    share: float
    kind: str
    family: Family | None = None


def patterns() -> Element:
    """Return the patterns that the pictures of a page use, once for all: not colour alone tells."""
    stripes = el(
        "pattern",
        el("path", d="M0 0H3V6H0z"),
        id="pattern-read", width="6", height="6",
        patternUnits="userSpaceOnUse", patternTransform="rotate(45)",
    )  # fmt: skip
    dots = el(
        "pattern",
        el("circle", cx="3", cy="3", r="1.4"),
        id="pattern-assumed", width="6", height="6", patternUnits="userSpaceOnUse",
    )  # fmt: skip
    return el("svg", el("defs", stripes, dots), class_="patterns", aria_hidden="true")


def stacked(name: str, parts: Sequence[Part], title: str, told: str) -> Element:
    """Return a bar of several parts, with its name and its content as text.

    Args:
        name: tells its texts' ids from others of the page.
        parts: shares that add up to one.
        title: what it shows.
        told: its content in words.
    """
    wide = [max(part.share, _THINNEST) if part.share else 0.0 for part in parts]
    total = sum(wide) or 1.0
    drawn: list[Element] = []
    start = 0.0
    for part, width in zip(parts, wide, strict=True):
        drawn += _part(part, start / total, width / total)
        start += width
    return _told(el("svg", drawn, class_="stacked"), name, title, told)


def bar(share: float, kind: str) -> Element:
    """Return a small bar beside the number that it shows, which says all that it does."""
    drawn = _part(Part(share, kind), 0.0, max(share, _THINNEST) if share else 0.0)
    return el("svg", drawn, class_="bar", aria_hidden="true")


def swatch(kind: str, family: Family | None = None) -> Element:
    """Return the colour of a part, for a legend that names it."""
    return el("svg", _part(Part(1.0, kind, family), 0.0, 1.0), class_="swatch", aria_hidden="true")


def field_map(name: str, levels: Sequence[int], title: str, told: str) -> Element:
    """Return a map with a mark for each field, in order.

    Args:
        name: tells its texts' ids from others of the page.
        levels: how bad each field is, 0 for one that holds to 4.
        title: what it shows.
        told: its content in words.
    """
    across = 50 if len(levels) > 250 else 25
    down = -(-len(levels) // across)
    places: dict[int, list[str]] = {}
    for at, level in enumerate(levels):
        side = _MARKS[level]
        x, y = (_CELL * place + (_CELL - side) / 2 for place in (at % across, at // across))
        places.setdefault(level, []).append(f"M{x:g} {y:g}h{side}v{side}h-{side}z")
    drawn = [el("path", d="".join(places[at]), class_=f"level-{at}") for at in sorted(places)]
    view = f"0 0 {across * _CELL} {down * _CELL}"
    return _told(el("svg", drawn, class_="map", viewBox=view), name, title, told)


def _part(part: Part, start: float, width: float) -> list[Element]:
    place = {"x": f"{100 * start:.3f}%", "width": f"{100 * width:.3f}%", "height": "100%"}
    drawn = [el("rect", class_=part.kind, **place)]
    if part.family in (Family.READ, Family.ASSUMED):
        drawn.append(el("rect", fill=f"url(#pattern-{part.family.value})", **place))
    return drawn if width else []


def _told(picture: Element, name: str, title: str, told: str) -> Element:
    picture.insert(0, el("desc", told, id=f"{name}-told"))
    picture.insert(0, el("title", title, id=f"{name}-title"))
    picture.set("role", "img")
    picture.set("aria-labelledby", f"{name}-title {name}-told")
    return picture
