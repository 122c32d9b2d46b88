"""Elements: HTML as a tree, so that no text in it can be markup.

The standard library writes the tree, and escapes all text and all attributes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias
from xml.etree.ElementTree import Element, tostring

from spark_sig.render.text import printable

Child: TypeAlias = "str | Element | Iterable[str | Element | None] | None"


def el(tag: str, *children: Child, **attributes: str | bool | None) -> Element:
    """Return an element; characters that act on a terminal or hide are shown escaped.

    Args:
        tag: its name.
        children: text and elements, in order; None is left out.
        attributes: ``class_`` stands for ``class`` and ``aria_label`` for ``aria-label``; True has
            no value, False and None are left out.

    Example:
        >>> written(el("p", "1 < 2", el("br"), "end", class_="a & b"))
        '<p class="a &amp; b">1 &lt; 2<br>end</p>'
    """
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None and value is not False:
            shown = "" if value is True else printable(value)
            made.set(name.rstrip("_").replace("_", "-"), shown)
    for child in children:
        if child is None or isinstance(child, (str, Element)):
            _append(made, child)
        else:
            for one in child:
                _append(made, one)
    return made


def style(css: str) -> Element:
    """Return a style sheet of our own, which HTML takes as it is."""
    assert "</" not in css
    made = Element("style")
    made.text = css
    return made


def _append(parent: Element, child: str | Element | None) -> None:
    if isinstance(child, Element):
        parent.append(child)
    elif child:
        shown = printable(child)
        if len(parent):
            last = parent[-1]
            last.tail = (last.tail or "") + shown
        else:
            parent.text = (parent.text or "") + shown


def written(element: Element) -> str:
    """Return an element as HTML."""
    return tostring(element, encoding="unicode", method="html")
