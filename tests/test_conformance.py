"""Recorded MLflow behaviour, replayed: every difference has a name and a reason."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conformance import recipe
from tests.conformance.__main__ import REPLAYERS, Tally, main, replay_file
from tests.conformance.corpus import CorpusFile, Ours, Outcome, read
from tests.conformance.divergences import TABLE, explain

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[1]
RECORDED = ROOT / "tests" / "conformance" / "recorded"
ORACLE = recipe.default_directory()
# How many cases the oracle had when this was written: fewer would mean that they are not seen.
ORACLE_CASES = {"serde": 139, "params": 405}

pytestmark = pytest.mark.skipif(
    not ORACLE.is_dir() or recipe.find(ORACLE) is None,
    reason="the oracle (../shared) is not beside the project",
)


@pytest.fixture(scope="module")
def tallies(spark: SparkSession) -> list[Tally]:
    # what is recorded of Spark is replayed on the suite's session
    recipe.use(ORACLE)
    files = [*read(ORACLE), *read(RECORDED)]
    return [tally for file in files if (tally := replay_file(file)).replayer is not None]


def test_no_difference_is_unexplained(tallies: list[Tally]) -> None:
    assert {str(t.file.path): t.unexplained for t in tallies if t.unexplained} == {}


@pytest.mark.parametrize("kind", sorted(ORACLE_CASES))
def test_every_case_of_the_oracle_is_seen(tallies: list[Tally], kind: str) -> None:
    seen = [t for t in tallies if t.file.path.parent == ORACLE and t.file.path.stem == kind]
    assert sum(t.passed for t in seen) >= ORACLE_CASES[kind]
    # Divergences are the exception: a replayer that explains everything would prove nothing.
    assert sum(t.agree for t in seen) >= 0.9 * ORACLE_CASES[kind]


def test_every_pair_of_a_spark_type_and_a_target_is_seen(tallies: list[Tally]) -> None:
    kind = "spark_enforce_matrix"
    seen = [t for t in tallies if t.file.path.parent == ORACLE and t.file.path.stem == kind]
    assert sum(t.passed for t in seen) >= 120
    assert sum(t.agree for t in seen) >= 100


def test_every_inferred_signature_is_seen(tallies: list[Tally]) -> None:
    seen = {t.file.path.stem: t for t in tallies if t.file.path.parent == ORACLE}
    assert seen["infer"].passed >= 248
    assert seen["infer"].agree >= 220
    # That MLflow's signature rejects its own data is what most differ in.
    assert seen["selfconsistency"].passed >= 227
    assert seen["selfconsistency"].agree >= 175


def test_every_divergence_is_used_and_says_why(tallies: list[Tally]) -> None:
    kinds = {r.kind for r in REPLAYERS}
    used: Counter[str] = Counter()
    for tally in tallies:
        used += tally.divergent
    unused = {d.name for d in TABLE if set(d.kinds) & kinds} - set(used)
    assert unused == set()
    assert len({d.name for d in TABLE}) == len(TABLE)
    assert all(len(d.reason) > 40 for d in TABLE)


def test_no_divergence_explains_a_case_that_agrees_in_the_wrong_way() -> None:
    case = {
        "kind": "schema",
        "document": '[{"type": "long", "name": "a"}]',
        "outcome": {"ok": True, "to_json": "", "repr": ""},
    }
    assert explain("serde", case, Ours(False)) is None
    assert explain("serde", case, Ours(True)) is None
    wrong = {
        "schema": [{"name": "p", "type": "long", "default": 1}],
        "params": {"k": "dict", "v": [["p", 2]]},
        "stage": "enforce",
        "outcome": {"ok": True, "value": None},
    }
    assert explain("params", wrong, Ours(False, stage="enforce")) is None


def corpus(tmp_path: Path, **files: object) -> Path:
    for name, document in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    return tmp_path


GOOD = {
    "id": "x",
    "kind": "schema",
    "document": '[{"type": "long", "name": "a", "required": true}]',
    "outcome": {
        "ok": True,
        "to_json": '[{"type": "long", "name": "a", "required": true}]',
        "repr": "['a': long (required)]",
    },
}


def test_the_command_counts_what_it_cannot_explain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = {**GOOD, "id": "bad", "outcome": {**GOOD["outcome"], "repr": "other"}}  # type: ignore[dict-item]
    broken = {**GOOD, "id": "broken", "kind": "no such kind"}
    folder = corpus(
        tmp_path,
        serde_more={"cases": [GOOD, bad]},
        told_by_its_keys={"cases": [GOOD, broken]},
        unheard_of={"cases": [{"id": 1}]},
        no_cases={"demo": []},
    )
    assert main([str(folder)]) == 1
    printed = capsys.readouterr().out
    assert "serde_more.json: 2 cases, 1 agree, 0 diverge, 1 unexplained" in printed
    assert "UNEXPLAINED bad: repr is" in printed
    assert "UNEXPLAINED broken: raised KeyError" in printed
    assert "unheard_of.json: not replayed (1 cases)" in printed
    assert printed.endswith("2 passed, 2 failed\n")


def test_the_command_runs_on_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.conformance", str(RECORDED)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith(" passed, 0 failed")
    assert main(["/no/such/directory"]) == 2


def test_an_outcome_agrees_unless_it_says_how_it_differs() -> None:
    assert Outcome(Ours(True)).agrees
    assert not Outcome(Ours(True), "differs").agrees


def test_recipes_rebuild_what_they_describe() -> None:
    for file in read(RECORDED):
        for case in file.cases:
            if "params" in case:
                value = recipe.build(case["params"])
                assert recipe.describe(value) == recipe.describe(recipe.build(case["params"]))


def test_files_are_told_by_keys_and_name() -> None:
    file = CorpusFile(Path("whatever.json"), {}, (GOOD,))
    replayer = file.replayer(REPLAYERS)
    assert replayer is not None
    assert replayer.kind == "serde"
    assert CorpusFile(Path("serde.json"), {}, ()).replayer(REPLAYERS) is None
