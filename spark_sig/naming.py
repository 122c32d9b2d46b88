"""Names: how reports write those of places and types, and how a policy compares them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from spark_sig.casts import Kind, kind_of
from spark_sig.errors import SignatureError
from spark_sig.policy import Policy
from spark_sig.types import ColumnType

# Field metadata that carries what only Spark knows (written by compile.spark).
SPARK_TYPE = b"spark_sig.spark"
# ... its value for VectorUDT.
VECTOR = "vector"

# Metadata of a field whose NOT NULL flag nothing enforces, though its table is one that does.
IMPOSED = b"spark_sig.imposed"


def member_path(parent: str, name: str) -> str:
    """Return the path of a named member: ``$.price``, or ``$['unit price']`` where need be.

    Example:
        >>> member_path("$", "price"), member_path("$", "unit price")
        ('$.price', "$['unit price']")
    """
    if re.fullmatch(r"[^\W\d]\w*", name):
        return f"{parent}.{name}"
    quoted = json.dumps(name, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"{parent}['{quoted}']"


_FIRST = re.compile(r"\$(?:\.(?P<plain>\w+)|\['(?P<quoted>(?:[^'\\]|\\.)*)'\])")


def column_of(path: str) -> str | None:
    r"""Return the name of the column that a path leads into; None where it has none.

    Example:
        >>> column_of("$.orders[*].price"), column_of("$['it\\'s']"), column_of("$[0]")
        ('orders', "it's", None)
    """
    found = _FIRST.match(path)
    if found is None:
        return None
    if found["plain"] is not None:
        return found["plain"]
    text = found["quoted"].replace("\\'", "'").replace('"', '\\"')
    return str(json.loads(f'"{text}"'))


def folded(policy: Policy, name: str) -> str:
    """Return a name as the policy compares it."""
    return name if policy.case == "sensitive" else name.lower()


def column_places(policy: Policy, names: Sequence[str], parent: str = "$") -> dict[str, int]:
    """Return the place of each name; refuse names that the policy cannot tell apart."""
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        key = folded(policy, name)
        if key in places:
            raise SignatureError(
                f"{names[places[key]]!r} and {name!r} differ in case only",
                path=member_path(parent, name),
                remedy="rename one, or match with case='sensitive'",
            )
        places[key] = place
    return places


def spark_type(field: pa.Field) -> str | None:
    """Return the Spark type that a field's Arrow type cannot say, or None where it can."""
    found: bytes | None = (field.metadata or {}).get(SPARK_TYPE)
    return None if found is None else str(bytes(found), "utf-8")


def opaque_type(field: pa.Field) -> str | None:
    """Return the name of a Spark type that Arrow has no equal for, or None where it has one."""
    found = spark_type(field)
    return None if found == VECTOR else found


def type_name(field: pa.Field) -> str:
    """Name the type of a source's field for reports: Spark's name where only Spark has one."""
    known = spark_type(field)
    if known is not None:
        return known
    return _type_name(field.type)


def _type_name(dtype: pa.DataType) -> str:
    kind = kind_of(dtype)
    if kind is Kind.DECIMAL:
        return f"decimal({dtype.precision},{dtype.scale})"
    if kind is not None:
        return str(kind.value)
    if is_list(dtype):
        return f"array<{type_name(dtype.value_field)}>"
    if pat.is_map(dtype):
        return f"map<{_type_name(dtype.key_type)},{type_name(dtype.item_field)}>"
    if pat.is_struct(dtype):
        members = (dtype.field(i) for i in range(dtype.num_fields))
        return f"struct<{','.join(f'{m.name}:{type_name(m)}' for m in members)}>"
    return str(dtype)


def is_list(dtype: pa.DataType) -> bool:
    """Say whether a type is a list in any of Arrow's layouts."""
    return (
        pat.is_list(dtype)
        or pat.is_large_list(dtype)
        or pat.is_fixed_size_list(dtype)
        or (
            hasattr(pat, "is_list_view")
            and (pat.is_list_view(dtype) or pat.is_large_list_view(dtype))
        )
    )


def label(target: ColumnType, required: bool) -> str:
    """Name a type and its flag for reports, such as ``long (required)``."""
    return f"{target!r} ({'required' if required else 'optional'})"


def tensor_label(dtype: np.dtype[np.generic], dims: tuple[int, ...]) -> str:
    """Name a tensor's slice for reports, such as ``float32 tensor of shape (28, 28)``."""
    shown = ", ".join(map(str, dims)) + ("," if len(dims) == 1 else "")
    return f"{dtype.name} tensor of shape ({shown})"
