"""MLflow's recorded enforcement, replayed: the same verdicts and values, or a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spark_sig.errors import Violation, ViolationError
from tests.conformance import enforce, recipe
from tests.conformance.__main__ import TABLE, Tally, replay_file
from tests.conformance.corpus import CorpusFile, read
from tests.conformance.enforce_divergences import TABLE as ENFORCE

ORACLE = recipe.default_directory()
RECORDED = Path(enforce.__file__).parent / "recorded"
# How many cases the oracle had when this was written: fewer would mean that they are not seen.
CASES, AGREEING = 1027, 850

pytestmark = pytest.mark.skipif(
    not ORACLE.is_dir() or recipe.find(ORACLE) is None,
    reason="the oracle (../shared) is not beside the project",
)


@pytest.fixture(scope="module")
def corpus() -> CorpusFile:
    recipe.use(ORACLE)
    return next(file for file in read(ORACLE) if file.path.stem == "enforce")


@pytest.fixture(scope="module")
def tally(corpus: CorpusFile) -> Tally:
    return replay_file(corpus)


def test_no_difference_is_unexplained(tally: Tally) -> None:
    assert tally.unexplained == []
    assert tally.passed >= CASES
    assert tally.agree >= AGREEING


def test_every_divergence_is_used_and_says_why(tally: Tally) -> None:
    recorded = [
        replay_file(file) for file in read(RECORDED) if file.path.stem.startswith("enforce")
    ]
    assert [case for one in recorded for case in one.unexplained] == []
    used = {name for one in (tally, *recorded) for name in one.divergent}
    assert {d.name for d in ENFORCE} == used
    assert len({d.name for d in TABLE}) == len(TABLE)
    assert all(len(d.reason) > 40 for d in ENFORCE)


REFUSES_ALL = ViolationError([Violation("$", "type", "something else", "this")])  # type: ignore[arg-type]


def _refuse(*_: Any) -> Any:
    raise REFUSES_ALL


@pytest.mark.parametrize(
    ("broken", "wrong"),
    [(_refuse, 200), (lambda data, schema, policy: data, 600)],
    ids=["refuses everything", "accepts everything as it is"],
)
def test_divergences_do_not_explain_what_is_broken(
    corpus: CorpusFile,
    monkeypatch: pytest.MonkeyPatch,
    broken: Callable[..., Any],
    wrong: int,
) -> None:
    """Almost all that an enforcement without any judgement gets wrong stays unexplained."""
    monkeypatch.setattr(enforce, "enforce_values", broken)
    assert len(replay_file(corpus).unexplained) >= wrong


def test_more_cases_of_the_same_form(tmp_path: Path) -> None:
    """A case that nobody has seen is judged by the same rules, in a file of another name."""
    column = {"k": "series", "dtype": "object", "name": "c", "v": [{"k": "decimal", "v": "1"}]}
    frame = {"k": "frame", "columns": [column], "index": None}
    case = {
        "id": "new",
        "title": "new",
        "schema": [{"type": "binary", "name": "c", "required": False}],
        "input": frame,
        "outcome": {"ok": True, "value": frame},
    }
    agreeing = {**case, "outcome": {"ok": False, "error": {"type": "MlflowException"}}}
    wrong = {**case, "schema": [{"type": "double", "name": "d", "required": True}]}
    path = tmp_path / "enforce_more.json"
    path.write_text(json.dumps({"cases": [case, agreeing, wrong]}))
    found = replay_file(next(read(tmp_path)))
    assert found.agree == 1
    assert dict(found.divergent) == {"takes_anything": 1}
    assert [name for name, _ in found.unexplained] == ["new"]
