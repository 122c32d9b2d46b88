"""Histories: tables that anything may have happened to, compared with and without proofs.

``make nightly`` runs hundreds of them; ``SPARK_SIG_HISTORIES`` says how many.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

import deltalake
import pytest
from hypothesis import Phase, currently_in_test_context, given, note, settings
from hypothesis import strategies as st
from pyspark.sql import types as T

from spark_sig.gate import prove
from spark_sig.sqltext import quoted
from tests.histories import LOSSLESS, NAN, checkpoint, compare, held, setting
from tests.test_statistics import write

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

HISTORIES = int(os.environ.get("SPARK_SIG_HISTORIES", "1"))


class Start(NamedTuple):
    """How a table is made."""

    mapping: str
    partitioned: bool
    vectors: bool
    struct_statistics: bool
    v2: bool
    footers: bool
    arrays: bool


class Step(NamedTuple):
    """One change; the seed chooses columns, rows and values."""

    action: str
    seed: int


# --- rows ----------------------------------------------------------------------------------------

COLUMNS: Mapping[str, str] = {
    "p": "INT",
    "a": "BIGINT",
    "b": "BIGINT",
    "i": "INT",
    "x": "DOUBLE",
    "d": "DECIMAL(38,0)",
    "day": "DATE",
    "t": "STRING",
    "s": "STRUCT<x: BIGINT, y: BIGINT>",
    "l": "ARRAY<BIGINT>",
}

# Values that fit what a column is held to, and values at its edges, by type.
VALUES: Mapping[type[T.DataType], list[str]] = {
    T.IntegerType: ["16777216", "16777217", "-2147483648", "1"],
    T.LongType: ["2147483647", "2147483648", "9223372036854775807", "-2147483648", "5"],
    T.DoubleType: ["CAST('NaN' AS double)", "CAST('-Infinity' AS double)", "-0.0D", "0.5D"],
    T.DecimalType: ["9223372036854775807BD", "9223372036854775808BD", "-9223372036854775808BD"],
    T.DateType: ["date_from_unix_date(106751991)", "date_from_unix_date(106751992)"],
    T.StringType: ["''", f"'{'x' * 33}'"],
}

FITTING = {T.DateType: "DATE'2024-01-31'", T.StringType: "'x'"}


def value(dtype: T.DataType, chance: random.Random) -> str:
    """Return SQL for a value: in a file none is NULL, some are, or all; few are at an edge."""
    if isinstance(dtype, T.StructType):
        members = ", ".join(f"'{f.name}', {value(f.dataType, chance)}" for f in dtype.fields)
        plain = f"named_struct({members})"
    elif isinstance(dtype, T.ArrayType):
        plain = f"array(id, {value(dtype.elementType, chance)})"
    else:
        edge = chance.choice(VALUES[type(dtype)])
        plain = FITTING.get(type(dtype), "id % 100")
        if chance.random() < 0.4:
            plain = f"IF(id % 5 = {chance.randrange(5)}, {edge}, {plain})"
    holes = chance.choice([0, 0, 0, 1, 1, 4])
    plain = f"CAST({plain} AS {dtype.simpleString()})"
    return f"IF(id % 4 < {holes}, NULL, {plain})" if holes else plain


def batch(
    spark: SparkSession, schema: T.StructType, chance: random.Random, start: int
) -> DataFrame:
    """Return rows of every column of a schema."""
    columns = [
        f"CAST(id % 3 AS int) AS {f.name}"
        if f.name == "p" and chance.random() < 0.8
        else f"{value(f.dataType, chance)} AS {quoted(f.name)}"
        for f in schema.fields
        if f.name != "id"
    ]
    few = spark.range(start, start + chance.choice([1, 6, 10]), 1, 1)
    return few.selectExpr("id", *columns)


# --- steps ---------------------------------------------------------------------------------------


class History:
    """A table, and what is done to it."""

    def __init__(self, spark: SparkSession, path: Path, start: Start) -> None:
        self.spark, self.path, self.start = spark, path, start
        self.table = f"delta.`{path}`"
        self.rows = 0
        self.constrained = False
        options = {
            "delta.enableDeletionVectors": str(start.vectors).lower(),
            "delta.columnMapping.mode": start.mapping,
            "delta.enableTypeWidening": "true",
            "delta.checkpoint.writeStatsAsJson": str(not start.struct_statistics).lower(),
            "delta.checkpoint.writeStatsAsStruct": str(start.struct_statistics).lower(),
            "delta.checkpointPolicy": "v2" if start.v2 else "classic",
        }
        properties = ", ".join(f"'{name}' = '{value}'" for name, value in options.items())
        # In tables with arrays, statistics of other writers are not believed at all.
        taken = {n: kind for n, kind in COLUMNS.items() if start.arrays or "ARRAY" not in kind}
        columns = ", ".join(f"{name} {kind}" for name, kind in taken.items())
        spark.sql(
            f"CREATE TABLE {self.table} (id BIGINT, {columns}) USING delta"
            f" {'PARTITIONED BY (p)' if start.partitioned else ''} TBLPROPERTIES ({properties})"
        )

    @property
    def schema(self) -> T.StructType:
        return self.schema_at(None)

    def schema_at(self, version: int | None) -> T.StructType:
        reader = self.spark.read.format("delta")
        reader = reader if version is None else reader.option("versionAsOf", version)
        return reader.load(str(self.path)).schema

    @property
    def version(self) -> int:
        found = self.spark.sql(f"DESCRIBE HISTORY {self.table} LIMIT 1").collect()
        return int(found[0]["version"])

    def sql(self, text: str) -> None:
        self.spark.sql(text.replace("{t}", self.table))

    def new_rows(self, chance: random.Random) -> DataFrame:
        self.rows += 10
        return batch(self.spark, self.schema, chance, self.rows)

    def column(self, chance: random.Random, *kinds: type[T.DataType]) -> T.StructField:
        kept = {"id", "p"}
        return chance.choice(
            [f for f in self.schema.fields if f.name not in kept and isinstance(f.dataType, kinds)]
        )

    def set(self, **properties: str) -> None:
        listed = ", ".join(f"'delta.{name}' = '{value}'" for name, value in properties.items())
        self.sql(f"ALTER TABLE {{t}} SET TBLPROPERTIES ({listed})")

    def unconstrained(self) -> None:
        """Drop the constraint, which most steps would violate; one that RESTORE brought, too."""
        if self.constrained:
            self.sql("ALTER TABLE {t} DROP CONSTRAINT IF EXISTS fine")


def append(history: History, chance: random.Random) -> None:
    write(history.new_rows(chance), history.path, "append")


def append_few_columns(history: History, chance: random.Random) -> None:
    frame = history.new_rows(chance)
    some = [name for name in frame.columns if name in ("id", "p") or chance.random() < 0.6]
    write(frame.select(*some), history.path, "append")


def append_without_statistics(history: History, chance: random.Random) -> None:
    with setting(history.spark, "spark.databricks.delta.stats.collect", "false"):
        append(history, chance)


def append_of_others(history: History, chance: random.Random) -> None:
    """Let delta-rs write a table, and list its files in this one, as delta-rs would."""
    if history.start.mapping != "none":
        append(history, chance)  # it knows of no mapping
        return
    from pyspark.sql import functions as F

    new, latest = history.new_rows(chance), F.lit("9999-12-31").cast("date")
    for field in new.schema.fields:
        if isinstance(field.dataType, T.DateType):  # the library's own end in the year 262143
            column = F.col(field.name)
            new = new.withColumn(field.name, F.when(column > latest, latest).otherwise(column))
    rows = new.toArrow()
    other = history.path.with_name(f"other-{history.rows}")
    by = ["p"] if history.start.partitioned else None
    deltalake.write_deltalake(str(other), rows, partition_by=by)
    lines = (other / "_delta_log" / f"{0:020}.json").read_text().splitlines()
    kept = [line for line in lines if json.loads(line).keys() & {"add", "commitInfo"}]
    for line in kept:
        if added := json.loads(line).get("add"):
            target = history.path / unquote(added["path"])
            target.parent.mkdir(exist_ok=True)
            shutil.copy(other / unquote(added["path"]), target)
    commit = history.path / "_delta_log" / f"{history.version + 1:020}.json"
    commit.write_text("\n".join(kept) + "\n")


def replace_part(history: History, chance: random.Random) -> None:
    """Replace the table, properties and id and all, but for the rows of other partitions."""
    if history.start.mapping != "none" or not history.start.partitioned:
        append(history, chance)  # files would be read by other names, or all of them go
        return
    from pyspark.sql import functions as F

    part = chance.randrange(3)
    rows = history.new_rows(chance).withColumn("p", F.lit(part).cast(history.schema["p"].dataType))
    replaced = rows.writeTo(history.table).using("delta").partitionedBy("p")
    replaced.option("replaceWhere", f"p = {part}").createOrReplace()


def delete(history: History, chance: random.Random) -> None:
    name = history.column(chance, T.DataType).name
    numbers = history.column(chance, T.LongType, T.IntegerType).name
    what = chance.choice(
        [
            f"{name} IS NULL",
            f"{name} IS NOT NULL",
            f"{numbers} > 1000 OR {numbers} < 0",
            f"id % 3 = {chance.randrange(3)}",
            "id % 10 = 4",
            f"id BETWEEN {history.rows} AND {history.rows + 9}",
            "true",
        ]
    )
    history.sql(f"DELETE FROM {{t}} WHERE {what}")


def update(history: History, chance: random.Random) -> None:
    field = history.column(chance, T.DataType)
    new = chance.choice(["NULL", value(field.dataType, chance)])
    part = chance.choice(["id % 10 = 3", f"{field.name} IS NULL", "id % 2 = 1"])
    history.sql(f"UPDATE {{t}} SET {field.name} = {new} WHERE {part}")


def merge(history: History, chance: random.Random) -> None:
    start = max(history.rows - 5, 0)
    batch(history.spark, history.schema, chance, start).createOrReplaceTempView("incoming")
    matched = chance.choice(["DELETE", "UPDATE SET *"])
    history.sql(
        "MERGE INTO {t} t USING incoming u ON t.id = u.id"
        f" WHEN MATCHED THEN {matched} WHEN NOT MATCHED THEN INSERT *"
    )


def optimize(history: History, chance: random.Random) -> None:
    history.sql(chance.choice(["OPTIMIZE {t}", "REORG TABLE {t} APPLY (PURGE)"]))


def overwrite(history: History, chance: random.Random) -> None:
    frame = history.new_rows(chance).selectExpr("* EXCEPT (p)", "1 AS p")
    frame = frame.select(*history.schema.names)
    if history.start.partitioned and chance.random() < 0.5:
        write(frame, history.path, "overwrite", partitionOverwriteMode="dynamic")
    else:
        write(frame, history.path, "overwrite", replaceWhere="p = 1")


def add(history: History, chance: random.Random) -> None:
    kind = chance.choice(["BIGINT", "INT", "DOUBLE", "STRUCT<x: BIGINT, y: BIGINT>"])
    history.sql(f"ALTER TABLE {{t}} ADD COLUMN n{len(history.schema.names)} {kind}")


def add_member(history: History, chance: random.Random) -> None:
    field = history.column(chance, T.StructType)
    assert isinstance(field.dataType, T.StructType)
    new = f"z{len(field.dataType.names)}"
    history.sql(f"ALTER TABLE {{t}} ADD COLUMN {field.name}.{new} BIGINT")


def swap(history: History, chance: random.Random) -> None:
    """Give two columns of one type each other's name."""
    history.unconstrained()
    one, other = history.column(chance, T.LongType), history.column(chance, T.LongType)
    if one.name != other.name:
        for change in (f"{one.name} TO spare", f"{other.name} TO {one.name}"):
            history.sql(f"ALTER TABLE {{t}} RENAME COLUMN {change}")
        history.sql(f"ALTER TABLE {{t}} RENAME COLUMN spare TO {other.name}")


def drop_and_add(history: History, chance: random.Random) -> None:
    """Replace a column by another one of that name."""
    history.unconstrained()
    field = history.column(chance, T.AtomicType)
    history.sql(f"ALTER TABLE {{t}} DROP COLUMN {field.name}")
    history.sql(f"ALTER TABLE {{t}} ADD COLUMN {field.name} {field.dataType.simpleString()}")


def widen(history: History, chance: random.Random) -> None:
    history.unconstrained()
    narrow = [f.name for f in history.schema.fields if isinstance(f.dataType, T.IntegerType)]
    name = chance.choice([name for name in narrow if name != "p"] or ["a"])
    history.sql(f"ALTER TABLE {{t}} ALTER COLUMN {name} TYPE BIGINT")


def restore(history: History, chance: random.Random) -> None:
    history.sql(f"RESTORE TABLE {{t}} TO VERSION AS OF {chance.randrange(history.version + 1)}")


def vectors(history: History, chance: random.Random) -> None:
    history.set(enableDeletionVectors=chance.choice(["true", "false"]))


def cover(history: History, chance: random.Random) -> None:
    history.set(dataSkippingNumIndexedCols=chance.choice(["0", "3", "6", "-1"]))


def constrain(history: History, chance: random.Random) -> None:
    history.unconstrained()
    name = history.column(chance, T.LongType).name
    fine = f"{name} BETWEEN 0 AND 1000"
    history.sql(f"DELETE FROM {{t}} WHERE NOT ({fine}) OR {name} IS NULL")
    history.sql(f"ALTER TABLE {{t}} ADD CONSTRAINT fine CHECK ({fine})")
    history.constrained = True


def point(history: History, chance: random.Random) -> None:
    checkpoint(history.spark, history.path)


ANYWHERE: Mapping[str, Callable[[History, random.Random], None]] = {
    step.__name__: step
    for step in (
        *(append, append_few_columns, append_without_statistics, append_of_others, replace_part),
        *(delete, update, merge),
        *(optimize, overwrite, add, add_member, widen, restore, vectors, cover, point, constrain),
    )
}
MAPPED_ONLY: Mapping[str, Callable[[History, random.Random], None]] = {
    step.__name__: step for step in (swap, drop_and_add)
}
STEPS = {**ANYWHERE, **MAPPED_ONLY}
UNMAPPED_ONLY = {append_of_others.__name__, replace_part.__name__}


# --- the property --------------------------------------------------------------------------------

starts = st.builds(
    Start,
    st.sampled_from(["name", "id", "name", "none"]),
    st.booleans(),
    st.sampled_from([True, True, False]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
# Rows come and go more often than anything else happens.
FREQUENT = ["append", "append_of_others", "delete", "delete", "update", "merge"]
steps = st.lists(
    st.builds(Step, st.sampled_from([*STEPS, *FREQUENT]), st.integers(0, 2**16)),
    min_size=2,
    max_size=6,
)


@pytest.fixture(scope="module")
def proven() -> Iterator[Counter[str]]:
    """Files by what decided their checks: a test of nothing but scans would show nothing."""
    found: Counter[str] = Counter()
    yield found
    assert found["stats"] >= sum(found.values()) / 10


def look(history: History, seed: int, proven: Counter[str], version: int | None = None) -> None:
    """Compare; what is asked is the same at each look, so that a ledger knows something of it."""
    schema = history.schema_at(version)
    places = [f.name for f in schema.fields]
    places += [
        f"{f.name}.{m.name}"
        for f in schema.fields
        if isinstance(f.dataType, T.StructType)
        for m in f.dataType.fields
    ]
    optional = [place for place in places if random.Random(f"{seed} {place}").random() < 0.3]
    one = held(schema, optional=optional, policy=random.Random(seed).choice([LOSSLESS, NAN]))
    ledger = history.path.with_name("ledger")
    report = compare(history.spark, history.path, one, version=version, ledger=ledger)
    for check in report.checks:
        for part in check.decided:
            proven[part.rung.value] += part.files or 0


@contextmanager
def cheap_footers() -> Iterator[None]:
    """Have footers read, however few rows they stand for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prove, "VALUES_A_FOOTER", 0)
        patch.setattr(prove, "VALUES_A_STAGE", 0)
        yield


def run(
    spark: SparkSession, folder: Path, start: Start, changes: list[Step], proven: Counter[str]
) -> None:
    with cheap_footers() if start.footers else nullcontext():
        _run(spark, folder, start, changes, proven)


def _run(
    spark: SparkSession, folder: Path, start: Start, changes: list[Step], proven: Counter[str]
) -> None:
    history = History(spark, folder / "t", start)
    append(history, random.Random(len(changes)))
    middle = len(changes) // 2
    for at, (action, seed) in enumerate(changes):
        if start.mapping == "none" and action in MAPPED_ONLY:
            action = "append"
        chance = random.Random(seed)
        if action not in ("optimize", "vectors", "cover", "point"):
            history.unconstrained()
        if currently_in_test_context():
            note(f"version {history.version}: {action}")
        STEPS[action](history, chance)
        if at in (middle, len(changes) - 1):
            look(history, changes[0].seed, proven)
    last = random.Random(changes[-1].seed)
    look(history, changes[0].seed, proven, last.randrange(history.version + 1))


@pytest.mark.slow
@settings(
    max_examples=HISTORIES,
    # Each example costs seconds: what fails is told whole, and not made smaller.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    print_blob=True,
)
@given(start=starts, changes=steps)
def test_no_history_makes_a_difference(
    spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
    proven: Counter[str],
    start: Start,
    changes: list[Step],
) -> None:
    folder = tmp_path_factory.mktemp("history")
    run(spark, folder, start, changes, proven)
    shutil.rmtree(folder)


@pytest.mark.nightly
@pytest.mark.parametrize("action", STEPS)
def test_every_step_between_appends_and_deletes(
    spark: SparkSession, tmp_path: Path, proven: Counter[str], action: str
) -> None:
    """However few histories are run, each kind of step is in one."""
    start = Start(
        "none" if action in UNMAPPED_ONLY else "name",
        partitioned=True,
        vectors=True,
        struct_statistics=False,
        v2=False,
        footers=True,
        arrays=action not in UNMAPPED_ONLY,
    )
    changes: list[Any] = ["append", "delete", action, "append", action, "merge"]
    run(spark, tmp_path, start, [Step(one, 7 + at) for at, one in enumerate(changes)], proven)
