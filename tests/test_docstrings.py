"""Docstrings: their examples give what they say.

Those that need a model or a stream are left out; pages of the guide have the same.
"""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

from tests.conftest import spark_version

pytestmark = pytest.mark.skipif(
    spark_version() < (4, 2), reason="they show what the newest libraries print"
)

ROOT = Path(__file__).parents[1]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "spark_sig").rglob("*.py"))
    # Airflow's are read where it is installed: tests/test_airflow_words.py
    if ">>> " in path.read_text() and "airflow" not in path.parts
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings(name: str) -> None:
    module = import_module(name)
    found = doctest.testmod(module)
    assert not found.failed, f"{found.failed} of {found.attempted}: see the output"
