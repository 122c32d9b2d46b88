"""The doctor: each fault is found where there is one, with what helps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.errors import PySparkException
from typer.testing import CliRunner

from spark_sig.cli import app
from spark_sig.diagnosis import (
    Health,
    Symptom,
    diagnose_machine,
    diagnose_session,
    diagnose_table,
    machine,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def named(symptoms: list[Symptom], name: str) -> Symptom:
    (found,) = (one for one in symptoms if one.name == name)
    return found


# --- the machine ----------------------------------------------------------------------------------


def test_a_machine_that_is_well() -> None:
    assert {one.name: one.remedy for one in diagnose_machine() if one.remedy} == {}


def java(folder: Path, says: str) -> None:
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("says", "health"),
    [
        ('openjdk version "21.0.2" 2024-01-16', Health.FINE),
        ('openjdk version "1.8.0_392"', Health.BROKEN),
        ("what?", Health.BROKEN),
        (None, Health.BROKEN),
    ],
)
def test_javas(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str | None, health: Health
) -> None:
    monkeypatch.setattr(machine, "_least_java", lambda: 17)
    if says is not None:
        java(tmp_path, says)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    found = named(diagnose_machine(), "Java")
    assert found.health is health
    assert ("install Java 17 or newer" in found.remedy) == (health is Health.BROKEN)


@pytest.mark.parametrize(
    ("package", "release", "name", "remedy"),
    [
        ("pandas", "3.0.1", "pandas", "install pandas>=2.2,<3"),
        ("pyarrow", "14.0.2", "pyarrow", "install pyarrow>=15"),
        ("numpy", None, "numpy", "install numpy>=1.24,<3"),
        ("delta-spark", "4.4.1", "Delta for Spark", "without its JARs"),
        ("pyspark", "3.5.1", "Delta for Spark", "wants pyspark"),
    ],
)
def test_packages(
    monkeypatch: pytest.MonkeyPatch, package: str, release: str | None, name: str, remedy: str
) -> None:
    def version(asked: str) -> str:
        if asked != package:
            return metadata.version(asked)
        if release is None:
            raise metadata.PackageNotFoundError
        return release

    if package == "pyspark" and metadata.version("delta-spark").startswith("3"):
        release = "4.2.0"
    monkeypatch.setattr(machine, "version", version)
    found = named(diagnose_machine(), name)
    assert found.health is not Health.FINE
    assert remedy in found.remedy


# --- the session ----------------------------------------------------------------------------------


def test_a_session_that_is_well(spark: SparkSession) -> None:
    found = diagnose_session(spark)
    assert [one for one in found if one.remedy] == []
    assert f"python {sys.version_info[0]}.{sys.version_info[1]}" in named(found, "workers").found


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("spark.databricks.delta.history.metricsEnabled", "false", "refuse to write"),
        ("spark.sql.execution.arrow.pyspark.validateSchema.enabled", "true", "ML vectors"),
        ("spark.databricks.delta.stats.collect", "false", "without statistics"),
    ],
)
def test_confs_that_do_harm(spark: SparkSession, key: str, value: str, remedy: str) -> None:
    before = spark.conf.get(key, None)
    spark.conf.set(key, value)
    try:
        found = named(diagnose_session(spark), key)
    finally:
        if before is None:
            spark.conf.unset(key)
        else:
            spark.conf.set(key, before)
    assert (found.health, found.found) == (Health.WEAK, value)
    assert remedy in found.remedy


# --- tables ---------------------------------------------------------------------------------------


def test_columns_without_statistics(spark: SparkSession, tmp_path: Path) -> None:
    """Delta takes those of the first 32 columns."""
    wide = ", ".join(f"id AS c{place}" for place in range(35))
    spark.sql(f"SELECT {wide} FROM range(3)").write.format("delta").save(str(tmp_path / "wide"))
    (found,) = diagnose_table(tmp_path / "wide")
    assert (found.health, found.found) == (Health.WEAK, "no statistics decide: c32, c33, c34")
    assert "delta.dataSkippingStatsColumns" in found.remedy
    spark.range(3).write.format("delta").save(str(tmp_path / "narrow"))
    (found,) = diagnose_table(tmp_path / "narrow")
    assert (found.health, found.remedy) == (Health.FINE, "")
    spark.range(3).write.parquet(str(tmp_path / "parquet"))
    (found,) = diagnose_table(tmp_path / "parquet")
    assert "write it as a Delta table" in found.remedy


# --- the command ----------------------------------------------------------------------------------


def run(*arguments: str, session: Any) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["doctor", *arguments], obj=session, prog_name="spark-sig")
    return done.exit_code, done.stdout, done.stderr


def test_the_command(spark: SparkSession, tmp_path: Path) -> None:
    spark.range(3).write.parquet(str(tmp_path / "parquet"))
    code, said, _ = run("--table", str(tmp_path / "parquet"), session=lambda: spark)
    assert code == 0
    assert said.splitlines()[0].startswith("fine  Java")
    assert said.splitlines()[-1].strip().startswith("write it as a Delta table")
    code, said, _ = run("--json", session=lambda: spark)
    found = {one["name"]: one["health"] for one in json.loads(said)["symptoms"]}
    assert (code, found["Delta Lake"], found["workers"]) == (0, "fine", "fine")
    # a table that is not there hides nothing else
    nowhere = str(tmp_path / "nowhere")
    code, said, _ = run("--table", nowhere, "--json", session=lambda: spark)
    symptoms = {one["name"]: one for one in json.loads(said)["symptoms"]}
    assert (code, symptoms["workers"]["health"]) == (3, "fine")
    assert symptoms[f"table {nowhere}"]["health"] == "broken"
    assert symptoms[f"table {nowhere}"]["remedy"]


def test_a_java_that_is_no_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As one for another machine is."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").write_bytes(b"\x7fELF\xff")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    for mode in (0o644, 0o755):
        (tmp_path / "bin" / "java").chmod(mode)
        java = machine._java()
        assert (java.health, "JAVA_HOME" in java.remedy) == (Health.BROKEN, True)


def test_a_session_that_does_not_start() -> None:
    def session() -> Any:
        raise PySparkException("Java gateway process exited")

    code, said, _ = run(session=session)
    assert code == 3
    assert "broken  Spark" in said
    assert "Java gateway process exited" in said


@pytest.mark.slow
def test_workers_that_lack_what_they_need(tmp_path: Path, root: Path) -> None:
    """The first command of a user whose workers are another Python: a session of its own."""
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    done = subprocess.run(
        [sys.executable, "-c", "from spark_sig.cli import main; main(['doctor', '--json'])"],
        cwd=tmp_path,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("SPARK_")},
            "PYSPARK_PYTHON": str(bare / "bin" / "python"),
            "PYTHONPATH": str(root),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    found = {one["name"]: one for one in json.loads(done.stdout)["symptoms"]}
    assert found["workers"]["health"] == "broken"
    assert "No module named" in found["workers"]["found"]
    assert "PYSPARK_PYTHON" in found["workers"]["remedy"]
    # one that is started here has Delta Lake
    assert found["Delta Lake"]["health"] == "fine"
