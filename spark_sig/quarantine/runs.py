"""Runs: what makes two writes one run, and where a run that was not finished goes on."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from spark_sig.delta.commits import Commit, Stamp, find_commit
from spark_sig.errors import SignatureError, SourceError
from spark_sig.quarantine.fates import Fate, Left, fate_of, rows_left
from spark_sig.quarantine.order import PREFIX
from spark_sig.quarantine.records import Records
from spark_sig.quarantine.survivors import Pair, into, refuse_lone_survivors, refuse_survivors

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from spark_sig.quarantine.targets import Target, Targets
    from spark_sig.sources import Resolved


# How the names end that calls of reprocess commit under, and what follows in those that they are
# begun under.
CALL, BEGUN = ":reprocess", ":begun"


@dataclass(frozen=True, slots=True)
class Rules:
    """What rows are held to, and what becomes of them.

    Args:
        signature: the signature's fingerprint.
        side: the side that is checked.
        policy: fingerprint of the policy.
        mode: ``append``, ``overwrite`` or ``replace-partitions``.
        model: digest of the model that scores them; empty where none does.
        params: digest of what the model is called with.
        columns: digest of which columns stay, and what predictions are called.
    """

    signature: str
    side: str
    policy: str
    mode: str
    model: str = ""
    params: str = ""
    columns: str = ""

    @classmethod
    def of(cls, commit: Commit) -> Rules:
        """Return those that a run's commit says."""
        names = (part.name for part in fields(cls))
        return cls(**{name: str(commit.record.get(name, "")) for name in names})

    def record(self) -> dict[str, str]:
        """Return them as JSON values; what is empty is left out."""
        return {name: value for name, value in asdict(self).items() if value}

    def differ(self, found: Commit) -> list[str]:
        """Return the names of what a commit's rules were other than these."""
        theirs = asdict(Rules.of(found))
        return [name for name, value in asdict(self).items() if theirs[name] != value]


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
        into: what the commits say of the two tables besides.
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
    into: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stamp(self) -> Stamp:
        """What its commits are known by."""
        record = {"run_id": self.run_id, "source": self.source, "version": self.version}
        record |= {"target": self.target, "place": self.place, **self.into}
        return Stamp(self.app, self.number, {**record, **self.rules.record(), **self.record})

    def refuse_rules(self, found: Commit) -> None:
        """Refuse a commit of this run's name that was of other rules.

        Raises:
            SignatureError: where it was.
        """
        if other := self.rules.differ(found):
            raise SignatureError(
                f"the run {self.run_id} was begun with another {' and '.join(other)}",
                path="run_id",
                remedy="give another run id, or what it was begun with",
            )

    def refuse_other(self, found: Commit) -> None:
        """Refuse a commit of this run's name that is not of this run.

        Raises:
            SignatureError: where it was of other rules.
            SourceError: where it read something else: two jobs use one name at a time.
        """
        self.refuse_rules(found)
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
        left: other runs from the source that were begun and are not finished.
    """

    run_id: str | None = None
    begun: Commit | None = None
    left: tuple[Left, ...] = ()


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

    @classmethod
    def of(cls, source: Resolved, targets: Targets) -> Runs:
        """Return the runs from a source that was found."""
        return cls(source.frame.sparkSession, source.identity, targets, source.place)

    def run(self, run_id: str | None, version: int | None, rules: Rules) -> Run:
        """Return a run of a name; where that is None, of the one that the rest makes."""
        name = self.default_id(version, rules) if run_id is None else run_id
        return Run(
            name,
            self._name(name),
            self.source,
            self.targets.conformed.table_id,
            version,
            rules,
            place=self.place,
            into=into(self.targets),
        )

    def _name(self, run_id: str) -> str:
        # A scheduler gives one run id to many tasks: it is one run only from one source into the
        # same tables.
        return f"{self._prefix}{run_id}"

    @property
    def _prefix(self) -> str:
        return run_prefix(self.source, self.targets)

    def default_id(self, version: int | None, rules: Rules) -> str:
        """Return the name of a run that was given none: the same for the same rows and rules.

        Of rows without a version nothing tells whether they are the same: it is another each time.
        """
        return _default_id(self._prefix, version, rules)

    def taken_up(
        self, run_id: str | None, version: int | None, rules: Rules, newest: int | None = None
    ) -> TakenUp:
        """Return the run to carry out.

        Args:
            run_id: the run that was asked for; None for one of these rules that was not finished,
                where there is one, or else a new one.
            version: the version that was asked for; None for any.
            rules: what is asked for.
            newest: the version that is read where none was asked for; None where there are none.

        Raises:
            SourceError: where a run was not finished, and cannot be known to be the one that is
                repeated, or the tables have its rows by other ids than there are now.
        """
        pair = Pair.of(self.spark, self.targets)
        first = newest if version is None else version
        name = self.default_id(first, rules) if run_id is None else run_id
        if self._name(name) in pair.conformed.names:
            self._refuse_forgotten(name)
        elif rules.mode == "append":
            self._refuse_survivors(pair, run_id, first, rules)
        left = self._left(pair)
        if run_id is None and version is not None and self.targets.exist:
            run_id = self.default_id(version, rules)
        if run_id is not None:
            begun = self.begun(run_id)
            return TakenUp(run_id, begun, tuple(one for one in left if one.begun != begun))
        waiting = [one for one in left if one.fate is Fate.OPEN and not one.behind]
        if waiting and not self.source:
            raise SourceError(
                f"the run {waiting[0].run_id} of a DataFrame into the same tables was not "
                "finished: repeat it by its run id and with its rules, or give another run id to "
                "leave it as it is"
            )
        for one in waiting:
            if not rules.differ(one.begun):
                return TakenUp(
                    one.run_id, one.begun, tuple(other for other in left if other is not one)
                )
        return TakenUp(None, None, left)

    def begun(self, run_id: str) -> Commit | None:
        """Return the first commit of a run; None where there is none."""
        return self._commit(self.targets.quarantine, self._name(run_id))

    def finished(self, run_id: str) -> bool:
        """Say whether a run has its second commit."""
        return self._commit(self.targets.conformed, self._name(run_id)) is not None

    def left(self) -> tuple[Left, ...]:
        """Return the runs that have a first commit and no second one, the oldest first.

        They are from the source, or from a table that lay where it lies now: CREATE OR REPLACE
        gives a table another id.
        """
        return self._left(Pair.of(self.spark, self.targets))

    def _left(self, pair: Pair) -> tuple[Left, ...]:
        conformed, quarantine = self.targets
        if not self.targets.exist or not pair.quarantine.names:
            return ()
        calls = {*reprocess_names(quarantine.table_id)}
        apps = pair.quarantine.names - calls - pair.conformed.names
        if not apps:
            return ()
        commits = pair.quarantine.commits
        # Tables in whose place the other one lies; one that was dropped is known no more.
        here = [c for c in commits if c.record["app"] in pair.conformed.names]
        lives = {conformed.table_id, *(c.record.get("target") for c in here)}
        left = []
        for commit in commits:
            record = commit.record
            begun = record["app"] in apps and record.get("target") in lives
            if begun and (fate := self._fate(commit, commits)):
                behind = any(self._has_left(commit, one, apps) for one in commits)
                left.append(Left(str(record["run_id"]), commit, fate, behind))
        return *self._forgotten(apps - {commit.record["app"] for commit in commits}), *left

    def _forgotten(self, apps: Set[str]) -> Iterator[Left]:
        """Yield the runs that have rows in the quarantine, whose history no longer has them."""
        for app in sorted(apps):
            if app.startswith(self._prefix):
                name = app.removeprefix(self._prefix)
                target = self.targets.conformed.table_id
                record = {"app": app, "run_id": name, "source": self.source, "target": target}
                begun = Commit(-1, None, record)
                if rows_left(self.spark, self.targets, begun):
                    yield Left(name, begun, Fate.FORGOTTEN, behind=False)

    def _fate(self, begun: Commit, commits: Sequence[Commit]) -> Fate | None:
        """Say what became of a run that is not finished; None where it is none of the source's."""
        if begun.record["app"] == self._name(str(begun.record["run_id"])):
            return fate_of(self.spark, self.targets, begun, commits)
        if not self._is_mine(begun):
            return None
        if rows_left(self.spark, self.targets, begun) == 0 != begun.rows:
            return None
        same = begun.record["source"] == self.source
        return Fate.TABLE_REPLACED if same else Fate.SOURCE_REPLACED

    def _is_mine(self, commit: Commit) -> bool:
        """Say whether a commit's run was from the source, or from one that it has replaced."""
        return _is_from(commit, self.source, self.place)

    def _has_left(self, begun: Commit, other: Commit, apps: Set[str]) -> bool:
        """Say whether another run of the same rules came after one, and was finished."""
        here = str(other.record["app"]).startswith(self._prefix)
        finished = here and other.record["app"] not in apps and other.version > begun.version
        return finished and Rules.of(other) == Rules.of(begun)

    def _refuse_survivors(
        self, pair: Pair, run_id: str | None, version: int | None, rules: Rules
    ) -> None:
        """Refuse a run that one of the tables has rows of by other ids than there are now.

        Raises:
            SourceError: where one has: they would be there twice.
        """

        same = partial(is_same, self.source, self.place, run_id, version, rules)
        named = run_id is not None
        refuse_survivors(self.spark, self.targets, pair, self._prefix, same, named=named)

    def _refuse_forgotten(self, run_id: str) -> None:
        """Refuse to report on a run that is finished, where the tables' histories are shorter.

        Raises:
            SourceError: where they no longer have it.
        """
        if any(self._commit(target, self._name(run_id)) is None for target in self.targets):
            raise _forgotten(run_id)

    def _commit(self, target: Target, app: str) -> Commit | None:
        return None if target.path is None else find_commit(self.spark, target.path, app, 1)


def lone_run(source: Resolved, target: Target, rules: Rules, run_id: str | None) -> Run:
    """Return a run that writes to one table, in one commit.

    Args:
        source: what is read.
        target: where to.
        rules: what its rows are held to.
        run_id: its name; None for the one that the rest makes.
    """
    prefix, version = _prefix(source.identity, target.table_id), source.info.version
    return Run(
        name := _default_id(prefix, version, rules) if run_id is None else run_id,
        f"{prefix}{name}",
        source.identity,
        target.table_id,
        version,
        rules,
        place=source.place,
        into={"target_at": sorted(target.spots)},
    )


def refuse_lone(spark: SparkSession, target: Target, run: Run, run_id: str | None) -> None:
    """Refuse to begin a run that writes to one table, where that has rows of it already.

    Args:
        spark: the session.
        target: where to.
        run: the run (:func:`lone_run`), of which the table has no commit.
        run_id: the name that it was given; None for none.

    Raises:
        SourceError: where it has.
    """
    records = Records(spark, target)
    if run.app in records.names:
        raise _forgotten(run.run_id)
    if run.rules.mode == "append":
        prefix, named = run.app.removesuffix(run.run_id), run_id is not None
        same = partial(is_same, run.source, run.place, run_id, run.version, run.rules)
        refuse_lone_survivors(spark, target, prefix, same, named=named)


def is_same(
    source: str,
    place: str,
    run_id: str | None,
    version: int | None,
    rules: Rules,
    commit: Commit,
) -> bool:
    """Say whether a commit is of a run that is to be carried out, whatever ids its tables had.

    Args:
        source: what tells the run's source from others.
        place: where that lies; empty where it lies nowhere.
        run_id: the name that the run was given; None for none.
        version: the version that is read; None where there are none.
        rules: the run's.
        commit: the commit.
    """
    record = commit.record
    if run_id is not None:
        return _is_from(commit, source, place) and record["run_id"] == run_id
    known = version is not None and record.get("version") == version
    return known and record["source"] == source and not rules.differ(commit)


def _is_from(commit: Commit, source: str, place: str) -> bool:
    """Say whether a commit's run was from a source, or from one that lay where it lies."""
    theirs, lay = (commit.record.get(name) for name in ("source", "place"))
    return theirs == source or (place != "" and lay == place)


def _forgotten(run_id: str) -> SourceError:
    return SourceError(
        f"the run {run_id} was finished before, and the tables' histories no longer have it: "
        "there is nothing left to do; under another run id its rows are written again"
    )


def _default_id(prefix: str, version: int | None, rules: Rules) -> str:
    rows = secrets.token_hex(16) if version is None else version
    return digest([prefix, rows, rules.record()])[:32]


def run_prefix(source: str, targets: Targets) -> str:
    """Return how the names begin that runs from a source into two tables commit under.

    Args:
        source: what tells the source from others.
        targets: the two tables.
    """
    return _prefix(source, *targets.ids)


def _prefix(*ids: str) -> str:
    return f"{PREFIX}:{digest(ids)[:16]}:"


def reprocess_names(quarantine: str) -> tuple[str, str]:
    """Return the names that calls of ``reprocess`` commit under, and are begun under.

    Args:
        quarantine: the id of the table.
    """
    name = f"{PREFIX}:{digest(quarantine)[:16]}{CALL}"
    return name, f"{name}{BEGUN}"


def digest(document: object, plain: Callable[[object], object] | None = None) -> str:
    """Return a fingerprint of JSON values (SHA-256, hexadecimal).

    Args:
        document: the values.
        plain: makes JSON values of what is none.
    """
    text = json.dumps(document, sort_keys=True, default=plain)
    return hashlib.sha256(text.encode()).hexdigest()
