"""Notebooks: run by a kernel of their own, and what their cells showed."""

from __future__ import annotations

import os
import re
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.processes import ROOT, Process

# A kernel on a machine that does much else; MLflow and Spark take a while to start.
PATIENCE = 900


@dataclass(frozen=True)
class Shown:
    """What one cell showed.

    Args:
        source: its code.
        text: what it printed, and the plain text of its value.
        html: the HTML of its value; empty where it has none.
        error: the lines of its error; empty where it had none.
        name: the class of the error.
    """

    source: str
    text: str
    html: str
    error: tuple[str, ...]
    name: str


def notebook(*cells: str) -> Any:
    """Return a notebook of some cells, which may fail."""
    import nbformat

    made = [nbformat.v4.new_code_cell(cell) for cell in cells]
    for cell in made:
        cell.metadata["tags"] = ["raises-exception"]
    return nbformat.v4.new_notebook(cells=made)


def run(book: Any, env: dict[str, str], folder: Path) -> list[Shown]:
    """Execute a notebook in a kernel of its own, with this checkout, and return what it showed.

    Args:
        book: the notebook; a cell fails only where its tags allow it.
        env: what the kernel's environment has besides.
        folder: where it may leave what it keeps.
    """
    from nbclient import NotebookClient
    from traitlets.config import Config

    # sockets in files, whose paths have to be short: nothing listens on a port
    with tempfile.TemporaryDirectory(prefix="nb") as runtime:
        ours = {
            "PYTHONPATH": str(ROOT),
            "IPYTHONDIR": str(folder / "ipython"),
            "JUPYTER_RUNTIME_DIR": runtime,
            "TMPDIR": str(folder),
        }
        config = Config()
        config.KernelManager.transport = "ipc"
        config.KernelManager.connection_file = f"{runtime}/kernel.json"
        client = NotebookClient(
            book,
            kernel_name="python3",
            timeout=PATIENCE,
            config=config,
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute(env={**clean(), **ours, **env})
    return [shown(cell) for cell in book.cells if cell.cell_type == "code"]


def clean() -> dict[str, str]:
    """Return the environment without what is said of Spark in it."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYSPARK_", "SPARK_"))}


def shown(cell: Any) -> Shown:
    """Return what a cell showed."""
    texts: list[str] = []
    html, error, name = "", (), ""
    for output in cell.outputs:
        if output.output_type == "error":
            # colours are for terminals
            plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output.traceback))
            error, name = tuple(plain.splitlines()), output.ename
        elif output.output_type == "stream":
            texts.append(output.text)
        else:
            texts.append(output.data.get("text/plain", ""))
            html = output.data.get("text/html", html)
    return Shown(cell.source, "\n".join(texts), html, error, name)


def one(cells: Sequence[Shown], part: str) -> Shown:
    """Return the cell whose code has some text in it."""
    (found,) = [cell for cell in cells if part in cell.source]
    return found


@contextmanager
def connect_server(folder: Path) -> Iterator[str]:
    """Start a server of Spark Connect on this machine, and give its address."""
    from jobs.session import DELTA_CONF, LOCAL_CONF, LOG4J, resolved_jars

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    conf = {
        **LOCAL_CONF,
        **DELTA_CONF,
        "spark.master": "local[2]",
        "spark.driver.memory": "2g",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        # on a machine that does much else the first would come before there is anything to beat
        "spark.executor.heartbeatInterval": "60s",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.local.dir": str(folder),
        "spark.jars": ",".join(map(str, resolved_jars())),
    }
    command = [str(Path(sys.executable).parent / "spark-submit")]
    command += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
    command += [text for key, value in conf.items() for text in ("--conf", f"{key}={value}")]
    logging = f'-Dlog4j2.configurationFile="{LOG4J.as_uri()}"'
    command += ["--conf", f"spark.driver.extraJavaOptions={logging}", "spark-internal"]
    env = clean() | {"PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable}
    server = Process.start("connect", command, env, folder / "server.log")
    try:
        until_listening(server, port)
        yield f"sc://127.0.0.1:{port}"
    finally:
        server.kill()


def until_listening(server: Process, port: int) -> None:
    """Wait until a server takes connections.

    Raises:
        AssertionError: where it ends before.
    """
    from tests.processes import until

    def found() -> bool:
        assert server.running.poll() is None, server.tail()
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    until(found, f"{server.name} does not listen", PATIENCE)
