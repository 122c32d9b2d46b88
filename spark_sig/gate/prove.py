"""The prover: asks a table's log, then the footers of its files, what they prove of a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from spark_sig.delta.columns import (
    Column,
    has_vectors,
    mapping_mode,
    schema_columns,
    shared_names,
    table_columns,
)
from spark_sig.delta.constraints import check_bounds, constrained_types
from spark_sig.delta.files import (
    Group,
    counted,
    grouped,
    list_files,
    merged,
    unreadable,
)
from spark_sig.delta.ledger import DV_ID
from spark_sig.delta.log import (
    first_line,
    is_classic,
    newest_of,
    open_snapshot,
    reraise_cancelled,
    spark_errors,
    table_metadata,
)
from spark_sig.delta.query import Query
from spark_sig.delta.replaced import replaced_at
from spark_sig.delta.statistics import depends_on_writer, is_plain, judged
from spark_sig.delta.storage import scan_size
from spark_sig.delta.writers import constraints_were_checked, with_trusted
from spark_sig.engines.footers import footers_of, listed_files, wanted_leaves, without_folders
from spark_sig.errors import SourceError
from spark_sig.gate.memory import Memory
from spark_sig.gate.proofs import OFF, Proofs
from spark_sig.plan import EnforcementPlan, Reason
from spark_sig.planning.claims import check_claims
from spark_sig.sources import Resolved
from spark_sig.stats import Bounds, Claim, Place, Proof

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# What a report says of statistics.
UNPINNED = "none: the source is not pinned to a version"
OUT_OF_REACH = "out of reach: Spark Connect has no door to the table's log"
LOG = "the table's log"
FOOTERS = "the footers of the files"
BOTH = "the table's log, and the footers of the files"
SMALL = "not asked: reading the files takes no longer"
NOTHING = "not asked: they decide none of the checks"
BY_CATALOG = "not asked: the catalog says where the table's partitions lie, and what they are"
BY_ID = "not asked: Spark finds the columns of Parquet files by their ids"

# What Spark keeps of the ids that Parquet files give their columns: it finds them by these where
# spark.sql.parquet.fieldId.read.enabled is true, which Delta sets in every session.
_FIELD_ID = '"parquet.field.id"'

# Reading a footer takes Python some 10 ms, in which a core scans as many values as this; the stage
# that reads them takes some 0.3 s, which is worth so many values, or bytes, of a scan.  Footers may
# turn out to say nothing.
VALUES_A_FOOTER = 250_000
VALUES_A_STAGE = 10_000_000
BYTES_A_STAGE = 32 * 2**20

# Checks other than plain ones on NULL that are put to statistics: Spark plans each anew.
MOST_CLAIMS = 128


@contextmanager
def proving(
    source: Resolved, plan: EnforcementPlan, *, stats: bool, memory: Memory | None = None
) -> Iterator[Proofs]:
    """Find out what is known of a source before any of its rows is read.

    One query over the list of its files, however many there are, decides all checks and counts
    the rows; footers are read where the log leaves a check open that they may decide.

    Args:
        source: what is checked.
        plan: what it is held to.
        stats: whether to ask statistics.
        memory: the ledger to ask; None for none.

    Raises:
        SourceError: where the log cannot be read.
    """
    snapshot, spark = source.snapshot, source.frame.sparkSession
    if not is_classic(spark):
        yield Proofs(source, plan, plan, OUT_OF_REACH if stats else OFF)
    elif snapshot is None:
        yield _parquet(source, plan) if stats else Proofs(source, plan, plan, OFF)
    else:
        with ExitStack() as held:
            try:
                found = _logged(source, plan, stats, memory, held)
                if stats:
                    found = _with_footers(found, held)
            except spark_errors() as error:
                reraise_cancelled(error)
                raise unreadable(snapshot, error) from error
            yield found


def _logged(
    source: Resolved,
    plan: EnforcementPlan,
    stats: bool,
    memory: Memory | None,
    held: ExitStack,
) -> Proofs:
    """Return what a table's log proves, and what the ledger remembers."""
    snapshot, spark = source.snapshot, source.frame.sparkSession
    assert snapshot is not None
    opened = open_snapshot(spark, snapshot)
    metadata = table_metadata(opened)
    columns, claims = table_columns(metadata), check_claims(plan)
    constrained = plan
    if stats:
        known = check_bounds(spark, metadata["configuration"], constrained_types(columns))
        constrained = _constrained(plan, claims, known)
        if constrained != plan and not constraints_were_checked(spark, opened):
            constrained = plan
    scanned = (at for at, check in enumerate(constrained.checks) if check.scanned)
    checks = tuple(sorted(scanned, key=lambda at: not is_plain(columns, claims.get(at, ()))))
    asked = _affordable([claims.get(check, ()) for check in checks], columns)
    listed = list_files(spark, opened)
    files = _with_removed(spark, opened, listed)
    shared = shared_names(columns, metadata)
    asks_for = partial(depends_on_writer, columns, shared=shared, vectors=has_vectors(metadata))
    if stats and any(asks_for(claim) for claims in asked for claim in claims):
        files = with_trusted(spark, opened, files)
    note = ""
    if memory is not None:
        try:
            files, facts = memory.recall(memory.key(snapshot, plan, columns), files)
            held.callback(facts.unpersist)
        except SourceError as error:
            note = str(error)
            memory = None
    # What the statistics say is no longer needed, and large.
    keep = [name for name in listed.columns if name != "stats"]
    keep += ["mask"] if memory else []
    judge = partial(judged, files, columns, asked, shared=shared, ids=checks, mute=not stats)

    def settled(files: Callable[..., Query]) -> tuple[Query, list[Group]]:
        verdicts = files(keep=keep)
        if memory is None:
            return verdicts, grouped(files(keep=["modificationTime"]))
        # Files are counted, some read, and what was found is remembered: three queries, of joins.
        whole = verdicts.frame().persist()
        held.callback(whole.unpersist)
        verdicts = Query.of(whole)
        return verdicts, grouped(verdicts)

    verdicts, groups = settled(judge)
    if stats and (since := replaced_at(spark, opened, metadata, groups)) is not None:
        verdicts, groups = settled(partial(judge, since=since))
    resolved = Resolved.of(source.frame, counted(snapshot, groups), source.info.name)
    return Proofs(
        resolved,
        plan,
        constrained,
        LOG if stats else OFF,
        checks,
        tuple(groups),
        claims,
        columns,
        opened,
        verdicts,
        note,
    )


def _affordable(
    checks: Sequence[Sequence[Claim]], columns: Mapping[str, Column]
) -> list[Sequence[Claim]]:
    """Drop what would take longer to plan than to scan: claims of wide tables.

    The first columns are kept: by default, statistics cover 32 of them.
    """
    places = {name: at for at, name in enumerate(columns)}
    costly = [at for at, claims in enumerate(checks) if claims and not is_plain(columns, claims)]
    costly.sort(key=lambda at: min((places[c.place[0]] for c in checks[at]), default=0))
    dropped = set(costly[MOST_CLAIMS:])
    return [() if at in dropped else claims for at, claims in enumerate(checks)]


def _with_removed(spark: SparkSession, opened: Any, files: Query) -> Query:
    """Mark files that the newest version no longer has: VACUUM may have removed them.

    The same goes for their deletion vectors.
    """
    newest = newest_of(opened)
    if newest.version() == opened.version():
        return files
    still = list_files(spark, newest, "newest")
    return files.within(
        f"""
        SELECT {", ".join(f"files.{name}" for name in files.columns)}, still.path IS NULL AS removed
        FROM (SELECT *, {DV_ID} AS dv FROM {{query}}) files
        LEFT JOIN (SELECT DISTINCT path, {DV_ID} AS dv FROM ({still.text})) still
        ON files.path = still.path AND files.dv = still.dv""",
        [*files.columns, "removed"],
        **still.frames,
    )


def _constrained(
    plan: EnforcementPlan, claims: Mapping[int, Sequence[Claim]], known: Mapping[Place, Bounds]
) -> EnforcementPlan:
    """Return the plan with the checks that CHECK constraints prove, which hold for all rows."""
    checks = list(plan.checks)
    for check, asked in claims.items() if known else ():
        if all(claim.holds(known) for claim in asked) and checks[check].scanned:
            checks[check] = checks[check]._replace(reason=Reason.CONSTRAINT)
    return plan._replace(checks=tuple(checks))


# --- footers --------------------------------------------------------------------------------------


def _with_footers(found: Proofs, held: ExitStack) -> Proofs:
    """Ask the footers of the files of which the log leaves a check open that they may decide."""
    try:
        return _asked_footers(found, held)
    except spark_errors() as error:
        return replace(found, statistics=f"{LOG}; {_failed(error)}")


def _failed(error: Exception) -> str:
    """Say that footers cannot be read, unless somebody has ended the run."""
    reraise_cancelled(error)
    return f"the footers of the files cannot be read: {first_line(error)}"


def _asked_footers(found: Proofs, held: ExitStack) -> Proofs:
    assert found.groups is not None
    assert found.files is not None
    open_checks = _worthwhile(found)
    claims = [found.claims[check] if check in open_checks else () for check in found.checks]
    asked = _affordable(claims, found.columns)
    wanted = wanted_leaves(found.plan.source, found.columns, asked)
    if not wanted:
        return found
    if mapping_mode(table_metadata(found.opened)) == "id":
        return found  # Spark finds the columns of such files by their ids, whatever their names
    names = found.files.columns[:-2]  # without the verdict
    places = [at for at, claims in enumerate(asked) if claims]
    unsure = " OR ".join(f"substr(pattern, {at + 2}, 1) = '{Proof.UNKNOWN.value}'" for at in places)
    root = str(found.opened.deltaLog().dataPath().toUri().toString())
    kept = ", ".join(names)
    known = found.files.within(
        f"SELECT {kept}, kept AS told, pattern AS known, "
        f"kept IS NOT NULL AND ({unsure}) AS open FROM {{query}}",
        [*names, "told", "known", "open"],
    )
    entries = known.ask("SELECT * FROM {query} WHERE open")
    number = sum(group.files for group in found.groups if group.is_read)
    read = Query.of(footers_of(entries, wanted, root, number))
    kept_too = [*names, "told", "known"]
    again = judged(
        read,
        found.columns,
        asked,
        shared=None,
        ids=found.checks,
        statistics="footer",
        keep=kept_too,
    )
    # A footer that counts other rows than the log is none of the same file.
    best = ", ".join(
        f"IF(substr(known, {at}, 1) = '{Proof.UNKNOWN.value}', substr(pattern, {at}, 1), "
        f"substr(known, {at}, 1))"
        for at in range(2, len(found.checks) + 2)
    )
    decided = again.ask(
        f"SELECT {kept}, told AS kept, IF(kept <=> told, "
        f"concat(substr(known, 1, 1), {best}), known) AS pattern "
        "FROM {query}"
    )
    others = known.ask(
        f"SELECT {kept}, told AS kept, known AS pattern FROM {{query}} WHERE NOT open"
    )
    # Groups are read after they are counted: the footers must not be read again for that.
    whole = decided.unionAll(others).persist()
    held.callback(whole.unpersist)
    files = Query.of(whole)
    return replace(found, statistics=BOTH, groups=tuple(grouped(files)), files=files)


def _worthwhile(found: Proofs) -> set[int]:
    """Return the open checks for which reading footers costs less than reading rows."""
    open_checks: set[int] = set()
    values = files = 0
    for group in found.groups or ():
        left = {
            check
            for check, proof in found.known(group).items()
            if proof is Proof.UNKNOWN and check in found.claims
        }
        if left and group.rows * len(left) >= VALUES_A_FOOTER * group.files:
            open_checks |= left
            values += group.rows * len(left)
            files += group.files
    return open_checks if values >= VALUES_A_STAGE + VALUES_A_FOOTER * files else set()


def unasked(source: Resolved) -> str:
    """Say why statistics cannot be asked of a source; nothing where they can."""
    if not is_classic(source.frame.sparkSession):
        return OUT_OF_REACH
    if source.snapshot is not None:
        return ""
    if source.info.kind != "parquet":
        return UNPINNED
    if source.partitioned:
        return BY_CATALOG
    return BY_ID if _FIELD_ID in source.frame.schema.json() else ""


def _parquet(source: Resolved, plan: EnforcementPlan) -> Proofs:
    """Return what the footers of Parquet files prove; in all of them, as all are read or none."""
    if unable := unasked(source):
        return Proofs(source, plan, plan, unable)
    checks = tuple(at for at, check in enumerate(plan.checks) if check.scanned)
    claims, schema = check_claims(plan), schema_columns(source.frame.schema.json())
    asked = _affordable([claims.get(check, ()) for check in checks], schema)
    if scan_size(source.frame) < BYTES_A_STAGE:
        return Proofs(source, plan, plan, SMALL)
    # Spark has the list on the driver already.
    uris = source.frame.inputFiles()
    columns = without_folders(schema, uris)
    wanted = wanted_leaves(plan.source, columns, asked)
    if not wanted or not uris:
        return Proofs(source, plan, plan, NOTHING)
    try:
        files = Query.of(footers_of(listed_files(source.frame, uris), wanted, "", len(uris)))
        judge = judged(files, columns, asked, shared=None, statistics="footer")
        group = merged(grouped(judge))
    except spark_errors() as error:
        return Proofs(source, plan, plan, _failed(error))
    return Proofs(source, plan, plan, FOOTERS, checks, (group,), claims, columns)
