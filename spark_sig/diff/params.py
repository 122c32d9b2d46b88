"""Two param schemas side by side."""

from __future__ import annotations

from collections.abc import Iterator

from spark_sig.diff.casts import param_cast
from spark_sig.diff.change import Change
from spark_sig.diff.values import Place, Role, Rules
from spark_sig.diff.verdict import Compatibility, Verdict
from spark_sig.diff.walk import Walk
from spark_sig.params import ParamSchema, ParamSpec
from spark_sig.policy import Policy

# Params know one rule for casts, and one for nulls.
_RULES = Rules(Policy(), param_cast)

_IGNORED = Verdict(Compatibility.COMPATIBLE, "ignored")
_DEFAULT = Verdict(Compatibility.COMPATIBLE, "default")
_LISTED = Verdict(Compatibility.BREAKING, "one value against a list")


def param_changes(a: ParamSchema | None, b: ParamSchema | None) -> Iterator[Change]:
    """Yield what two signatures say of every param."""
    walk = Walk("params", _RULES)
    ours, theirs = ({spec.name: spec for spec in params or ()} for params in (a, b))
    for path, one, other in walk.paired("$", ours, theirs):
        if one is None or other is None:
            given, wanted = (_IGNORED, _DEFAULT) if other is None else (_DEFAULT, _IGNORED)
            yield walk.change(path, _shown(one), _shown(other), given, wanted)
        else:
            forward, backward = _fits(one, other), _fits(other, one)
            yield walk.change(path, _shown(one), _shown(other), forward, backward)
            yield from walk.inside(path, _place(one), _place(other))


def _fits(source: ParamSpec, target: ParamSpec) -> Verdict:
    return _RULES.kind(_place(source), _place(target)) if source.shape == target.shape else _LISTED


def _place(spec: ParamSpec) -> Place:
    return Place(spec.dtype, True, Role.ELEMENT)


def _shown(spec: ParamSpec | None) -> str | None:
    if spec is None:
        return None
    listed = "" if spec.shape is None else "list of "
    return f"{listed}{spec.dtype!r} (default: {spec.default!r})"
