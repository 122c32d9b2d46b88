"""The oracle's own recipe.py, loaded from beside the corpus that is replayed."""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_chosen: list[Path] = []


def default_directory() -> Path:
    """Return where the oracle's corpus lies: $SPARK_SIG_ORACLE, or ../shared beside the project."""
    if given := os.environ.get("SPARK_SIG_ORACLE"):
        return Path(given)
    return ROOT.parent / "shared" / "oracle" / "corpus"


def find(directory: Path) -> Path | None:
    """Return the recipe.py that belongs to a corpus, else the default oracle's, if any."""
    home = default_directory()
    places = [directory.parent, directory, home.parent, home, ROOT.parent / "shared" / "oracle"]
    return next((p / "recipe.py" for p in places if (p / "recipe.py").is_file()), None)


def use(directory: Path) -> None:
    """Build the values of a corpus with the recipe.py that belongs to it.

    Raises:
        FileNotFoundError: where there is none.
    """
    path = find(directory)
    if path is None:
        raise FileNotFoundError(f"no recipe.py beside {directory}, nor in the default oracle")
    _chosen[:] = [path]


def build(recipe: Any) -> Any:
    """Return the value that a recipe describes; a new one on every call."""
    return _module().build(recipe)


def describe(value: Any) -> Any:
    """Return the recipe of a value."""
    return _module().describe(value)


def _module() -> ModuleType:
    if not _chosen:
        use(default_directory())
    return _load(_chosen[0])


@cache
def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("oracle_recipe", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
