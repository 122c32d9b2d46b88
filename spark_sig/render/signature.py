"""The tables of a signature, and those tables as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from spark_sig.params import ParamSchema
from spark_sig.schema import ColSpec, Schema, Spec, TensorSpec
from spark_sig.signature import ModelSignature


def signature_html(signature: ModelSignature) -> str:
    """Return one table per side, and one for params; all text is escaped.

    Example:
        >>> from spark_sig.schema import ColSpec, Schema
        >>> html = signature_html(ModelSignature(inputs=Schema([ColSpec("long", "<b>")])))
        >>> "&lt;b&gt;" in html, "<b>" in html
        (True, False)
    """
    parts = (_table(*table) for table in tables(signature))
    return '<div class="spark-sig-signature">' + "".join(parts) + "</div>"


def tables(
    signature: ModelSignature,
) -> Iterator[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """Yield the title, the head and the rows of a table for each side, and of one for params."""
    for title, schema in (("inputs", signature.inputs), ("outputs", signature.outputs)):
        if schema is not None:
            yield title, ("name", "type", "required"), list(_rows(schema))
    if signature.params:
        yield "params", ("name", "type", "default", "shape"), list(_param_rows(signature.params))


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


def _table(title: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [_row(head, "th"), *(_row(row, "td") for row in rows)]
    return f"<table><caption>{escape(title)}</caption>{''.join(lines)}</table>"


def _row(cells: Iterable[str], tag: str) -> str:
    style = 'style="text-align:left"'
    return "<tr>" + "".join(f"<{tag} {style}>{escape(c)}</{tag}>" for c in cells) + "</tr>"
