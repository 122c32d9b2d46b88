"""Corpus files: recorded cases, and what became of them here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

Case: TypeAlias = Mapping[str, Any]
Versions: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Ours:
    """What spark_sig makes of a case.

    Args:
        ok: whether it accepts.
        value: what comes out, in whatever form the replayer compares.
        error: the text of the error where it does not accept.
        stage: where the error arose, such as ``schema``; empty where there is only one.
    """

    ok: bool
    value: Any = None
    error: str = ""
    stage: str = ""


@dataclass(frozen=True)
class Outcome:
    """One replayed case: agreement, or the difference."""

    ours: Ours
    difference: str = ""

    @property
    def agrees(self) -> bool:
        return not self.difference


@dataclass(frozen=True)
class Replayer:
    """How the cases of one kind are replayed.

    Args:
        kind: the kind, which is also how the names of its files begin.
        recognises: whether a case, by its keys, is of this kind.
        replay: what spark_sig makes of a case, compared with what is recorded.
    """

    kind: str
    recognises: Callable[[Case], bool]
    replay: Callable[[Case, Versions], Outcome]


@dataclass(frozen=True)
class CorpusFile:
    """A file of recorded cases."""

    path: Path
    versions: Versions
    cases: tuple[Case, ...]

    def replayer(self, table: tuple[Replayer, ...]) -> Replayer | None:
        """Return the replayer for this file: by the keys of its cases, and by its name."""
        able = [r for r in table if self.cases and r.recognises(self.cases[0])]
        named = [r for r in able if self.path.stem.startswith(r.kind)]
        return next(iter(named or able), None)


def read(directory: Path) -> Iterator[CorpusFile]:
    """Read every corpus file under a directory, in order of name."""
    for path in sorted(directory.rglob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(document, dict) and isinstance(document.get("cases"), list):
            cases = _with_inputs(document["cases"], path.parent)
            yield CorpusFile(path, document.get("versions", {}), tuple(cases))
        else:
            yield CorpusFile(path, {}, ())


def _with_inputs(cases: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Give cases about inferred signatures the inputs of the same id from the files beside."""
    if not cases or "input" in cases[0] or "fallback_any" not in cases[0]:
        return cases
    inputs: dict[str, Any] = {}
    for path in sorted(folder.glob("infer*.json")):
        for case in json.loads(path.read_text(encoding="utf-8"))["cases"]:
            inputs[case["id"]] = case["input"]
    return [{**case, "input": inputs[case["id"]]} for case in cases if case["id"] in inputs]
