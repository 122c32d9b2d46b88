"""Schemas to Arrow and Spark and back: nothing is lost silently."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as some
from pyspark.sql import types as st

from spark_sig.casts import CARRIERS, DTYPES, Cast, Kind, cast_rule, kind_of
from spark_sig.compile.arrow import NAMED, NAMELESS, SCALARS, arrow_type, from_arrow, to_arrow
from spark_sig.compile.spark import (
    ELEMENTS,
    from_spark,
    output_struct,
    relaxed,
    source_schema,
    spark_struct,
    spark_type,
    to_spark,
    vector_type,
)
from spark_sig.errors import SignatureError
from spark_sig.naming import SPARK_TYPE
from spark_sig.planner import plan_enforcement
from spark_sig.policy import Policy
from spark_sig.schema import ColSpec, Schema, TensorSpec
from spark_sig.types import (
    AnyType,
    Array,
    ColumnType,
    DataType,
    Map,
    Object,
    Property,
    SparkMLVector,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# --- strategies ---------------------------------------------------------------------------------

names = some.one_of(
    some.sampled_from(["a", "b c", "d.e", "`", "'", '"', "날씨", "[0]", ""]), some.text(max_size=4)
).filter(lambda name: name.isprintable())
flags = some.sampled_from([True, False, None])

column_types: some.SearchStrategy[ColumnType] = some.recursive(
    some.sampled_from([*DataType, AnyType(), SparkMLVector()]),
    lambda inner: some.one_of(
        inner.map(Array),
        inner.map(Map),
        some.lists(
            some.builds(Property, names, inner, flags),
            min_size=1,
            max_size=3,
            unique_by=lambda member: member.name,
        ).map(Object),
    ),
    max_leaves=5,
)
dimensions = some.sampled_from([-1, 0, 1, 3, 28])
tensor_shapes = some.lists(dimensions, min_size=1, max_size=4).map(tuple)


def named(names: list[str], specs: list[tuple[ColumnType, bool | None]]) -> Schema:
    return Schema(
        ColSpec(kind, name, flag) for name, (kind, flag) in zip(names, specs, strict=False)
    )


columns = some.lists(some.tuples(column_types, flags), min_size=1, max_size=4)
unique_names = some.lists(names, min_size=4, max_size=4, unique=True)
tensors = some.tuples(some.sampled_from(sorted(DTYPES)), tensor_shapes)
schemas = some.one_of(
    some.builds(named, unique_names, columns),
    columns.map(lambda specs: Schema(ColSpec(kind) for kind, _ in specs)),
    tensors.map(lambda t: Schema([TensorSpec(*t)])),
    some.builds(
        lambda names, specs: Schema(
            TensorSpec(dtype, shape, name)
            for name, (dtype, shape) in zip(names, specs, strict=False)
        ),
        unique_names,
        some.lists(tensors, min_size=1, max_size=4),
    ),
)

ARROW_SCALARS = [
    *SCALARS.values(),
    pa.int8(),
    pa.uint16(),
    pa.uint64(),
    pa.float16(),
    pa.large_string(),
    pa.string_view(),
    pa.binary(4),
    pa.date32(),
    pa.date64(),
    pa.timestamp("ns"),
    pa.timestamp("s", "UTC"),
    pa.timestamp("us", "Europe/Berlin"),
    pa.dictionary(pa.int8(), pa.string()),
    pa.run_end_encoded(pa.int32(), pa.int64()),
    pa.decimal128(10, 2),
    pa.duration("us"),
    pa.time64("us"),
    pa.null(),
    pa.uuid(),
    pa.json_(),
]


def arrow_fields(types: some.SearchStrategy[Any]) -> some.SearchStrategy[Any]:
    return some.builds(
        lambda name, dtype, nullable: pa.field(name, dtype, nullable or dtype == pa.null()),
        names,
        types,
        some.booleans(),
    )


arrow_types: some.SearchStrategy[Any] = some.recursive(
    some.sampled_from(ARROW_SCALARS),
    lambda inner: some.one_of(
        arrow_fields(inner).map(pa.list_),
        arrow_fields(inner).map(pa.large_list),
        arrow_fields(inner).map(pa.list_view),
        arrow_fields(inner).map(lambda item: pa.list_(item, 3)),
        some.builds(
            lambda key, item, ordered: pa.map_(key, item, keys_sorted=ordered),
            some.sampled_from([pa.string(), pa.string(), pa.large_string(), pa.int32()]),
            arrow_fields(inner),
            some.booleans(),
        ),
        some.lists(arrow_fields(inner), max_size=3).map(pa.struct),
        some.sampled_from([pa.float32(), pa.uint8(), pa.decimal128(3, 1)]).map(
            lambda value: pa.fixed_shape_tensor(value, [2, 3])
        ),
    ),
    max_leaves=4,
)
arrow_schemas = some.lists(arrow_fields(arrow_types), min_size=1, max_size=3).map(pa.schema)

# Types that Spark 3.5 lacks.
LATER = ("CalendarIntervalType", "TimeType", "VariantType")
SPARK_SCALARS = [
    st.BooleanType(),
    st.ByteType(),
    st.ShortType(),
    st.IntegerType(),
    st.LongType(),
    st.FloatType(),
    st.DoubleType(),
    st.DecimalType(10, 2),
    st.StringType(),
    st.CharType(3),
    st.VarcharType(3),
    st.BinaryType(),
    st.DateType(),
    st.TimestampType(),
    st.TimestampNTZType(),
    st.DayTimeIntervalType(),
    st.YearMonthIntervalType(),
    st.NullType(),
    vector_type(),
    *(getattr(st, name)() for name in LATER if hasattr(st, name)),
]


def spark_fields(types: some.SearchStrategy[Any]) -> some.SearchStrategy[st.StructField]:
    return some.builds(st.StructField, names, types, some.booleans())


spark_types: some.SearchStrategy[Any] = some.recursive(
    some.sampled_from(SPARK_SCALARS),
    lambda inner: some.one_of(
        some.builds(st.ArrayType, inner, some.booleans()),
        some.builds(
            st.MapType,
            some.sampled_from([st.StringType(), st.StringType(), st.VarcharType(2), st.LongType()]),
            inner,
            some.booleans(),
        ),
        some.lists(spark_fields(inner), max_size=3).map(st.StructType),
    ),
    max_leaves=4,
)
structs = some.lists(spark_fields(spark_types), min_size=1, max_size=3).map(st.StructType)

# --- tables -------------------------------------------------------------------------------------


def test_every_stored_scalar_has_a_name_or_a_remedy() -> None:
    assert NAMED.keys() | NAMELESS.keys() == set(Kind)
    assert NAMED.keys() & NAMELESS.keys() == set()


def test_what_is_read_as_a_type_is_cast_to_it_by_the_safe_rule() -> None:
    assert {cast_rule(kind, target, "safe") for kind, target in NAMED.items()} == {
        Cast.IDENTITY,
        Cast.WIDEN,
    }


def test_every_element_of_a_tensor_has_a_type_in_spark_that_carries_it() -> None:
    assert set(ELEMENTS) == set(DTYPES.values())
    for kind, carrier in ELEMENTS.items():
        stored = kind_of(source_schema(st.StructType().add("a", carrier)).field("a").type)
        assert stored is kind or stored in CARRIERS[kind]


# --- round trips --------------------------------------------------------------------------------


@given(schemas)
def test_a_schema_comes_back_from_arrow(schema: Schema) -> None:
    stored = pa.ipc.read_schema(to_arrow(schema).serialize())
    assert from_arrow(stored) == (schema, ())


@given(schemas)
def test_a_schema_comes_back_from_spark(schema: Schema) -> None:
    stored = st.StructType.fromJson(json.loads(to_spark(schema).json()))
    assert from_spark(stored) == (schema, ())


@given(arrow_schemas)
def test_what_an_arrow_schema_loses_is_said(source: pa.Schema) -> None:
    try:
        schema, losses = from_arrow(source)
    except SignatureError:
        return
    if not losses:
        assert to_arrow(schema).equals(source)
    else:
        assert not to_arrow(schema).equals(source)


@given(structs)
def test_what_a_spark_schema_loses_is_said(source: st.StructType) -> None:
    try:
        schema, losses = from_spark(source)
    except SignatureError:
        return
    if not losses:
        assert to_spark(schema) == source
    else:
        assert to_spark(schema) != source


@given(arrow_schemas)
def test_data_fits_the_schema_that_its_types_gave(source: pa.Schema) -> None:
    try:
        schema, _ = from_arrow(source)
    except SignatureError:
        return
    if "extension" not in str(source):  # those need their storage first
        assert plan_enforcement(source, schema).findings == ()


@given(structs)
def test_a_spark_source_is_the_same_in_arrow_and_back(source: st.StructType) -> None:
    arrow = source_schema(source)
    assert arrow.names == source.names
    opaque = "interval", "void", "variant"
    if any(word in source.simpleString() for word in opaque):
        return
    assert [column.nullable for column in arrow] == [f.nullable for f in source.fields]
    # char, varchar and the precision of times live in Spark alone
    plain = source.json()
    for length in "char(3)", "varchar(3)", "varchar(2)":
        plain = plain.replace(f'"{length}"', '"string"')
    assert spark_struct(arrow) == st.StructType.fromJson(json.loads(plain))


# --- one by one ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "kind", "losses"),
    [
        (pa.int64(), "long", []),
        (pa.timestamp("us", "UTC"), "datetime", []),
        (pa.int8(), "integer", ["$.x: int8 is read as integer"]),
        (pa.uint32(), "long", ["$.x: uint32 is read as long"]),
        (pa.float16(), "float", ["$.x: halffloat is read as float"]),
        (pa.date32(), "datetime", ["$.x: date32[day] is read as datetime"]),
        (pa.timestamp("us"), "datetime", ["$.x: timestamp[us] is read as datetime"]),
        (
            pa.timestamp("ns", "Europe/Berlin"),
            "datetime",
            ["$.x: timestamp[ns, tz=Europe/Berlin] is read as datetime"],
        ),
        (pa.large_string(), "string", ["$.x: large_string is read as string"]),
        (pa.binary(16), "binary", ["$.x: fixed_size_binary[16] is read as binary"]),
        (
            pa.dictionary(pa.int8(), pa.string()),
            "string",
            ["$.x: dictionary<values=string, indices=int8, ordered=0> is read as string"],
        ),
        (pa.list_(pa.int64()), Array("long"), []),
        (pa.list_(pa.int64(), 4), Array("long"), ["$.x: the length 4 of every list"]),
        (pa.large_list(pa.int64()), Array("long"), ["$.x: large_list is read as list"]),
        (
            pa.list_(pa.field("item", pa.int64(), False)),
            Array("long"),
            ["$.x[*]: is never null, though its column may be"],
        ),
        (
            pa.map_(pa.large_string(), pa.int64()),
            Map("long"),
            ["$.x: keys: large_string is read as string"],
        ),
        (
            pa.map_(pa.string(), pa.int64(), keys_sorted=True),
            Map("long"),
            ["$.x: that its keys are sorted"],
        ),
        (
            pa.struct([pa.field("b", pa.int64(), False), ("a", pa.int64())]),
            Object([Property("a", "long", False), Property("b", "long")]),
            ["$.x: the order of its members, which are sorted by name"],
        ),
        (pa.uuid(), "binary", ["$.x: extension type arrow.uuid",
                               "$.x: fixed_size_binary[16] is read as binary"]),
    ],
    ids=str,
)  # fmt: skip
def test_what_arrow_types_become(
    dtype: pa.DataType, kind: ColumnType | str, losses: list[str]
) -> None:
    schema, lost = from_arrow(pa.schema([pa.field("x", dtype)]))
    assert schema == Schema([ColSpec(kind, "x", False)])
    assert [str(loss) for loss in lost] == losses


@pytest.mark.parametrize(
    ("dtype", "words"),
    [
        (pa.decimal128(10, 2), "$.x .*decimal\\(10,2\\).*; cast it to double, long or string"),
        (pa.list_(pa.uint64()), "\\$.x\\[\\*\\].*uint64.*tensor of uint64"),
        (pa.null(), "null.*; cast it to the type"),
        (pa.duration("us"), "duration"),
        (pa.month_day_nano_interval(), "interval"),
        (pa.time64("us"), "time64"),
        (pa.map_(pa.int32(), pa.string()), "map<integer,string>.*; cast its keys to strings"),
        (pa.struct([]), "at least one property"),
        (pa.struct([("a", pa.int32()), ("a", pa.int32())]), "repeat"),
        (pa.dense_union([pa.field("a", pa.int32())]), "union"),
        (pa.fixed_shape_tensor(pa.timestamp("s"), [2]), "tensor of timestamp"),
    ],
    ids=str,
)
def test_arrow_types_without_a_name_are_refused(dtype: pa.DataType, words: str) -> None:
    with pytest.raises(SignatureError, match=words.replace("$.x ", "\\$.x ")) as refused:
        from_arrow(pa.schema([("x", dtype)]))
    assert refused.value.path.startswith("$.x")
    assert refused.value.remedy


def test_all_columns_without_a_name_are_listed() -> None:
    source = pa.schema([("a", pa.null()), ("b", pa.int8()), ("c d", pa.decimal128(3, 1))])
    with pytest.raises(SignatureError) as refused:
        from_arrow(source)
    assert "2 columns" in str(refused.value)
    assert "@ $.a (" in str(refused.value)
    assert "@ $['c d'] (" in str(refused.value)


def test_a_fixed_shape_tensor_is_a_tensor() -> None:
    kind = pa.fixed_shape_tensor(pa.uint8(), [28, 14], dim_names=["y", "x"], permutation=[1, 0])
    schema, losses = from_arrow(pa.schema([pa.field("image", kind)]))
    assert schema == Schema([TensorSpec("uint8", (-1, 28, 14), "image")])
    assert [loss.what for loss in losses] == [
        "extension type arrow.fixed_shape_tensor",
        "that it may be null, which a tensor's rows never are",
        "the permutation [1, 0] of its axes",
        "the names of its axes",
    ]


def test_a_tensor_is_nested_in_lists_and_a_plain_list_is_none() -> None:
    schema = Schema([TensorSpec("float32", (-1, 2, 3), "t")])
    column = to_arrow(schema).field("t")
    assert str(column.type) == "list<item: list<item: float not null> not null>"
    plain = pa.schema([column.remove_metadata()])
    assert from_arrow(plain) == (Schema([ColSpec(Array(Array("float")), "t")]), ())


def test_columns_beside_a_tensor_are_refused() -> None:
    tensor = to_arrow(Schema([TensorSpec("float32", (-1, 2), "t")])).field(0)
    with pytest.raises(SignatureError, match=r"not both @ \$\.t"):
        from_arrow(pa.schema([tensor, ("a", pa.int64())]))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (TensorSpec("complex64", (-1, 2), "t"), r"complex64 @ \$\.t; enforce it on the driver"),
        (TensorSpec("datetime64[s]", (-1, 2)), r"datetime64\[s\] @ \$"),
        (TensorSpec("object", (-1, 2)), "object"),
        (TensorSpec("float32", ()), "without axes"),
    ],
)
def test_tensors_that_no_column_holds_are_refused(spec: TensorSpec, words: str) -> None:
    for compile_schema in (to_arrow, to_spark):
        with pytest.raises(SignatureError, match=words):
            compile_schema(Schema([spec]))


def test_a_tensor_of_objects_comes_back() -> None:
    schema = Schema([TensorSpec("object", (-1,), "t")])
    assert from_arrow(to_arrow(schema)) == (schema, ())
    assert from_spark(to_spark(schema)) == (schema, ())


def test_a_spec_in_metadata_that_no_longer_fits_is_not_believed() -> None:
    tensor = to_arrow(Schema([TensorSpec("float32", (-1, 2), "t")])).field(0)
    recast = tensor.with_type(pa.int64())
    schema, losses = from_arrow(pa.schema([recast]))
    assert schema == Schema([ColSpec("long", "t")])
    assert ["metadata" in loss.what for loss in losses] == [True]

    broken = pa.field("t", pa.int64(), False, {"spark_sig.spec": '[{"type": "lo'})
    assert from_arrow(pa.schema([broken]))[0] == Schema([ColSpec("long", "t")])

    renamed = tensor.with_name("u")
    assert from_arrow(pa.schema([renamed])) == (Schema([TensorSpec("float32", (-1, 2), "u")]), ())


def test_a_tensor_survives_relaxed_flags() -> None:
    schema = Schema([TensorSpec("uint8", (-1, 2), "t")])
    field = to_spark(schema).fields[0]
    saved = st.StructType([st.StructField("t", relaxed(field.dataType), True, field.metadata)])
    found, losses = from_spark(saved)
    assert found == schema
    assert [str(loss) for loss in losses] == [
        "$.t: its nullable flags, which differ from the spec in its metadata"
    ]


@pytest.mark.parametrize(
    ("dtype", "carrier"),
    [
        ("uint8", "smallint"),
        ("uint16", "int"),
        ("uint32", "bigint"),
        ("uint64", "decimal(20,0)"),
        ("float16", "float"),
        ("datetime64[us]", "timestamp_ntz"),
    ],
)
def test_tensors_are_carried_by_wider_types(dtype: str, carrier: str) -> None:
    schema = Schema([TensorSpec(np.dtype(dtype), (-1, 2), "t")])
    struct = to_spark(schema)
    assert struct.simpleString() == f"struct<t:array<{carrier}>>"
    assert plan_enforcement(source_schema(struct), schema, spark=True).findings == ()


@pytest.mark.parametrize(
    ("dtype", "kind", "losses"),
    [
        (st.TimestampType(), "datetime", []),
        (st.TimestampNTZType(), "datetime", ["$.x: timestamp_ntz is read as datetime"]),
        (st.DateType(), "datetime", ["$.x: date is read as datetime"]),
        (st.ByteType(), "integer", ["$.x: tinyint is read as integer"]),
        (st.CharType(3), "string", ["$.x: char(3) is read as string"]),
        (
            st.ArrayType(st.VarcharType(3)),
            Array("string"),
            ["$.x[*]: varchar(3) is read as string"],
        ),
        (vector_type(), SparkMLVector(), []),
        (st.ArrayType(vector_type()), Array(SparkMLVector()), []),
        (st.MapType(st.StringType(), st.LongType()), Map("long"), []),
    ],
    ids=str,
)
def test_what_spark_types_become(
    dtype: st.DataType, kind: ColumnType | str, losses: list[str]
) -> None:
    schema, lost = from_spark(st.StructType([st.StructField("x", dtype)]))
    assert schema == Schema([ColSpec(kind, "x", False)])
    assert [str(loss) for loss in lost] == losses


OPAQUE = {
    "interval day to second": st.DayTimeIntervalType(),
    "interval year to month": st.YearMonthIntervalType(),
    "interval": getattr(st, "CalendarIntervalType", st.NullType)(),
    "void": st.NullType(),
    "variant": getattr(st, "VariantType", st.NullType)(),
}
if hasattr(st, "GeometryType"):
    OPAQUE["geometry(4326)"] = st.GeometryType(4326)
    OPAQUE["geography(4326)"] = st.GeographyType(4326)


@pytest.mark.parametrize("name", OPAQUE)
def test_types_that_only_spark_has_are_named(name: str) -> None:
    if name != "void" and isinstance(OPAQUE[name], st.NullType):
        pytest.skip("this Spark has no such type")
    struct = st.StructType().add("x", st.ArrayType(OPAQUE[name]))
    item = source_schema(struct).field("x").type.value_field
    assert item.type == pa.null()
    assert item.metadata == {SPARK_TYPE: name.encode()}
    with pytest.raises(SignatureError) as refused:
        from_spark(struct)
    assert refused.value.path == "$.x[*]"
    assert refused.value.observed == name


def test_a_map_whose_keys_only_spark_has_is_one_as_a_whole() -> None:
    maps = st.MapType(st.DayTimeIntervalType(), st.IntegerType())
    struct = st.StructType().add("m", maps).add("l", st.ArrayType(maps)).add("id", "long")
    source = source_schema(struct)
    for field in (source.field("m"), source.field("l").type.value_field):
        assert (field.type, field.nullable) == (pa.null(), True)
        assert field.metadata == {SPARK_TYPE: b"map<interval day to second,int>"}
    empty = source_schema(st.StructType().add("m", st.MapType(st.NullType(), st.NullType())))
    assert empty.field("m").metadata == {SPARK_TYPE: b"map<void,void>"}
    # It is in nobody's way who does not ask for it.
    assert not plan_enforcement(source, Schema([ColSpec("long", "id", False)])).findings
    asked = plan_enforcement(source, Schema([ColSpec(Map("integer"), "m")]))
    assert [(f.path, f.code.value) for f in asked.findings] == [("$.m", "type")]


def test_only_the_vectors_of_spark_ml_are_vectors() -> None:
    from pyspark.mllib.linalg import VectorUDT

    with pytest.raises(SignatureError, match=r"vector \(pyspark.mllib.linalg.VectorUDT\)"):
        from_spark(st.StructType().add("x", VectorUDT()))


def test_decimals_and_maps_without_string_keys_are_refused() -> None:
    struct = (
        st.StructType()
        .add("x", "decimal(10,0)")
        .add("y", st.MapType(st.IntegerType(), st.StringType()))
    )
    with pytest.raises(SignatureError) as refused:
        from_spark(struct)
    assert "decimal(10,0)" in str(refused.value)
    assert "map<integer,string>" in str(refused.value)


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (pa.dictionary(pa.int8(), pa.large_string()), "string"),
        (pa.list_(pa.float16(), 3), "array<float>"),
        (pa.list_view(pa.uint64()), "array<decimal(20,0)>"),
        (pa.map_(pa.string(), pa.uint8()), "map<string,smallint>"),
        (pa.timestamp("ns", "Asia/Seoul"), "timestamp"),
        (pa.fixed_shape_tensor(pa.int8(), [2, 2]), "array<tinyint>"),
    ],
    ids=str,
)
def test_arrow_values_have_a_spark_type(dtype: pa.DataType, name: str) -> None:
    assert spark_type(dtype).simpleString() == name


@pytest.mark.parametrize("dtype", [pa.duration("us"), pa.decimal256(60, 2), pa.decimal128(3, -1)])
def test_arrow_values_without_a_spark_type_are_refused(dtype: pa.DataType) -> None:
    with pytest.raises(SignatureError, match=r"no type for .* @ x"):
        spark_type(pa.field("x", dtype))


# --- what a plan puts out -----------------------------------------------------------------------


def output_of(source: st.StructType, schema: Schema, **policy: Any) -> st.StructType:
    plan = plan_enforcement(source_schema(source), schema, Policy(**policy), spark=True)
    assert plan.findings == ()
    return output_struct(plan.output, source, plan)


def test_the_output_is_nullable_at_every_level() -> None:
    inner = st.StructType().add("b", st.ArrayType(st.LongType(), False), False)
    source = st.StructType().add("a", st.MapType(st.StringType(), inner, False), False)
    target = Map(Object([Property("b", Array("long"))]))
    found = output_of(source, Schema([ColSpec(target, "a")]))
    relaxed_inner = st.StructType().add("b", st.ArrayType(st.LongType(), True), True)
    assert found == st.StructType().add("a", st.MapType(st.StringType(), relaxed_inner, True))


def test_the_output_keeps_what_passes_untouched_and_recasts_the_rest() -> None:
    variant = getattr(st, "VariantType", st.DayTimeIntervalType)()
    source = (
        st.StructType()
        .add("kept", variant, True, {"comment": "as it is"})
        .add("v", st.ArrayType(vector_type()))
        .add("o", st.StructType().add("z", vector_type()).add("d", st.DateType()))
        .add("i", st.ShortType(), True, {"comment": "cast"})
        .add("c", st.CharType(3), True, {"__CHAR_VARCHAR_TYPE_STRING": "char(3)", "k": 1})
    )
    schema = Schema(
        [
            ColSpec("string", "c", False),
            ColSpec("double", "i", False),
            ColSpec(
                Object(
                    [
                        Property("d", "datetime", False),
                        Property("filled", Array("long"), False),
                        Property("z", SparkMLVector(), False),
                    ]
                ),
                "o",
                False,
            ),
            ColSpec(Array(SparkMLVector()), "v", False),
            ColSpec(Map("long"), "missing", False),
        ]
    )
    found = output_of(source, schema, extra="keep")
    assert found == (
        st.StructType()
        .add("c", st.StringType(), True, {"k": 1})
        .add("i", st.DoubleType())
        .add(
            "o",
            st.StructType()
            .add("d", st.TimestampNTZType())
            .add("filled", st.ArrayType(st.LongType()))
            .add("z", vector_type()),
        )
        .add("v", st.ArrayType(vector_type()))
        .add("missing", st.MapType(st.StringType(), st.LongType()))
        .add("kept", variant, True, {"comment": "as it is"})
    )


def test_everything_inside_is_relaxed() -> None:
    inner = st.StructType().add("c", st.CharType(3), False)
    assert relaxed(st.MapType(st.VarcharType(2), st.ArrayType(inner, False), False)) == st.MapType(
        st.StringType(), st.ArrayType(st.StructType().add("c", st.StringType()))
    )


@given(structs)
def test_the_output_of_what_passes_untouched_is_the_source(source: st.StructType) -> None:
    unique = st.StructType(list({f.name: f for f in source.fields}.values()))
    schema = Schema(ColSpec(AnyType(), name, False) for name in unique.names)
    found = output_of(unique, schema)
    assert found == relaxed(unique)
    assert "false" not in found.json().replace('"containsNull":true', "").split("metadata")


def test_arrow_types_for_plans_are_nullable_throughout() -> None:
    kind = Object([Property("a", Array("long")), Property("b", Map("long"))])
    assert " not null" not in str(arrow_type(kind))
    assert str(arrow_type(kind, required=True)).count("not null") == 3


def test_two_thousand_columns_cost_a_few_calls_each() -> None:
    """Calls are counted, as no clock is to be trusted: to write each type's JSON takes more."""
    kinds = [st.LongType(), st.StringType(), st.DecimalType(10, 2), st.ArrayType(st.FloatType())]
    source = st.StructType([st.StructField(f"c{i}", kinds[i % 4]) for i in range(2_000)])
    source_schema(source)
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        source_schema(source)
    finally:
        sys.setprofile(None)
    assert calls < 10 * 2_000


def test_compiling_loads_no_machine_learning() -> None:
    code = "import sys, spark_sig.compile.spark; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not [name for name in loaded if name.startswith("pyspark.ml")]


# --- on Spark -----------------------------------------------------------------------------------


def test_what_a_session_says_of_its_columns(spark: SparkSession) -> None:
    frame = spark.sql(
        "select 1Y as tiny, cast('a' as char(3)) as c, date'2020-01-01' as d, "
        "timestamp'2020-01-01' as t, timestamp_ntz'2020-01-01' as n, "
        "array(named_struct('x', 1.5D)) as nested, interval 1 day as i, null as nothing"
    )
    source = source_schema(frame.schema)
    assert source.field("t").type == pa.timestamp("us", "UTC")
    assert source.field("n").type == pa.timestamp("us")
    assert not source.field("nested").nullable
    assert source.field("i").metadata == {SPARK_TYPE: b"interval day"}
    assert source.field("nothing").metadata == {SPARK_TYPE: b"void"}
    schema, losses = from_spark(frame.drop("i", "nothing").schema)
    assert schema.inputs[-1] == ColSpec(Array(Object([Property("x", "double")])), "nested")
    assert {loss.path for loss in losses} >= {"$.tiny", "$.d", "$.n"}


def test_a_column_of_char_is_a_string_whose_length_is_lost(spark: SparkSession) -> None:
    spark.sql("drop table if exists chars")
    spark.sql("create table chars (c char(3), v array<varchar(4)>) using parquet")
    try:
        schema, losses = from_spark(spark.table("chars").schema)
    finally:
        spark.sql("drop table chars")
    assert [spec.type for spec in schema if isinstance(spec, ColSpec)] == [
        DataType.string,
        Array("string"),
    ]
    assert [str(loss) for loss in losses] == [
        "$.c: char(3) is read as string",
        "$.v: array<varchar(4)> is read as string",
    ]


def test_a_stage_can_declare_the_output(spark: SparkSession) -> None:
    from pyspark.ml.linalg import Vectors

    source = st.StructType().add("v", vector_type(), False).add("s", "short", False)
    frame = spark.createDataFrame([(Vectors.dense(1.0, 2.0), 3)], source)
    struct = output_of(source, Schema([ColSpec(SparkMLVector(), "v"), ColSpec("long", "s")]))

    def cast(batches: Any) -> Any:
        for batch in batches:
            yield pa.RecordBatch.from_arrays(
                [batch.column(0), batch.column(1).cast(pa.int64())], names=["v", "s"]
            )

    assert [tuple(row) for row in frame.mapInArrow(cast, struct).collect()] == [
        (Vectors.dense(1.0, 2.0), 3)
    ]


def test_the_spec_of_a_tensor_survives_delta(spark: SparkSession, tmp_path: Any) -> None:
    schema = Schema([TensorSpec("float32", (-1, 2), "t")])
    path = str(tmp_path / "table")
    frame = spark.createDataFrame([([1.0, 2.0],)], to_spark(schema))
    frame.write.format("delta").save(path)
    found, _ = from_spark(spark.read.format("delta").load(path).schema)
    assert found == schema
