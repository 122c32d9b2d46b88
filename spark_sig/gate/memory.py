"""Memory: what a run takes from the ledger, and what it gives to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spark_sig.delta.columns import Column
from spark_sig.delta.files import is_in
from spark_sig.delta.ledger import DV_ID, Ledger, LedgerKey, held
from spark_sig.delta.log import Snapshot
from spark_sig.delta.query import Query
from spark_sig.errors import SourceError
from spark_sig.gate.proofs import Proofs
from spark_sig.plan import EnforcementPlan
from spark_sig.stats import Proof
from spark_sig.tally import Tally

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True, slots=True)
class Memory:
    """A ledger, and what its facts must depend on to be of use here.

    Args:
        ledger: the ledger.
        signature: the signature's fingerprint.
        side: the side that is checked.
    """

    ledger: Ledger
    signature: str
    side: str

    def key(
        self, snapshot: Snapshot, plan: EnforcementPlan, columns: Mapping[str, Column]
    ) -> LedgerKey:
        """Return what facts about the files of a snapshot depend on."""
        return LedgerKey(
            snapshot.table_id,
            _schema(plan, columns),
            self.signature,
            plan.policy.fingerprint,
            self.side,
        )

    def recall(self, key: LedgerKey, files: Query) -> tuple[Query, DataFrame]:
        """Return files with the mask of what is known of each, and the facts, which are cached.

        Raises:
            SourceError: where the ledger cannot be read.
        """
        facts = self.ledger.facts(key)
        joined = files.within(
            f"""
            SELECT {", ".join(f"files.{name}" for name in files.columns)}, facts.mask
            FROM (SELECT *, {DV_ID} AS dv FROM {{query}}) files
            LEFT JOIN {{facts}} facts ON files.path = facts.path AND files.dv = facts.dv""",
            [*files.columns, "mask"],
            facts=facts,
        )
        return joined, facts

    def told(self, proofs: Proofs, tally: Tally, *, trustworthy: bool) -> str:
        """Write down what was found, and say what the ledger gave and took.

        Args:
            proofs: what was known of the files before.
            tally: what was found in those that were read.
            trustworthy: whether what was found can be believed.
        """
        if proofs.source.snapshot is None or proofs.files is None:
            return "not used: the source's files are not known"
        used = f"{proofs.files_remembered:,} files remembered"
        if proofs.note:
            used = proofs.note
        if not trustworthy:
            return f"{used}; nothing added, as the report is not complete"
        key = self.key(proofs.source.snapshot, proofs.asked, proofs.columns)
        try:
            return f"{used}, {self.record(key, proofs, tally):,} facts added"
        except SourceError as error:
            return f"{used}; {error}"

    def record(self, key: LedgerKey, proofs: Proofs, tally: Tally) -> int:
        """Write down which checks have been found to hold for which of the files that were read.

        Args:
            key: what the facts depend on.
            proofs: what was known of the files before.
            tally: what was found in those that were read.

        Returns:
            The number of facts that were new.

        Raises:
            SourceError: where the ledger cannot be written.
        """
        assert proofs.files is not None
        groups = proofs.groups or ()
        read = [place for place, group in enumerate(groups) if group.is_read]
        if not read:
            return 0
        known = "coalesce(mask, '')" if proofs.recalled else "''"
        files = proofs.files.ask(
            f"""
            SELECT path, dv, mask FROM (
                SELECT path, {DV_ID} AS dv, {_mask(proofs, tally)} AS mask, known
                FROM (SELECT *, {known} AS known FROM {{query}})
                WHERE kept IS NOT NULL AND ({is_in(read, groups)}))
            WHERE {held("mask")} > {held("known")}"""
        )
        return self.ledger.record(key, files, fresh=proofs.recalled)


def _mask(proofs: Proofs, tally: Tally) -> str:
    """Write ``1`` for each check that rows, now or in an earlier run, were found to pass, as SQL.

    The ``known`` of earlier runs may say more than the pattern, where statistics prove a check too.
    What statistics proved is not remembered: they prove it again, if they are asked at all.
    """
    places = {check: at + 2 for at, check in enumerate(proofs.checks)}
    found = []
    for check in range(len(proofs.plan.checks)):
        passed = [Proof.REMEMBERED]
        if check not in tally.checks:
            passed += [Proof.UNKNOWN, Proof.REFUTED]
        letters = ", ".join(f"'{proof.value}'" for proof in passed)
        letter = f"substr(pattern, {places[check]}, 1)" if check in places else "''"
        before = f"substr(known, {check + 1}, 1) = '1'"
        found.append(f"IF({letter} IN ({letters}) OR {before}, '1', '0')")
    return f"concat({', '.join(found)})"


def _schema(plan: EnforcementPlan, columns: Mapping[str, Column]) -> str:
    """Return the fingerprint of the columns that are checked, as files store them, and of how."""
    used = [field.source_name for field in plan.fields if field.source is not None]
    return _digest(
        {
            "columns": [
                [str(field), str(field.metadata), columns[name].name, columns[name].declared]
                for name in used
                for field in [plan.source.field(name)]
            ],
            "checks": [[check.path, check.code.value, check.expected] for check in plan.checks],
        }
    )


def _digest(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
