"""Forms: a signature as text, in each of the languages that know one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

import yaml

from spark_sig.compile.arrow import to_arrow
from spark_sig.errors import assert_never
from spark_sig.odcs import contract_yaml
from spark_sig.render.signature import tables
from spark_sig.render.text import aligned_rows, printable
from spark_sig.signature import SIDES, ModelSignature
from spark_sig.sqltext import quoted

if TYPE_CHECKING:
    from pyspark.sql import types as st

    from spark_sig.schema import Schema


class Form(Enum):
    """A language that a signature is written in."""

    TABLE = "table"
    JSON = "json"
    ARROW = "arrow"
    SPARK = "spark"
    MLFLOW = "mlflow"
    ODCS = "odcs"


def signature_form(signature: ModelSignature, form: Form) -> str:
    """Return a signature in one of its forms.

    Args:
        signature: the signature.
        form: ``TABLE``: lines to read; ``JSON``: MLflow's document, its sides as JSON values and
            not as text; ``ARROW``: the Arrow schema of each side; ``SPARK``: the columns of each
            side as Spark's DDL; ``MLFLOW``: the block of an MLmodel file; ``ODCS``: a data
            contract of the Open Data Contract Standard.

    Raises:
        SignatureError: where Arrow or Spark has no type for a tensor.

    Example:
        >>> from spark_sig.schema import ColSpec, Schema
        >>> signature = ModelSignature(inputs=Schema([ColSpec("long", "a b")]))
        >>> print(signature_form(signature, Form.SPARK))
        -- inputs
        `a b` BIGINT NOT NULL
    """
    match form:
        case Form.TABLE:
            return "\n\n".join("\n".join(_lines(*table)) for table in tables(signature))
        case Form.JSON:
            return json.dumps(signature_values(signature), indent=2)
        case Form.ARROW:
            return _sides(signature, "#", _arrow)
        case Form.SPARK:
            return _sides(signature, "--", _ddl)
        case Form.MLFLOW:
            block = {"signature": signature.to_dict()}
            return yaml.safe_dump(block, sort_keys=False, width=sys.maxsize).strip()
        case Form.ODCS:
            return contract_yaml(signature).rstrip()
        case _:
            assert_never(form)


def signature_values(signature: ModelSignature) -> dict[str, Any]:
    """Return MLflow's document, the sides as JSON values and not as text."""
    return {
        side: None if text is None else json.loads(text)
        for side, text in signature.to_dict().items()
    }


def _lines(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield title
    shown = [tuple(map(printable, row)) for row in (head, *rows)]
    yield from (f"  {line}" for line in aligned_rows(shown))


def _sides(signature: ModelSignature, mark: str, write: Callable[[Schema], str]) -> str:
    found = ((side, getattr(signature, side)) for side in SIDES)
    return "\n\n".join(
        f"{mark} {side}\n{write(schema)}" for side, schema in found if schema is not None
    )


def _arrow(schema: Schema) -> str:
    # metadata only matters to who reads it back
    return str(to_arrow(schema).to_string(show_field_metadata=False, show_schema_metadata=False))


def _ddl(schema: Schema) -> str:
    from spark_sig.compile.spark import to_spark

    return ",\n".join(
        f"{quoted(field.name)} {spark_ddl(field.dataType)}{'' if field.nullable else ' NOT NULL'}"
        for field in to_spark(schema).fields
    )


def spark_ddl(dtype: st.DataType) -> str:
    """Write a Spark type as SQL: Spark itself needs a session for it.

    Args:
        dtype: the type; NOT NULL inside arrays and maps cannot be said.
    """
    from pyspark.sql import types as st

    if isinstance(dtype, st.ArrayType):
        return f"ARRAY<{spark_ddl(dtype.elementType)}>"
    if isinstance(dtype, st.MapType):
        return f"MAP<{spark_ddl(dtype.keyType)}, {spark_ddl(dtype.valueType)}>"
    if isinstance(dtype, st.StructType):
        members = (
            f"{quoted(member.name)}: {spark_ddl(member.dataType)}"
            + ("" if member.nullable else " NOT NULL")
            for member in dtype.fields
        )
        return f"STRUCT<{', '.join(members)}>"
    return dtype.simpleString().upper()
