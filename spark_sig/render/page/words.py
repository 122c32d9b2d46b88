"""Words: what the marks of a page mean."""

from __future__ import annotations

from spark_sig.errors import Code

# What is wrong, for those who meet a code for the first time.
MEANINGS: dict[Code, str] = {
    Code.MISSING_COLUMN: "a required column is not there",
    Code.EXTRA_COLUMN: "a column that the signature does not name",
    Code.TYPE: "a type that does not fit",
    Code.NULL: "nothing where a value is required",
    Code.MISSING_PROPERTY: "a required property is not there",
    Code.EXTRA_PROPERTY: "a property that the signature does not name",
    Code.SHAPE: "another length or shape",
    Code.CAST: "a value that the type has no equal of",
    Code.ROW_COUNT: "another number of rows",
    Code.PARAM_TYPE: "a parameter of a type that does not fit",
    Code.PARAM_SHAPE: "a parameter of another shape",
}
