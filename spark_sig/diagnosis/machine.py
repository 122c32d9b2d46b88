"""The machine: Java, and the packages that have to fit together, without a session."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TypeAlias

from spark_sig.diagnosis.symptom import Health, Symptom

Release: TypeAlias = "tuple[int, ...]"

# Releases that spark_sig is tested with: the first that is, and the first that is not.
_TESTED: dict[str, tuple[Release, Release]] = {
    "pyspark": ((3, 5), (5,)),
    "delta-spark": ((3, 2), (5,)),
    "pyarrow": ((15,), (1000,)),
    "numpy": ((1, 24), (3,)),
    # PySpark 4.2 warns on pandas 3
    "pandas": ((2, 2), (3,)),
}

# The oldest Java that each Spark runs on, the newest Spark first.
_JAVA: tuple[tuple[Release, int], ...] = (((4,), 17), ((3,), 8))

# Came out without its JARs.
_NO_JARS = "4.4.1"


def diagnose_machine() -> list[Symptom]:
    """Look at Java, and at the packages of this Python."""
    return [_java(), _python(), *_packages(), _pair()]


def _java() -> Symptom:
    home = os.environ.get("JAVA_HOME")
    program = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    least = _least_java()
    remedy = f"install Java {least} or newer, and set JAVA_HOME to it"
    if program is None or not Path(program).exists():
        return Symptom("Java", Health.BROKEN, f"none at {program or 'PATH'}", remedy)
    try:
        said = subprocess.run(
            [program, "-version"], capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:  # no program, or one for another machine
        return Symptom("Java", Health.BROKEN, f"{program}: {error.strerror}", remedy)
    found = re.search(r'version "(?:1\.)?(\d+)[^"]*"', said.stderr)
    if found is None:
        return Symptom("Java", Health.BROKEN, f"{program} does not say its version", remedy)
    health = Health.FINE if int(found[1]) >= least else Health.BROKEN
    shown = f"{found[1]} ({program})"
    return Symptom("Java", health, shown, "" if health is Health.FINE else remedy)


def _least_java() -> int:
    spark = _release("pyspark") or (4,)
    return next(java for first, java in _JAVA if spark >= first)


def _python() -> Symptom:
    # Spark starts its workers with the python3 of PATH where nobody says otherwise
    named = os.environ.get("PYSPARK_PYTHON")
    found = f"{sys.version.split()[0]} ({sys.executable})"
    if named is None or shutil.which(named) == sys.executable:
        return Symptom("Python", Health.FINE, found)
    return Symptom("Python", Health.FINE, f"{found}; workers: {named}")


def _packages() -> Iterator[Symptom]:
    for name, (first, beyond) in _TESTED.items():
        release = _release(name)
        if release is None:
            health = Health.WEAK if name == "delta-spark" else Health.BROKEN
            yield Symptom(name, health, "not installed", f"install {_wanted(name)}")
            continue
        fine = first <= release < beyond
        found = version(name)
        remedy = "" if fine else f"install {_wanted(name)}"
        yield Symptom(name, Health.FINE if fine else Health.WEAK, found, remedy)


def _pair() -> Symptom:
    """Say whether Spark and Delta Lake are made for one another, as Delta's own package says."""
    name = "Delta for Spark"
    spark, delta = _release("pyspark"), _release("delta-spark")
    if spark is None or delta is None:
        return Symptom(name, Health.WEAK, "not both are installed", "install delta-spark")
    if version("delta-spark") == _NO_JARS:
        remedy = f"install another delta-spark than {_NO_JARS}, which came out without its JARs"
        return Symptom(name, Health.BROKEN, _NO_JARS, remedy)
    wanted = next((one for one in requires("delta-spark") or () if one.startswith("pyspark")), "")
    bounds = re.findall(r"(>=|<)\s*([\d.]+)", wanted.partition(";")[0])
    fits = all(
        spark >= _numbers(bound) if sign == ">=" else spark < _numbers(bound)
        for sign, bound in bounds
    )
    found = f"delta-spark {version('delta-spark')} with pyspark {version('pyspark')}"
    remedy = "" if fits else f"delta-spark {version('delta-spark')} wants {wanted}"
    return Symptom(name, Health.FINE if fits else Health.BROKEN, found, remedy)


def _wanted(name: str) -> str:
    first, beyond = (".".join(map(str, release)) for release in _TESTED[name])
    return f"{name}>={first},<{beyond}" if beyond != "1000" else f"{name}>={first}"


def _release(name: str) -> Release | None:
    try:
        return _numbers(version(name))
    except PackageNotFoundError:
        return None


def _numbers(text: str) -> Release:
    found = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else ()
