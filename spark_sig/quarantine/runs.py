"""Runs: what makes two writes one run, and where a run that was not finished goes on."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from spark_sig.delta.commits import Commit, Stamp, commits_after, find_commit, transactions
from spark_sig.errors import SignatureError, SourceError
from spark_sig.quarantine.order import PREFIX, is_gone, overtaking

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from spark_sig.quarantine.targets import Target, Targets


@dataclass(frozen=True, slots=True)
class Rules:
    """What rows are held to, and what becomes of them.

    Args:
        signature: the signature's fingerprint.
        side: the side that is checked.
        policy: fingerprint of the policy.
        mode: ``append``, ``overwrite`` or ``replace-partitions``.
    """

    signature: str
    side: str
    policy: str
    mode: str

    def record(self) -> dict[str, str]:
        """Return them as JSON values."""
        return {
            "signature": self.signature,
            "side": self.side,
            "policy": self.policy,
            "mode": self.mode,
        }

    def differ(self, found: Commit) -> list[str]:
        """Return the names of what a commit's rules were other than these."""
        return [name for name, value in self.record().items() if found.record.get(name) != value]


@dataclass(frozen=True, slots=True)
class Run:
    """Commits that belong together, one in each table.

    Args:
        run_id: its name.
        app: the name that it commits under.
        source: what tells the source from others.
        target: the id of the table that the rows which conform go to.
        version: the version that is read; None where the source has none.
        rules: what its rows are held to.
        number: the number that it commits under; greater than those before under that name.
        record: what its commits say besides.
        place: where the source lies; empty where it lies nowhere.
    """

    run_id: str
    app: str
    source: str
    target: str
    version: int | None
    rules: Rules
    number: int = 1
    record: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""

    @property
    def stamp(self) -> Stamp:
        """What its commits are known by."""
        record = {"run_id": self.run_id, "source": self.source, "version": self.version}
        record |= {"target": self.target, "place": self.place}
        return Stamp(self.app, self.number, {**record, **self.rules.record(), **self.record})

    def refuse_other(self, found: Commit) -> None:
        """Refuse a commit of this run's name that is not of this run.

        Raises:
            SignatureError: where it was of other rules.
            SourceError: where it read something else: two jobs use one name at a time.
        """
        if other := self.rules.differ(found):
            raise SignatureError(
                f"the run {self.run_id} was begun with another {' and '.join(other)}",
                path="run_id",
                remedy="give another run id, or what it was begun with",
            )
        for name, value in {"version": self.version, **self.record}.items():
            if found.record.get(name) != value:
                raise SourceError(
                    f"the run {self.run_id} was committed meanwhile, with the {name} "
                    f"{found.record.get(name)} and not {value}: another job goes by its name; "
                    "repeat it"
                )


class TakenUp(NamedTuple):
    """A run to carry out.

    Args:
        run_id: its name; None for a new one.
        begun: its first commit, where it was begun before.
        others: the names of other runs from the same source, of other rules, that were begun and
            are not finished.
        replaced: the names of other runs that were begun with a table that has since been
            replaced by another one, and are not finished.
    """

    run_id: str | None = None
    begun: Commit | None = None
    others: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs from a source into two tables.

    Args:
        spark: the session.
        source: what tells the source from others; empty for a DataFrame, of which nothing does.
        targets: where they go; the quarantine is written first.
        place: where the source lies; empty where it lies nowhere.
    """

    spark: SparkSession
    source: str
    targets: Targets
    place: str = ""

    def run(self, run_id: str, version: int | None, rules: Rules) -> Run:
        """Return a run of a name."""
        target = self.targets.conformed.table_id
        name = self._name(run_id)
        return Run(run_id, name, self.source, target, version, rules, place=self.place)

    def _name(self, run_id: str) -> str:
        # A scheduler gives one run id to many tasks: it is one run only from one source into the
        # same tables.
        return f"{self._prefix}{run_id}"

    @property
    def _prefix(self) -> str:
        return f"{PREFIX}:{digest([self.source, *self.targets.ids])[:16]}:"

    def default_id(self, version: int | None, rules: Rules) -> str:
        """Return the name of a run that was given none: the same for the same rows and rules.

        Of rows without a version nothing tells whether they are the same: it is another each time.
        """
        rows = secrets.token_hex(16) if version is None else version
        return digest([self._prefix, rows, rules.record()])[:32]

    def taken_up(self, run_id: str | None, version: int | None, rules: Rules) -> TakenUp:
        """Return the run to carry out.

        Args:
            run_id: the run that was asked for; None for one of these rules that was not finished,
                where there is one, or else a new one.
            version: the version that was asked for; None for any.
            rules: what is asked for.

        Raises:
            SourceError: where a run was not finished, and cannot be known to be the one that is
                repeated.
        """
        if not self.targets.exist:
            return TakenUp(run_id)
        if run_id is None and version is not None:
            run_id = self.default_id(version, rules)
        if run_id is not None:
            begun = self.begun(run_id)
            if begun is None and run_id in self._replaced():
                raise SourceError(
                    f"the run {run_id} was begun with a table that another one has replaced at "
                    f"{self.place}, and was not finished: delete the rows whose _run_id is "
                    f"{run_id} from the quarantine, and give another run id"
                )
            return TakenUp(run_id, begun)
        left = self._unfinished()
        if left and not self.source:
            raise SourceError(
                f"the run {left[0][0]} of a DataFrame into the same tables was not finished: "
                "repeat it by its run id and with its rules, or give another run id to leave it "
                "as it is"
            )
        others = tuple(found for found, commit in left if rules.differ(commit))
        mine = [(found, commit) for found, commit in left if found not in others]
        name, begun = mine[0] if mine else (None, None)
        return TakenUp(name, begun, others, self._replaced())

    def begun(self, run_id: str) -> Commit | None:
        """Return the first commit of a run; None where there is none."""
        return self._commit(self.targets.quarantine, self._name(run_id))

    def finished(self, run_id: str) -> bool:
        """Say whether a run has its second commit."""
        return self._commit(self.targets.conformed, self._name(run_id)) is not None

    def _unfinished(self) -> list[tuple[str, Commit]]:
        """Return the runs that have a first commit and no second one, the oldest first.

        Those that others have overtaken, or whose rows somebody has taken away, are not among
        them: nobody can finish them.
        """
        conformed, quarantine = self.targets
        assert conformed.path is not None
        assert quarantine.path is not None
        first = transactions(self.spark, quarantine.path, self._prefix)
        left = first.keys() - transactions(self.spark, conformed.path, self._prefix).keys()
        # One that the table's history no longer has is long past.
        found = [
            (app, commit)
            for app in left
            if (commit := self._commit(quarantine, app))
            and not overtaking(self.spark, self.targets, str(commit.record["mode"]), commit)
            and not is_gone(self.spark, self.targets, commit)
        ]
        found.sort(key=lambda item: item[1].version)
        return [(app.removeprefix(self._prefix), commit) for app, commit in found]

    def _replaced(self) -> tuple[str, ...]:
        """Return the runs that were begun with a table that lay where the source's lies now.

        CREATE OR REPLACE gives a table another id.
        """
        conformed, quarantine = self.targets
        if not self.place or conformed.path is None or quarantine.path is None:
            return ()
        first = transactions(self.spark, quarantine.path, f"{PREFIX}:")
        left = {
            app for app in first if not (app.startswith(self._prefix) or ":reprocess" in app)
        } - transactions(self.spark, conformed.path, f"{PREFIX}:").keys()
        if not left:
            return ()
        return tuple(
            str(commit.record["run_id"])
            for commit in commits_after(self.spark, quarantine.path, -1)
            if commit.record["app"] in left
            and commit.record.get("place") == self.place
            and commit.record.get("target") == conformed.table_id
            and not is_gone(self.spark, self.targets, commit)
        )

    def _commit(self, target: Target, app: str) -> Commit | None:
        return None if target.path is None else find_commit(self.spark, target.path, app, 1)


def digest(document: object) -> str:
    """Return a fingerprint of JSON values (SHA-256, hexadecimal)."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
