"""spark_sig: hold every row of every partition to a model signature."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from spark_sig.version import __version__ as __version__

if TYPE_CHECKING:
    from spark_sig.ddl import delta_constraints, delta_table
    from spark_sig.diff import Compatibility, Diff
    from spark_sig.engines.local import enforce
    from spark_sig.errors import SignatureError
    from spark_sig.example import InputExample
    from spark_sig.explaining import explain
    from spark_sig.explanation import Explanation
    from spark_sig.fits import Fit, Preflight, preflight
    from spark_sig.gate import validate
    from spark_sig.infer.signature import infer_signature
    from spark_sig.infer.table import infer_table
    from spark_sig.inference import Inference
    from spark_sig.integrations.mlflow.guard import enforce_model
    from spark_sig.integrations.mlflow.models import set_signature
    from spark_sig.integrations.mlflow.scoring import score
    from spark_sig.integrations.mlflow.tables import score_table
    from spark_sig.params import ParamSchema, ParamSpec, enforce_params
    from spark_sig.policy import Policy
    from spark_sig.quarantine import ConformBatches, conform, reprocess
    from spark_sig.report import Report
    from spark_sig.rows import enforce_signature, split
    from spark_sig.schema import ColSpec, Schema, TensorSpec
    from spark_sig.signature import ModelSignature
    from spark_sig.types import AnyType, Array, DataType, Map, Object, Property, SparkMLVector

# Executors import this package for its kernels alone: names are loaded when first used (PEP 562).
_HOMES = {
    "AnyType": "types",
    "Array": "types",
    "ColSpec": "schema",
    "Compatibility": "diff",
    "ConformBatches": "quarantine",
    "DataType": "types",
    "Diff": "diff",
    "Explanation": "explanation",
    "Fit": "fits",
    "Inference": "inference",
    "InputExample": "example",
    "Map": "types",
    "ModelSignature": "signature",
    "Object": "types",
    "ParamSchema": "params",
    "ParamSpec": "params",
    "Policy": "policy",
    "Preflight": "fits",
    "Property": "types",
    "Report": "report",
    "Schema": "schema",
    "SignatureError": "errors",
    "SparkMLVector": "types",
    "TensorSpec": "schema",
    "conform": "quarantine",
    "delta_constraints": "ddl",
    "delta_table": "ddl",
    "enforce": "engines.local",
    "enforce_model": "integrations.mlflow.guard",
    "enforce_params": "params",
    "enforce_signature": "rows",
    "explain": "explaining",
    "infer_signature": "infer.signature",
    "infer_table": "infer.table",
    # what IPython looks for: no names for users
    "load_ipython_extension": "notebook",
    "unload_ipython_extension": "notebook",
    "preflight": "fits",
    "reprocess": "quarantine",
    "score": "integrations.mlflow.scoring",
    "score_table": "integrations.mlflow.tables",
    "set_signature": "integrations.mlflow.models",
    "split": "rows",
    "validate": "gate",
}

__all__ = [
    "AnyType",
    "Array",
    "ColSpec",
    "Compatibility",
    "ConformBatches",
    "DataType",
    "Diff",
    "Explanation",
    "Fit",
    "Inference",
    "InputExample",
    "Map",
    "ModelSignature",
    "Object",
    "ParamSchema",
    "ParamSpec",
    "Policy",
    "Preflight",
    "Property",
    "Report",
    "Schema",
    "SignatureError",
    "SparkMLVector",
    "TensorSpec",
    "conform",
    "delta_constraints",
    "delta_table",
    "enforce",
    "enforce_model",
    "enforce_params",
    "enforce_signature",
    "explain",
    "infer_signature",
    "infer_table",
    "preflight",
    "reprocess",
    "score",
    "score_table",
    "set_signature",
    "split",
    "validate",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
