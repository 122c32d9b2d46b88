"""Models: what MLflow keeps under a URI, of which the signature is read or set."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from spark_sig.errors import SignatureError
from spark_sig.integrations.mlflow.convert import to_mlflow
from spark_sig.integrations.mlflow.door import explained, mlflow_module
from spark_sig.mlmodel import write_signature
from spark_sig.signature import LOCAL_URI, MLMODEL, MODEL_ID, ModelSignature, load_signature

if TYPE_CHECKING:
    from spark_sig.signature import SignatureSource

_LOGGED = re.compile(rf"models:/+({MODEL_ID})/*")
_REGISTERED = re.compile(r"models:/+(?!m-[0-9a-f]{32}/*$)(?P<name>[^/@]+)[/@](?P<version>[^/]+)/*")


def canonical(uri: str) -> str:
    """Return a model's URI as MLflow spells it: one that is just the id of a logged model, too."""
    return f"models:/{uri}" if re.fullmatch(MODEL_ID, uri) else uri


def read_model_signature(uri: str) -> ModelSignature:
    """Read the signature of a model that MLflow reaches, from its MLmodel file alone.

    Args:
        uri: ``models:/name@alias``, ``models:/name/3``, ``models:/m-…``, ``m-…``, ``runs:/…``, or
            where a model's folder, its MLmodel or a ``.json`` file lies.

    Raises:
        SignatureError: where there is no such model or no signature, or MLflow is not installed.
    """
    mlflow = mlflow_module(f"a signature at {uri}")
    place = canonical(uri)
    with (
        explained(f"the model {uri} cannot be read", fetches=True),
        tempfile.TemporaryDirectory() as folder,
    ):
        if logged := _LOGGED.fullmatch(place):
            place = str(mlflow.get_logged_model(logged[1]).artifact_location)
        if not place.endswith((".json", f"/{MLMODEL}")):
            place = f"{place.rstrip('/')}/{MLMODEL}"
        found = mlflow.artifacts.download_artifacts(artifact_uri=place, dst_path=folder)
        return load_signature(Path(found))


def set_signature(model_uri: str, signature: SignatureSource) -> None:
    """Set the signature of a model, as MLflow's function of that name does.

    Args:
        model_uri: a model that MLflow keeps (``runs:/…``, ``m-…``), but no version of a registered
            one, which are read only; or a folder with an MLmodel file, or such a file, of this
            machine, for which MLflow need not be installed.
        signature: the signature, or anything that loads as one.

    Raises:
        SignatureError: where there is no such model, it is a version of a registered one, or
            MLflow is not installed.
    """
    loaded = load_signature(signature)
    local = LOCAL_URI.fullmatch(model_uri)
    if local or Path(model_uri).exists():
        write_signature(local["path"] if local else model_uri, loaded)
        return
    if registered := _REGISTERED.fullmatch(model_uri):
        raise SignatureError(
            f"{model_uri} is a version of a registered model, which is read only",
            path="model_uri",
            remedy="set it on the version's source, and make a new version of that: "
            f"client.get_model_version({registered['name']!r}, …).source",
        )
    mlflow = mlflow_module(f"the signature of {model_uri}")
    from mlflow.models import set_signature as set_by_mlflow

    with explained(f"the signature of {model_uri} cannot be set"):
        set_by_mlflow(_of_run(mlflow, model_uri) or canonical(model_uri), to_mlflow(loaded))


def _of_run(mlflow: ModuleType, uri: str) -> str | None:
    """Return the URI of the model that a run has logged by a name; None where there is none.

    MLflow 3 keeps it beside the run's artifacts, where its own ``set_signature`` (3.18) looks.
    """
    named = re.fullmatch(r"runs:/+(?P<run>[^/]+)/(?P<name>.+?)/*", uri)
    if named is None:
        return None
    client = mlflow.MlflowClient()
    experiment = client.get_run(named["run"]).info.experiment_id
    found = client.search_logged_models(
        [experiment],
        filter_string=f"source_run_id = '{named['run']}'",
        order_by=[{"field_name": "creation_time", "ascending": False}],
    )
    of_name = [model for model in found if model.name == named["name"]]
    return str(of_name[0].model_uri) if of_name else None
