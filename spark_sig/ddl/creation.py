"""Creations: a new Delta table whose columns are those of a signature."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spark_sig.compile.spark import source_schema, to_spark
from spark_sig.ddl.constraint import Constraint, Unenforced, plan_constraints
from spark_sig.delta.log import first_line, reraise_cancelled, spark_errors
from spark_sig.delta.places import Place
from spark_sig.errors import SignatureError, SourceError
from spark_sig.naming import member_path
from spark_sig.planner import plan_enforcement
from spark_sig.policy import Policy
from spark_sig.render.forms import spark_ddl
from spark_sig.render.text import printable
from spark_sig.signature import load_signature
from spark_sig.sqltext import quoted

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql import types as T

    from spark_sig.signature import SignatureSource


# What Delta refuses in names of columns that it does not map.
_UNMAPPED = frozenset(" ,;{}()\n\t=")


@dataclass(frozen=True, slots=True)
class Creation:
    """A new Delta table whose columns are those of a signature.

    Args:
        table: the table, as it was called.
        statements: those that make it, in order.
        unenforced: checks that the table cannot make.
    """

    table: str
    statements: tuple[str, ...]
    unenforced: tuple[Unenforced, ...] = ()

    def __str__(self) -> str:
        """Return a script: statements, and comments on what they leave open."""
        lines = [f"{statement};" for statement in self.statements]
        open_ = [f"-- not enforced: {printable(str(one))}" for one in self.unenforced]
        return "\n".join([*lines, *open_])

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "table": self.table,
            "statements": list(self.statements),
            "unenforced": [one.to_dict() for one in self.unenforced],
        }

    def to_json(self) -> str:
        """Return it as JSON text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def apply(self, spark: SparkSession) -> None:
        """Make the table.

        Raises:
            SourceError: where a statement fails; those before it stay carried out.
        """
        for statement in self.statements:
            try:
                spark.sql(statement)
            except spark_errors() as error:
                reraise_cancelled(error)
                raise SourceError(f"{first_line(error)}, by {statement}") from error


def delta_table(
    signature: SignatureSource,
    table: str | os.PathLike[str],
    *,
    side: str = "inputs",
    policy: Policy | None = None,
    spark: SparkSession,
) -> Creation:
    """Write the statements that make a Delta table which enforces a signature.

    Required columns are NOT NULL, as are required members of structs that are required all the way
    up: Delta refuses a NULL struct where a member of it is NOT NULL.  Other members, and NaN where
    the policy rejects it, are refused by CHECK constraints.

    Args:
        signature: a signature, or anything that loads as one.
        table: path or name of the table.
        side: ``inputs`` or ``outputs``.
        policy: the choices that the signature leaves open; the default ones where None.
        spark: the session, which says what the name means.

    Raises:
        SignatureError: where SQL has no type for a column.
        SourceError: where the name means none.
    """
    name, schema = os.fspath(table), load_signature(signature).side(side)
    struct = _enforceable(to_spark(schema))
    sql = Place.of(spark, name, lambda what: SourceError(f"{name} is {what}")).sql
    plan = plan_enforcement(source_schema(struct), schema, policy, spark=True, enforced=True)
    wanted = tuple(plan_constraints(plan))
    columns = ",\n".join(f"  {_column(field)}" for field in struct.fields)
    checks = (
        f"ALTER TABLE {sql} ADD CONSTRAINT {quoted(one.name)} CHECK ({one.sql})"
        for one in wanted
        if isinstance(one, Constraint)
    )
    mapping = "\nTBLPROPERTIES ('delta.columnMapping.mode' = 'name')" if _mapped(struct) else ""
    return Creation(
        name,
        (f"CREATE TABLE {sql} (\n{columns}\n) USING DELTA{mapping}", *checks),
        tuple(one for one in wanted if isinstance(one, Unenforced)),
    )


def _mapped(struct: T.StructType) -> bool:
    """Say whether Parquet has no such names, so that Delta has to map them."""
    from pyspark.sql import types as T

    return any(
        not _UNMAPPED.isdisjoint(member.name)
        for dtype in _parts(struct)
        if isinstance(dtype, T.StructType)
        for member in dtype.fields
    )


def _column(field: T.StructField) -> str:
    from pyspark.sql import types as T

    for dtype in _parts(field.dataType):
        if isinstance(dtype, (T.NullType, T.UserDefinedType)):
            raise SignatureError(
                f"Spark's SQL has no type for {dtype.simpleString()}",
                path=member_path("$", field.name),
                remedy="write a DataFrame to make the table",
            )
    flag = "" if field.nullable else " NOT NULL"
    return f"{quoted(field.name)} {spark_ddl(field.dataType)}{flag}"


def _parts(dtype: T.DataType) -> Iterator[T.DataType]:
    from pyspark.sql import types as T

    yield dtype
    match dtype:
        case T.ArrayType():
            yield from _parts(dtype.elementType)
        case T.MapType():
            yield from _parts(dtype.valueType)
        case T.StructType():
            for member in dtype.fields:
                yield from _parts(member.dataType)
        case _:
            return


def _enforceable(dtype: T.StructType, *, present: bool = True) -> T.StructType:
    """Return columns with those NOT NULL flags alone that Delta enforces, and rightly so."""
    from pyspark.sql import types as T

    def relaxed(kind: T.DataType, present: bool) -> T.DataType:
        match kind:
            case T.StructType():
                return _enforceable(kind, present=present)
            case T.ArrayType():
                return T.ArrayType(relaxed(kind.elementType, False), True)
            case T.MapType():
                return T.MapType(kind.keyType, relaxed(kind.valueType, False), True)
            case _:
                return kind

    fields = []
    for field in dtype.fields:
        there = present and not field.nullable
        fields.append(T.StructField(field.name, relaxed(field.dataType, there), not there))
    return T.StructType(fields)
