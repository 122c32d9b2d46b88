"""The tables of a signature, and those tables as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from spark_sig.params import ParamSchema
from spark_sig.render.notebook import fragment, table
from spark_sig.schema import ColSpec, Schema, Spec, TensorSpec
from spark_sig.signature import ModelSignature

_COLUMNS = ("name", "type", "required")
_PARAMS = ("name", "type", "default", "shape")


def signature_html(signature: ModelSignature) -> str:
    """Return one table per side, and one for params; all text is escaped, long ones fold.

    Example:
        >>> from spark_sig.schema import ColSpec, Schema
        >>> html = signature_html(ModelSignature(inputs=Schema([ColSpec("long", "<b>")])))
        >>> "&lt;b&gt;" in html, "<b>" in html
        (True, False)
    """
    return fragment(*(table(head, rows, title) for title, head, rows in tables(signature)))


def schema_html(schema: Schema) -> str:
    """Return the table of one side; all text is escaped."""
    return fragment(table(_COLUMNS, list(_rows(schema))))


def params_html(params: ParamSchema) -> str:
    """Return the table of params; all text is escaped."""
    return fragment(table(_PARAMS, list(_param_rows(params))))


def tables(
    signature: ModelSignature,
) -> Iterator[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """Yield the title, the head and the rows of a table for each side, and of one for params."""
    for title, schema in (("inputs", signature.inputs), ("outputs", signature.outputs)):
        if schema is not None:
            yield title, _COLUMNS, list(_rows(schema))
    if signature.params:
        yield "params", _PARAMS, list(_param_rows(signature.params))


def _rows(schema: Schema) -> Iterable[tuple[str, ...]]:
    for index, spec in enumerate(schema):
        name = f"({index})" if spec.name is None else spec.name
        yield name, _type(spec), "yes" if spec.required else "no"


def _type(spec: Spec) -> str:
    if isinstance(spec, TensorSpec):
        return f"tensor of {spec.type.name} {list(spec.shape)}"
    assert isinstance(spec, ColSpec)
    return repr(spec.type)


def _param_rows(params: ParamSchema) -> Iterable[tuple[str, ...]]:
    for spec in params:
        yield spec.name, repr(spec.dtype), str(spec.default), "list" if spec.shape else ""
