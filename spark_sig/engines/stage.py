"""The Arrow stage: carries plans out on executors, through ``mapInArrow``."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import pyarrow as pa

from spark_sig.compile.spark import output_struct, relaxed
from spark_sig.engines.catalyst import numbered
from spark_sig.errors import SignatureError
from spark_sig.kernels.tasks import TALLY, Enforce, Merge, Summarise, SummariseDetails
from spark_sig.naming import member_path, opaque_type
from spark_sig.plan import EnforcementPlan, FieldPlan
from spark_sig.planner import ORIGINAL, VIOLATIONS
from spark_sig.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

_TALLY_DDL = f"{TALLY.names[0]} string"


def partial_tallies(
    df: DataFrame,
    plan: EnforcementPlan,
    fields: Sequence[FieldPlan],
    keys: Sequence[str],
    details: str | None,
) -> DataFrame:
    """Tally every row of a DataFrame, checking some fields in Arrow; a row for each partition.

    Args:
        df: the rows, their columns numbered.
        plan: what they are held to.
        fields: the fields to check here; only their columns are shipped to Python.
        keys: source columns of the row key.
        details: SQL of what Catalyst finds in the same row, as an array of check ids and
            observations; None where nothing is left to it.
    """
    refuse_opaque(plan, (field.source for field in fields))
    wanted = {field.source for field in fields}
    inputs = tuple((f"c{i}", name) for i, name in enumerate(plan.source.names) if i in wanted)
    places = {name: i for i, name in enumerate(plan.source.names)}
    columns = [alias for alias, _ in inputs]
    columns += [f"c{places[key]} AS k{i}" for i, key in enumerate(keys)]
    if details is not None:
        columns.append(f"{details} AS d")
    key_names = tuple(f"k{i}" for i in range(len(keys)))
    task = Summarise(plan, tuple(fields), inputs, key_names, None if details is None else "d")
    return df.selectExpr(*columns).mapInArrow(task.__call__, _TALLY_DDL)


def group_tallies(groups: DataFrame, limit: int) -> DataFrame:
    """Tally groups of like rows, with the columns ``detail`` and ``count``."""
    return groups.mapInArrow(SummariseDetails(limit).__call__, _TALLY_DDL)


def merged_tally(partials: Sequence[DataFrame], limit: int) -> Tally:
    """Add up what partial tallies hold, in one query."""
    whole = reduce(type(partials[0]).unionAll, partials)
    # One row comes back, however many partitions there are.
    rows = whole.repartition(1).mapInArrow(Merge(limit).__call__, _TALLY_DDL).collect()
    # Adaptive execution may drop the whole stage where the input turns out empty.
    return Tally.total((Tally.loads(row[0]) for row in rows), limit)


def enforce_rows(df: DataFrame, plan: EnforcementPlan) -> DataFrame:
    """Return the rows of a DataFrame as a plan wants them, all of it done in Arrow."""
    tagged = plan.policy.on_violation == "tag"
    wanted = {field.source for field in plan.fields}
    if tagged:
        wanted |= set(range(len(plan.source)))
    refuse_opaque(plan, wanted)
    inputs = tuple((f"c{i}", name) for i, name in enumerate(plan.source.names) if i in wanted)
    # Without any column, the stage would lose the number of rows.
    columns = [alias for alias, _ in inputs] or ["CAST(NULL AS int) AS none"]
    struct = output_struct(plan.output, df.schema, plan)
    if tagged:
        struct = tagged_struct(struct, df.schema, plan.policy.show_values)
    refuse_validated(df, struct)
    output = declared(struct)
    task = Enforce(plan, inputs, output)
    return numbered(df, plan).selectExpr(*columns).mapInArrow(task.__call__, struct)


def tagged_struct(output: StructType, source: StructType, show_values: bool) -> StructType:
    """Return the columns that come out in tag mode."""
    from pyspark.sql import types as T

    names = ["path", "code", "expected", "observed", *(["value"] if show_values else [])]
    violation = T.StructType([T.StructField(name, T.StringType()) for name in names])
    return T.StructType(
        [
            *output.fields,
            T.StructField(VIOLATIONS, T.ArrayType(violation)),
            T.StructField(ORIGINAL, relaxed(source)),
        ]
    )


def declared(struct: StructType) -> pa.Schema:
    """Return the Arrow schema that Spark reads a stage's batches with."""
    from pyspark.sql.pandas.types import to_arrow_schema

    try:
        return to_arrow_schema(struct, timezone="UTC")
    except TypeError:  # Spark 3.5 always means UTC
        return to_arrow_schema(struct)


_VALIDATE = "spark.sql.execution.arrow.pyspark.validateSchema.enabled"


def refuse_validated(df: DataFrame, struct: StructType) -> None:
    """Refuse vectors where Spark compares schemas: it holds no batch to have a vector.

    Raises:
        SignatureError: where columns that come out hold one, and Spark is set so.
    """
    # by text, as vectors may lie at any level
    if '"type":"udt"' not in struct.json():
        return
    if df.sparkSession.conf.get(_VALIDATE, "false") == "true":
        raise SignatureError(
            f"Spark takes no ML vectors back from Python where {_VALIDATE} is true",
            remedy=f"set {_VALIDATE} to false",
        )


def refuse_opaque(plan: EnforcementPlan, places: Iterable[int | None]) -> None:
    """Refuse columns of a source that Spark cannot ship to Python.

    Args:
        plan: made for the source.
        places: those of the columns to ship; None for one that the source lacks.

    Raises:
        SignatureError: where one is of such a type.
    """
    for place in places:
        if place is not None:
            column = plan.source.field(place)
            found = opaque_type(column)
            if found is not None:
                raise SignatureError(
                    f"a column of type {found} cannot be shipped to Python",
                    path=member_path("$", column.name),
                    remedy="drop or cast it first; engine='auto' takes it where no column needs "
                    "Python",
                )
