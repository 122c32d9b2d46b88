"""Pages of reports, as a parser and as a browser see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

# Elements that HTML never closes.
VOID = {"meta", "link", "br"}


@dataclass(eq=False)
class Node:
    """One element: its name, attributes, and what is in it, in order."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Node | str] = field(default_factory=list)

    def all(self, *tags: str) -> list[Node]:
        """The elements within, in the page's order; of these names only, where any is given."""
        return [one for one in self.walk() if not tags or one.tag in tags]

    def walk(self) -> Iterator[Node]:
        """The elements within, in the page's order."""
        todo = self.children[::-1]
        while todo:
            if isinstance(one := todo.pop(), Node):
                yield one
                todo += one.children[::-1]

    def of(self, kind: str) -> list[Node]:
        """The elements within that are of a class."""
        return [one for one in self.all() if kind in one.attributes.get("class", "").split()]

    @property
    def text(self) -> str:
        """All text within, but for style sheets."""
        if self.tag == "style":
            return ""
        return "".join(one if isinstance(one, str) else one.text for one in self.children)


class Reader(HTMLParser):
    """Reads a page strictly: every tag that is opened is closed once, in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("")
        self.open = [self.root]
        self.declared: list[str] = []

    def handle_decl(self, decl: str) -> None:
        self.declared.append(decl)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names)
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a page has no comments: {data}")


def read_page(html: str) -> Node:
    """Parse a page, and return its ``html`` element."""
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.declared == ["DOCTYPE html"]
    assert reader.open == [reader.root]
    [root] = reader.root.all("html")
    assert root in reader.root.children
    return root


def outline(node: Node, depth: int = 0) -> list[list[Any]]:
    """Return depth and name of every element, as ``OUTLINE`` does in a browser."""
    found: list[list[Any]] = [[depth, node.tag]]
    for child in node.children:
        if isinstance(child, Node):
            found += outline(child, depth + 1)
    return found


# What a browser made of a page: where its rules had to mend one, elements move or appear.
OUTLINE = """() => {
  const walk = (node, depth) => [[depth, node.localName.toLowerCase()]].concat(
    ...[...node.children].map(child => walk(child, depth + 1)));
  return walk(document.documentElement, 0);
}"""

# Texts that can be seen with less contrast than asked for, and the least that any has (WCAG 2.2,
# success criterion 1.4.3; the formula is that of relative luminance).
CONTRASTS = """() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(c => c / 255)
      .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ratio = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  const ground = node => {
    for (; node; node = node.parentElement) {
      const [r, g, b, a = 1] = rgb(getComputedStyle(node).backgroundColor);
      if (a === 1) return [r, g, b];
      if (a !== 0) throw new Error("a ground that is half transparent");
    }
    throw new Error("no ground");
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || node.closest("svg") || !node.checkVisibility()) continue;
    const colour = rgb(getComputedStyle(node).color).slice(0, 3);
    found.push([ratio(colour, ground(node)), texts.currentNode.data.slice(0, 40)]);
  }
  for (const node of document.querySelectorAll("svg rect[class], svg path[class]")) {
    if (!node.checkVisibility()) continue;
    const colour = rgb(getComputedStyle(node).fill).slice(0, 3);
    // a picture needs 3:1 (1.4.11), of 4.5:1 two thirds
    found.push([ratio(colour, ground(node)) * 1.5, node.getAttribute("class")]);
  }
  return found.sort((a, b) => a[0] - b[0]);
}"""
