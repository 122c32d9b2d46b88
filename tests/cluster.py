"""A standalone Spark cluster of processes on loopback: a master, workers, and jobs submitted to it.

Its Python has the locked dependencies and nothing else: the project comes as a wheel with each job.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spark_sig import Report
from tests.processes import Process

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".venv-cluster" / "bin" / "python"


@dataclass
class Cluster:
    """A master and its workers.

    Args:
        folder: where logs and what workers write go.
        java_home: the Java to run.
        wheel: the project.
        jars: Delta's.
    """

    folder: Path
    java_home: str
    wheel: Path
    jars: Sequence[Path]
    master: Process | None = None
    workers: list[Process] = field(default_factory=list)
    started: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        """Where the master listens."""
        return f"spark://127.0.0.1:{self.port}"

    @property
    def home(self) -> Path:
        """Spark, as pip has installed it."""
        return next((PYTHON.parents[1] / "lib").glob("python3*/site-packages/pyspark"))

    def env(self, **more: str) -> dict[str, str]:
        """Return the environment of a process; nothing of this one's Spark or Python is in it."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        return {
            **kept,
            "PATH": f"{PYTHON.parent}:{self.java_home}/bin:/usr/bin:/bin",
            "JAVA_HOME": self.java_home,
            "SPARK_HOME": str(self.home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_DAEMON_MEMORY": "256m",
            "PYSPARK_PYTHON": str(PYTHON),
            **more,
        }

    def start(self) -> None:
        """Start a master and two workers."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--webui-port", "0"]
        self.master = self._daemon("master", "master.Master", options, {})
        self.master.awaits("I have been elected leader")
        while len(self.workers) < 2:
            self.add_worker()

    def add_worker(self) -> None:
        """Start another worker, of one core."""
        self.started += 1
        name = f"worker{self.started}"
        local, work = self.folder / name / "local", self.folder / name / "work"
        local.mkdir(parents=True)
        options = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0", "--cores", "1"]
        options += ["--memory", "1536m", "--work-dir", str(work), self.url]
        worker = self._daemon(name, "worker.Worker", options, {"SPARK_LOCAL_DIRS": str(local)})
        worker.awaits("Successfully registered with master")
        self.workers.append(worker)

    def _daemon(
        self, name: str, part: str, options: Sequence[str], env: Mapping[str, str]
    ) -> Process:
        command = [str(self.home / "bin" / "spark-class"), f"org.apache.spark.deploy.{part}"]
        log = self.folder / f"{name}.log"
        return Process.start(name, [*command, *options], self.env(**env), log)

    def submit(self, name: str, arguments: Sequence[str], **conf: str) -> Process:
        """Submit ``jobs/validate.py``, the project with it as a wheel."""
        given = {
            "spark.executor.memory": "1g",
            "spark.executor.cores": "1",
            "spark.driver.memory": "1g",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
            "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
            "spark.sql.shuffle.partitions": "2",
            "spark.databricks.delta.snapshotPartitions": "2",
            # a task for each file
            "spark.sql.files.openCostInBytes": "128m",
            **conf,
        }
        command = [str(self.home / "bin" / "spark-submit"), "--master", self.url]
        # Executors put no file on their path that is called .whl.
        zipped = self.folder / f"{self.wheel.stem}.zip"
        shutil.copyfile(self.wheel, zipped)
        command += ["--py-files", str(zipped), "--jars", ",".join(map(str, self.jars))]
        for key, value in given.items():
            command += ["--conf", f"{key}={value}"]
        command += [str(ROOT / "jobs" / "validate.py"), *arguments]
        return Process.start(name, command, self.env(), self.folder / f"{name}.log")

    def stop(self) -> None:
        """End all processes."""
        for process in (*self.workers, *([self.master] if self.master else [])):
            process.kill()


# What the job ends with where rows violate.
VIOLATIONS = 3


class Job:
    """One run of the job.

    Args:
        cluster: where it runs.
        source: the table; its signature lies beside it.
        folder: where the report goes, and the two tables where rows are transferred.
        transfer: whether they are.
    """

    def __init__(
        self, cluster: Cluster, source: Path, folder: Path, *, transfer: bool = False
    ) -> None:
        self.cluster, self.source, self.folder = cluster, source, folder
        self.good, self.bad, self.report = (folder / n for n in ("good", "bad", "report.json"))
        self.transfer = transfer
        self.turns = 0

    def submit(self, **conf: str) -> Process:
        """Submit it, once more where it was before."""
        self.turns += 1
        arguments = {
            "table": self.source,
            "signature": self.source.parent / "signature.json",
            "report": self.report,
        }
        if self.transfer:
            arguments |= {"conformed": self.good, "quarantine": self.bad}
        flags = [text for name, value in arguments.items() for text in (f"--{name}", str(value))]
        return self.cluster.submit(f"{self.folder.name}-{self.turns}", flags, **conf)

    def finish(self, job: Process) -> None:
        """Wait for its end; fail where it does not end with violations.

        Raises:
            AssertionError: where it does not.
        """
        job.running.wait(400)
        assert job.running.returncode == VIOLATIONS, job.tail()

    def read_report(self) -> Report:
        """Return what it has reported."""
        return Report.from_dict(json.loads(self.report.read_text()))
