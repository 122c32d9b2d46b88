"""The project's own files: what they promise, they do."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

README_BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
# joined here, so that this file does not hold what it looks for
MACHINE_PATH = re.compile("/" + r"(?:root|home|Users)/\w|/work" + r"/\w")
REGISTRY = re.compile("--" + "(?:extra-index-url|index-url|find-links|trusted-host) ?[=h/]")


def run(*command: str, cwd: Path) -> str:
    return subprocess.run(
        command, cwd=cwd, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL
    ).stdout


@pytest.fixture(scope="session")
def project_files(root: Path) -> list[Path]:
    """What git tracks, or would."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=root)
    return [path for name in listed.splitlines() if (path := root / name).is_file()]


def test_the_wheel_holds_the_package_and_nothing_else(
    root: Path, project_files: list[Path], tmp_path: Path
) -> None:
    pytest.importorskip("build.__main__", reason="an environment of an older Spark has no tools")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path)]
    run(*build, str(root), cwd=tmp_path)
    [wheel] = tmp_path.glob("spark_sig-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [entry_points] = [name for name in names if name.endswith("entry_points.txt")]
        scripts = archive.read(entry_points).decode()
        [license_] = [name for name in names if name.endswith("/LICENSE")]
        assert archive.read(license_) == (root / "LICENSE").read_bytes()

    packaged = {name for name in names if ".dist-info/" not in name}
    tracked = {path.relative_to(root).as_posix() for path in project_files}
    assert packaged == {name for name in tracked if name.startswith("spark_sig/")}
    assert "spark_sig/py.typed" in packaged
    assert "spark-sig = spark_sig.cli:main" in scripts


def test_make_help_lists_every_target(root: Path) -> None:
    makefile = (root / "Makefile").read_text()
    phony = set(re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE))
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):(?!=)", makefile, re.MULTILINE))
    listed = re.findall(r"^  make (\S+) +\S", run("make", "help", cwd=root), re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == targets == phony


def test_every_target_that_the_readme_names_exists(root: Path) -> None:
    targets = set(re.findall(r"^  make (\S+)", run("make", "help", cwd=root), re.MULTILINE))
    readme = (root / "README.md").read_text()
    named = set(re.findall(r"(?:^|`)make ([a-z][a-z0-9-]+)", readme, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_spark_defaults_name_the_locked_delta(root: Path) -> None:
    conf = {}
    for line in (root / "conf" / "spark-defaults.conf").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            key, value = line.split(None, 1)
            conf[key] = value.strip()

    lock = (root / "conf" / "requirements" / "core.txt").read_text()
    spark, delta = (
        re.search(rf"^{name}==([\d.]+)", lock, re.MULTILINE)[1]  # type: ignore[index]
        for name in ("pyspark", "delta-spark")
    )
    minor = spark.rpartition(".")[0]
    assert conf["spark.jars.packages"] == f"io.delta:delta-spark_{minor}_2.13:{delta}"
    assert (root / conf["spark.driver.extraJavaOptions"].partition("=")[2]).is_file()

    from jobs.session import DELTA_CONF

    assert DELTA_CONF.items() <= conf.items()


def test_the_locks_agree_with_each_other(root: Path) -> None:
    def versions(name: str) -> set[str]:
        text = (root / "conf" / "requirements" / name).read_text()
        return set(re.findall(r"^[a-z0-9-]+==[^ ]+", text, re.MULTILINE))

    assert versions("core.txt") <= versions("dev.txt")


def test_no_file_names_a_machine(project_files: list[Path], root: Path) -> None:
    found = []
    for path in project_files:
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue  # an image or the like
        for pattern in (MACHINE_PATH, REGISTRY):
            found += [f"{path.relative_to(root)}: {match[0]}" for match in pattern.finditer(text)]
    assert found == []


def test_python_in_the_documents_compiles(project_files: list[Path]) -> None:
    for path in project_files:
        if path.suffix == ".md":
            for block in README_BLOCK.findall(path.read_text()):
                ast.parse(block, filename=str(path))
