"""YAML documents with the place of all that stands on their first two levels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from spark_sig.errors import SignatureError

MAX_DEPTH = 100
MAX_NODES = 100_000
NULL = "tag:yaml.org,2002:null"
STR = "tag:yaml.org,2002:str"
BREAK = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader; only its parser and its reading of plain scalars are used."""

    def tag_of(self, event: yaml.ScalarEvent) -> str:
        # types-PyYAML leaves `resolve` untyped.
        return str(self.resolve(yaml.ScalarNode, event.value, event.implicit))  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the text; line and column count from 0."""

    index: int
    line: int
    column: int


def _start(event: yaml.Event) -> Mark:
    mark: Any = event.start_mark
    return Mark(mark.index, mark.line, mark.column)


def _stop(event: yaml.Event) -> Mark:
    mark: Any = event.end_mark
    return Mark(mark.index, mark.line, mark.column)


@dataclass
class Node:
    """One node of the document: where it begins and ends, and what stands there."""

    start: Mark
    end: int
    kind: str
    text: str = ""
    tag: str = ""
    style: str | None = None
    anchored: bool = False
    entries: list[tuple[Node, Node]] = field(default_factory=list)
    flow: bool = False

    def get(self, key: str) -> Node | None:
        """Return the value of a key; None where the key is not there."""
        return next((value for name, value in self.entries if name.text == key), None)


def decode(content: bytes, path: Path) -> str:
    """Return the text of a file.

    Raises:
        SignatureError: where it is not UTF-8; names the line.
    """
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SignatureError("the file is not UTF-8", path=f"{path}, line {line}") from error


def parse_yaml(text: str, path: Path) -> Node:
    """Read the top level of the document from its events, so that nothing ever recurses.

    Duplicate keys, tags and aliases are looked at on every level; entries are kept for the first
    two, which is where the signature is.

    Args:
        text: the document, with the line ends of the file.
        path: where it comes from, for errors.

    Raises:
        SignatureError: where it is no mapping that can be trusted; names the line.

    Example:
        >>> node = parse_yaml("a: 1", Path("MLmodel")).get("a")
        >>> node and (node.text, node.start.index, node.end)
        ('1', 3, 4)
    """
    try:
        root = Parser(text, path).document()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else _line_of(text, error)
        problem = getattr(error, "problem", None) or getattr(error, "reason", "not readable")
        where = f"{path}, line {line}"
        raise SignatureError(f"the file is no YAML: {problem}", path=where) from None
    if root is None or root.kind != "mapping":
        raise SignatureError("the file is no MLmodel", path=f"{path}, line 1", expected="a mapping")
    return root


class Parser:
    """One pass over the events of one document: once :meth:`document`, or once :meth:`events`."""

    def __init__(self, text: str, path: Path) -> None:
        self.path = path
        self.loader = _Loader(text)
        self.sizes: dict[str, int] = {}

    def document(self) -> Node | None:
        """Return the root node; None where there is none."""
        open_nodes: list[_Open] = []
        root: Node | None = None
        documents = nodes = 0
        for event in self.events():
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1 or event.tags:
                    raise refused(
                        "a second document, or a directive for tags", self.path, _start(event)
                    )
                continue
            if not isinstance(event, (yaml.NodeEvent, yaml.CollectionEndEvent)):
                continue
            nodes += 1
            if nodes > MAX_NODES:
                raise refused("the document is too large", self.path, _start(event))
            if isinstance(event, yaml.CollectionEndEvent):
                done = open_nodes.pop()
                self.close(done, event)
            else:
                self.check(event)
                done = self.open(event, open_nodes[-1] if open_nodes else None)
                if isinstance(event, yaml.CollectionStartEvent):
                    open_nodes.append(done)
                    if len(open_nodes) > MAX_DEPTH:
                        raise refused("the document nests too deeply", self.path, _start(event))
                    continue
            if open_nodes:
                open_nodes[-1].add(done, self.path)
            else:
                root = done.value
        return root

    def events(self) -> Iterator[yaml.Event]:
        """Yield the events of the text, unchecked."""
        try:
            while self.loader.check_event():
                yield self.loader.get_event()  # type: ignore[no-untyped-call]
        finally:
            self.loader.dispose()

    def check(self, event: yaml.NodeEvent) -> None:
        if getattr(event, "tag", None) is not None:
            tag = str(getattr(event, "tag", ""))[:80]
            raise refused(f"the tag {tag!r} is refused", self.path, _start(event))

    def open(self, event: yaml.NodeEvent, parent: _Open | None) -> _Open:
        start, end = _start(event), _stop(event)
        value = Node(start, end.index, "scalar", anchored=event.anchor is not None)
        opened = _Open(value, depth=parent.depth + 1 if parent else 0, anchor=event.anchor)
        if isinstance(event, yaml.AliasEvent):
            value.kind, opened.anchor = "alias", None
            if event.anchor not in self.sizes:
                raise refused("an alias of itself", self.path, start)
            opened.size = self.sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            value.text, value.style = event.value, event.style
            value.tag = self.loader.tag_of(event)
            self.close(opened, event)
        elif isinstance(event, yaml.CollectionStartEvent):
            value.kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "sequence"
            value.flow = bool(event.flow_style)
        return opened

    def close(self, done: _Open, event: yaml.Event) -> None:
        # The end of a block collection is the beginning of what follows, beyond comments: its
        # own end is that of the last node in it.
        if isinstance(event, yaml.CollectionEndEvent) and done.value.flow:
            done.value.end = _stop(event).index
        if done.size > MAX_NODES:
            raise refused("aliases multiply the document", self.path, _start(event))
        if done.anchor is not None:
            self.sizes[done.anchor] = done.size


@dataclass
class _Open:
    """A node on its way: what is known of it until it ends."""

    value: Node
    depth: int
    anchor: str | None
    size: int = 1
    key: Node | None = None
    seen: set[tuple[str, str]] = field(default_factory=set)

    def add(self, child: _Open, path: Path) -> None:
        self.size += child.size
        value = self.value
        value.anchored = value.anchored or child.value.anchored or child.value.kind == "alias"
        if not value.flow:
            value.end = max(value.end, child.value.end)
        if value.kind != "mapping":
            return
        if self.key is not None:
            if self.depth < 2:
                value.entries.append((self.key, child.value))
            self.key = None
            return
        key = child.value
        if key.kind != "scalar":
            raise refused("a key must be a plain word", path, key.start)
        if (key.tag, key.text) in self.seen:
            raise refused(f"the key {key.text[:80]!r} is there twice", path, key.start)
        if self.depth == 0 and key.text == "<<" and key.style is None:
            raise refused("a merge at the top level is refused", path, key.start)
        self.seen.add((key.tag, key.text))
        self.key = key


def _line_of(text: str, error: yaml.YAMLError) -> int:
    position = getattr(error, "position", None)
    return 1 if position is None else len(BREAK.findall(text, 0, position)) + 1


def refused(message: str, path: Path, mark: Mark) -> SignatureError:
    """Return the error for something in the document, with its line."""
    return SignatureError(message, path=f"{path}, line {mark.line + 1}")
