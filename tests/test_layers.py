"""Imports point one way, and an executor loads only what it needs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# The row of each module; "package.*" places every module of a package.  A module imports only
# from rows above its own (lower numbers), and from siblings in its own package and row.
ROWS: dict[str, int] = {
    "spark_sig.errors": 0,
    "spark_sig.version": 0,
    "spark_sig.documents": 1,
    "spark_sig.yamldoc": 1,
    "spark_sig.types": 1,
    "spark_sig.policy": 1,
    "spark_sig.schema": 2,
    "spark_sig.params": 2,
    "spark_sig.codec": 3,
    "spark_sig.casts": 3,
    "spark_sig.sqltext": 3,
    "spark_sig.stats": 3,
    "spark_sig.tally": 3,
    "spark_sig.signature": 4,
    "spark_sig.odcs": 5,
    "spark_sig.odcs.*": 5,
    "spark_sig.observed": 4,
    "spark_sig.compile": 4,
    "spark_sig.naming": 4,
    "spark_sig.compile.arrow": 5,
    "spark_sig.plan": 5,
    "spark_sig.join": 5,
    "spark_sig.settled": 5,
    "spark_sig.diff": 5,
    "spark_sig.diff.*": 5,
    "spark_sig.planning": 6,
    "spark_sig.planning.*": 6,
    "spark_sig.planner": 7,
    "spark_sig.report": 6,
    "spark_sig.report.*": 6,
    "spark_sig.inference": 7,
    "spark_sig.explanation": 7,
    "spark_sig.kernels": 6,
    "spark_sig.kernels.*": 6,
    "spark_sig.compile.spark": 7,
    "spark_sig.mlmodel": 7,
    "spark_sig.render": 8,
    "spark_sig.render.*": 8,
    "spark_sig.render.page": 9,
    "spark_sig.render.page.*": 9,
    "spark_sig.delta": 8,
    "spark_sig.delta.*": 8,
    "spark_sig.engines": 9,
    "spark_sig.engines.*": 9,
    "spark_sig.sources": 9,
    "spark_sig.example": 10,
    "spark_sig.example.*": 10,
    "spark_sig.gate": 10,
    "spark_sig.gate.*": 10,
    "spark_sig.ddl": 11,
    "spark_sig.ddl.*": 11,
    "spark_sig.infer": 11,
    "spark_sig.infer.*": 11,
    "spark_sig.diagnosis": 10,
    "spark_sig.diagnosis.*": 10,
    "spark_sig.fits": 10,
    "spark_sig.explaining": 11,
    "spark_sig.notebook": 12,
    "spark_sig.rows": 10,
    "spark_sig.quarantine": 11,
    "spark_sig.quarantine.*": 11,
    "spark_sig.sinks": 10,
    "spark_sig.integrations": 12,
    "spark_sig.integrations.openlineage": 12,
    "spark_sig.integrations.openlineage.*": 12,
    "spark_sig.integrations.mlflow": 12,
    "spark_sig.integrations.mlflow.*": 12,
    "spark_sig.integrations.airflow": 12,
    "spark_sig.integrations.airflow.*": 12,
    "spark_sig.settings": 12,
    "spark_sig.settings.*": 12,
    "spark_sig.cli": 13,
    "spark_sig.cli.*": 13,
    "spark_sig.cli.submit": 14,
    "spark_sig.cli.submit.*": 14,
    "spark_sig": 14,
    "jobs": 15,
    "jobs.*": 15,
    "jobs.dags.*": 15,
}

# Imports against the direction, made when a method runs (or for annotations only), one by one:
# (module, what it imports).
DOORS: set[tuple[str, str]] = {
    ("spark_sig.errors", "spark_sig.render.brief"),
    ("spark_sig.diff.change", "spark_sig.render.diff"),
    ("spark_sig.report.verdict", "spark_sig.render.document"),
    ("spark_sig.report.verdict", "spark_sig.render.junit"),
    ("spark_sig.report.verdict", "spark_sig.render.page.whole"),
    ("spark_sig.report.verdict", "spark_sig.render.summary"),
    ("spark_sig.report.verdict", "spark_sig.render.text"),
    ("spark_sig.render.diagnosis", "spark_sig.diagnosis.symptom"),
    ("spark_sig.render.fits", "spark_sig.fits"),
    ("spark_sig.explanation", "spark_sig.render.explanation"),
    ("spark_sig.inference", "spark_sig.render.inference"),
    ("spark_sig.params", "spark_sig.render.signature"),
    ("spark_sig.params", "spark_sig.signature"),
    ("spark_sig.schema", "spark_sig.render.signature"),
    ("spark_sig.signature", "spark_sig.diff"),
    ("spark_sig.signature", "spark_sig.explaining"),
    ("spark_sig.signature", "spark_sig.explanation"),
    ("spark_sig.signature", "spark_sig.integrations.mlflow.convert"),
    ("spark_sig.signature", "spark_sig.integrations.mlflow.models"),
    ("spark_sig.signature", "spark_sig.join"),
    ("spark_sig.signature", "spark_sig.mlmodel"),
    ("spark_sig.signature", "spark_sig.odcs"),
    ("spark_sig.signature", "spark_sig.planning.draft"),
    ("spark_sig.signature", "spark_sig.render.signature"),
    ("spark_sig.signature", "spark_sig.sources"),
}

# Only delta/ reaches behind PySpark's public interface: Spark Connect has nothing there.
JVM_NAMES = {"_jvm", "_jdf", "_jsc", "_jsparkSession", "sparkContext", "_sc"}

# What a worker must be able to run, and what that must not load.
EXECUTOR_MODULES = ("spark_sig.kernels.tasks",)
NOT_ON_EXECUTORS = {"pandas", "pyspark", "yaml", "typer", "rich", "delta", "mlflow", "scipy"}


@dataclass(frozen=True)
class Import:
    """One import of one of our modules by another."""

    importer: str
    imported: str
    line: int
    deferred: bool  # inside a function or under TYPE_CHECKING

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def our_modules() -> dict[str, Path]:
    paths = [path for top in ("spark_sig", "jobs") for path in sorted((ROOT / top).rglob("*.py"))]
    return {module_name(path): path for path in paths}


MODULES = our_modules()


def row_of(module: str) -> int | None:
    if module in ROWS:
        return ROWS[module]
    package = module.rpartition(".")[0]
    return ROWS.get(f"{package}.*")


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def imports_of(module: str, tree: ast.Module) -> Iterator[Import]:
    """Yield the imports of our own modules, wherever in the file they stand."""
    is_package = MODULES[module].name == "__init__.py"
    todo: list[tuple[ast.AST, bool]] = [(tree, False)]
    while todo:
        node, deferred = todo.pop()
        for name in imported_names(node, module if is_package else module.rpartition(".")[0]):
            yield Import(module, name, node.lineno, deferred)  # type: ignore[attr-defined]
        inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        inside = inside or is_type_checking(node)
        todo += [(child, deferred or inside) for child in ast.iter_child_nodes(node)]


def imported_names(node: ast.AST, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parents = package.split(".")
            base = ".".join([*parents[: len(parents) - node.level + 1], *filter(None, [base])])
        # "from package import module" names a module, "from module import name" does not
        full = [f"{base}.{alias.name}" for alias in node.names]
        names = [name if name in MODULES else base for name in full]
    else:
        return []
    return [name for name in names if name.split(".")[0] in ("spark_sig", "jobs")]


def allowed(imported: Import) -> bool:
    ours, theirs = row_of(imported.importer), row_of(imported.imported)
    if ours is None or theirs is None:
        return True  # said by test_every_module_has_a_row
    if theirs < ours:
        return True
    is_package = MODULES[imported.importer].name == "__init__.py"
    package = imported.importer if is_package else imported.importer.rpartition(".")[0]
    siblings = package != "spark_sig" and (
        package in (imported.imported, imported.imported.rpartition(".")[0])
    )
    return theirs == ours and siblings


ALL_IMPORTS = [
    found
    for module, path in MODULES.items()
    for found in imports_of(module, ast.parse(path.read_text(), str(path)))
]


def test_every_module_has_a_row() -> None:
    assert [module for module in MODULES if row_of(module) is None] == []


def test_imports_point_one_way() -> None:
    wrong = [
        str(found)
        for found in ALL_IMPORTS
        if not allowed(found)
        and not (found.deferred and (found.importer, found.imported) in DOORS)
        # the lazy front names what it will load, for type checkers only
        and not (found.deferred and found.importer == "spark_sig")
    ]
    assert wrong == []


def test_every_door_is_used() -> None:
    used = {(found.importer, found.imported) for found in ALL_IMPORTS if not allowed(found)}
    assert {door for door in DOORS if door not in used} == set()


@pytest.mark.parametrize(
    "module", [name for name in MODULES if not name.startswith("spark_sig.delta")]
)
def test_only_delta_reaches_the_jvm(module: str) -> None:
    found = [
        (node.lineno, name)
        for node in ast.walk(ast.parse(MODULES[module].read_text()))
        if isinstance(node, (ast.Attribute, ast.Name, ast.Constant))
        and (name := mentioned(node)) in JVM_NAMES
    ]
    assert found == []


def mentioned(node: ast.Attribute | ast.Name | ast.Constant) -> object:
    """The name that stands there, also as text, as in ``getattr(frame, "_jdf")``."""
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case ast.Constant(value=value):
            return value


def loaded_by(modules: tuple[str, ...]) -> set[str]:
    """Import the modules in a fresh interpreter and return all that is loaded then."""
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return {name.split(".")[0] for name in result.stdout.split()}


def test_an_executor_loads_neither_pandas_nor_spark() -> None:
    assert loaded_by(EXECUTOR_MODULES) & NOT_ON_EXECUTORS == set()


def test_the_front_module_loads_nothing() -> None:
    heavy = NOT_ON_EXECUTORS | {"numpy", "pyarrow"}
    assert loaded_by(("spark_sig",)) & heavy == set()


def test_a_session_needs_no_command_line() -> None:
    # environments of other tools have neither typer nor rich
    loaded = "import sys, jobs.session; print({'typer', 'rich'} & {*sys.modules})"
    ran = subprocess.run(
        [sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "set()"
