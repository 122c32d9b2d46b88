"""Processes of ours, which are waited for and killed: what they say, and what they have started."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

# Long enough for a loaded machine; what waits says what it waits for.
PATIENCE = 240.0


def until(found: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait until something is so.

    Raises:
        TimeoutError: where it is not, after so many seconds.
    """
    end = time.monotonic() + seconds
    while not found():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.01)


@dataclass
class Process:
    """A process of ours, and those that it starts.

    Args:
        name: what it is called.
        running: the process, the leader of its group.
        log: where its output goes.
    """

    name: str
    running: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(cls, name: str, command: Sequence[str], env: Mapping[str, str], log: Path) -> Process:
        """Start it in a group of its own."""
        with log.open("wb") as out:
            running = subprocess.Popen(
                list(command),
                env=dict(env),
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(name, running, log)

    def says(self, pattern: str) -> bool:
        """Say whether its output so far matches."""
        return re.search(pattern, self.log.read_text(errors="replace")) is not None

    def awaits(self, pattern: str) -> None:
        """Wait until its output matches; fail where it ends before.

        Raises:
            AssertionError: where it does.
        """

        def found() -> bool:
            over = self.running.poll() is not None
            seen = self.says(pattern)
            assert seen or not over, f"{self.name} has ended:\n{self.tail()}"
            return seen

        until(found, f"{self.name} does not say {pattern}")

    def tail(self) -> str:
        """Return the end of its output."""
        return self.log.read_text(errors="replace")[-6000:]

    def executors(self) -> list[int]:
        """Return the ids of the executors that it has started, where it is a worker."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
                command = (place / "cmdline").read_bytes()
            except (OSError, IndexError):  # it has ended meanwhile
                continue
            if parent == self.running.pid and b"CoarseGrainedExecutorBackend" in command:
                found.append(int(place.name))
        return found

    def kill(self) -> None:
        """End it, and all that it has started, as a machine that is switched off."""
        for pid in self.executors():
            send(pid, signal.SIGKILL)
        if self.running.poll() is None:
            os.killpg(self.running.pid, signal.SIGKILL)
        self.running.wait(30)


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process, unless it has ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def resident(above: int, like: bytes) -> int:
    """Return the bytes that the processes below another one hold, of those of some command."""
    below: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):  # it has ended meanwhile
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            below.setdefault(parent, []).append(int(place.name))
    total, left = 0, below.get(above, [])
    while left:
        pid = left.pop()
        left += below.get(pid, [])
        with suppress(OSError, IndexError):
            place = Path("/proc") / str(pid)
            if like in (place / "cmdline").read_bytes():
                total += int((place / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return total


def answer(python: Path | str, *arguments: str, timeout: float) -> dict[str, Any]:
    """Run Python in a process of its own, with this checkout, and return its last line, as JSON."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYSPARK_", "SPARK_"))}
    env["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [str(python), *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


def submit(root: Path, job: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a job as the README says, in a process of its own."""
    from jobs.session import resolved_jars

    jars = resolved_jars()
    # those that are there already: the tests need no network
    ivy = ["--conf", f"spark.jars.ivy={jars[0].parents[1]}"] if jars else []
    folder = Path(sys.executable).parent
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYSPARK_", "SPARK_"))}
    env["PATH"] = f"{folder}{os.pathsep}{env['PATH']}"
    return subprocess.run(
        [
            *(str(folder / "spark-submit"), "--properties-file", "conf/spark-defaults.conf"),
            *ivy,
            *(job, *arguments),
        ],
        cwd=root,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
