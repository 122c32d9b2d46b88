"""Airflow on loopback: its processes, on a database and a folder of their own.

It has an environment of its own (``.venv-airflow``).  Spark runs the Python of the tests, which
has MLflow.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.processes import PATIENCE, Process, until

ROOT = Path(__file__).parents[1]
BIN = ROOT / ".venv-airflow" / "bin"

# One Spark starts after the other, each for some run of a DAG.
LONG = 5 * PATIENCE

# What a run or a task does not leave again.
OVER = {"success", "failed", "upstream_failed", "skipped", "removed"}


@dataclass
class Airflow:
    """A scheduler, a DAG processor and an API server.

    Args:
        folder: where all that they write goes.
        java_home: the Java to run.
        variables: of Airflow's, by name.
    """

    folder: Path
    java_home: str
    variables: Mapping[str, str] = field(repr=False)
    running: list[Process] = field(default_factory=list, repr=False)
    port: int = 0
    token: str = field(default="", repr=False)
    secret: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)

    def __post_init__(self) -> None:
        if not self.port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]

    def env(self) -> dict[str, str]:
        """Return the environment of a process; nothing of this one's Spark or Python is in it."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        bundles = [
            {
                "name": name,
                "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                "kwargs": {"path": str(ROOT / name / "dags")},
            }
            for name in ("jobs", "tests")
        ]
        return {
            **kept,
            "PATH": f"{BIN}:{self.java_home}/bin:/usr/bin:/bin",
            "JAVA_HOME": self.java_home,
            "PYTHONPATH": str(ROOT),
            "PYSPARK_PYTHON": sys.executable,
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps({"conn_type": "spark", "host": "local[1]"}),
            **{f"AIRFLOW_VAR_{k.upper()}": value for k, value in self.variables.items()},
            # more than one process writes to it
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.folder}/airflow.db?timeout=60",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            # one Spark at a time
            "AIRFLOW__CORE__PARALLELISM": "1",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API_AUTH__JWT_SECRET": self.secret,
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            # on a loaded machine a server answers late, and none is dead for it
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "1200",
            # nor does a task fail that waits for the others
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "3600",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    @property
    def url(self) -> str:
        """Where the API server listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the processes, on a database that is there."""
        serving = ("--host", "127.0.0.1", "--port", str(self.port), "--workers", "1")
        self._start("api-server", *serving)
        # tasks that do not reach it fail
        until(self._is_up, "the API server does not answer", LONG)
        self.token = self.ask("/auth/token")["access_token"]
        self._start("dag-processor")
        # its other server would listen on every address
        self._start("scheduler", "--skip-serve-logs")

    def _start(self, *command: str) -> None:
        log = self.folder / f"{command[0]}.log"
        started = Process.start(command[0], [str(BIN / "airflow"), *command], self.env(), log)
        self.running.append(started)

    def _is_up(self) -> bool:
        for process in self.running:
            assert process.running.poll() is None, f"{process.name} has ended:\n{process.tail()}"
        try:
            return bool(self.ask("/api/v2/version"))
        except OSError:
            return False

    def stop(self) -> None:
        """End the processes."""
        for process in self.running:
            process.running.terminate()
        for process in self.running:
            try:
                process.running.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    def run(self, *command: str) -> str:
        """Run a command of Airflow's own; return what it says."""
        done = subprocess.run(
            [str(BIN / "airflow"), *command],
            env=self.env(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONG,
            check=False,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
        return done.stdout

    def ask(self, path: str, body: object = None) -> Any:
        """Ask the API server; return its answer, from JSON."""
        return json.loads(self.read(path, body))

    def read(self, path: str, body: object = None) -> str:
        """Ask the API server; return its answer."""
        request = urllib.request.Request(
            self.url + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text: str = answer.read().decode()
                return text
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:1000]
            raise AssertionError(f"{path}: {error.code} {said}") from error

    def api(self, path: str, body: object = None) -> Any:
        """Ask the public API."""
        return self.ask(f"/api/v2/{path}", body)

    def trigger(self, dag: str) -> DagRun:
        """Start a run of a DAG."""
        made = self.api(f"dags/{dag}/dagRuns", {"logical_date": None})
        return DagRun(self, dag, made["dag_run_id"])

    def first(self, dag: str) -> DagRun:
        """Return the first run of a DAG, once it is there."""
        until(lambda: self.runs(dag), f"no run of {dag}", LONG)
        return DagRun(self, dag, self.runs(dag)[0]["dag_run_id"])

    def runs(self, dag: str) -> list[dict[str, Any]]:
        """Return all runs of a DAG, by their dates."""
        found: list[dict[str, Any]] = self.api(f"dags/{dag}/dagRuns?order_by=run_after")["dag_runs"]
        return found


@dataclass(frozen=True)
class DagRun:
    """A run of a DAG.

    Args:
        airflow: where it runs.
        dag: the DAG.
        run_id: its name there.
    """

    airflow: Airflow
    dag: str
    run_id: str

    @property
    def path(self) -> str:
        """Where the API has it."""
        return f"dags/{self.dag}/dagRuns/{quote(self.run_id)}"

    @property
    def state(self) -> str:
        """Its state."""
        state: str = self.airflow.api(self.path)["state"]
        return state

    def finish(self) -> str:
        """Wait for its end, and that of those before it; return its state."""
        until(lambda: self.state in OVER, f"{self} does not end", LONG)
        return self.state

    def tasks(self) -> dict[str, tuple[str | None, int]]:
        """Return the state, and the number of tries, of each task."""
        found = self.airflow.api(f"{self.path}/taskInstances")["task_instances"]
        return {one["task_id"]: (one["state"], one["try_number"]) for one in found}

    def log(self, task: str, number: int = 1) -> str:
        """Return the log of a try, as JSON."""
        at = f"{self.path}/taskInstances/{task}/logs/{number}?full_content=true"
        return json.dumps(self.airflow.api(at)["content"], ensure_ascii=False)

    def xcom(self, task: str, key: str = "return_value") -> Any:
        """Return what a task has handed on."""
        return self.airflow.api(f"{self.path}/taskInstances/{task}/xcomEntries/{key}")["value"]

    def links(self, task: str) -> dict[str, str | None]:
        """Return the links of a task, by name."""
        found: dict[str, str | None]
        found = self.airflow.api(f"{self.path}/taskInstances/{task}/links")["extra_links"]
        return found
