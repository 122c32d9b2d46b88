"""Measure spark_sig against other tools: ``python -m tests.bench.peers [TOOL ...] [--rows N]``.

Every tool checks types and not-null on the 16 columns of the same Delta tables, in an environment
and a process of its own, in turn with Spark's scan.  What a tool gets wrong, and where spark_sig is
not ahead, is printed; only a wrong verdict of spark_sig fails the run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jobs.session import resolved_jars
from tests.bench.peers.checks import TOOLS
from tests.bench.peers.results import HEAD, Measured, Result
from tests.bench.peers.tables import KINDS

ROOT = Path(__file__).parents[3]
WORKER = Path(__file__).with_name("worker.py")
OURS = "spark_sig"
# no tool reports its use to its makers
QUIET = {"DO_NOT_TRACK": "true", "GX_ANALYTICS_ENABLED": "false"}


class _Failed(Exception):
    """A worker that did not finish; says why."""


def _work(python: Path, folder: Path, *arguments: str) -> list[dict[str, Any]]:
    if not python.exists():
        raise _Failed("make env-peers makes its environment")
    log = folder / f"{arguments[0]}.log"
    jars = ",".join(map(str, resolved_jars()))
    with log.open("w") as stderr:
        done = subprocess.run(
            [str(python), str(WORKER), arguments[0], str(folder), *arguments[1:], jars],
            cwd=ROOT,
            env={**os.environ, **QUIET},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    if done.returncode:
        last = log.read_text().strip().rpartition("\n")[2]
        raise _Failed(f"{last[:200]} ({log.relative_to(ROOT)})")
    # a tool may print, too
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"table"')]


def _results(tool: str, folder: Path, column: str, rounds: int) -> Iterator[Result]:
    python = ROOT / TOOLS[tool].environment / "bin" / "python"
    lines = _work(python, folder, tool, column, str(rounds))
    found = {
        line["table"]: Measured(line["verdicts"], line["seconds"], line["scan"], line["jobs"])
        for line in lines
    }
    for prefix, title in (("", tool), ("bare-", f"{tool}, no statistics")):
        if f"{prefix}clean" in found:
            tables = [found[f"{prefix}{t}"] for t in ("clean", f"violating-{column}", "mistyped")]
            yield Result(title, lines[0]["version"], lines[0]["spark"], *tables)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers")
    parser.add_argument("tools", nargs="*", metavar="TOOL", help=f"of {', '.join(TOOLS)}")
    parser.add_argument("--rows", type=int, default=8_000_000)
    parser.add_argument("--rounds", type=int, default=3, help="after one warm-up")
    parser.add_argument("--column", choices=KINDS, default="c5", help="the one with the NULL")
    asked = parser.parse_args()
    if unknown := set(asked.tools) - set(TOOLS):
        parser.error(f"no such tool: {', '.join(sorted(unknown))}")
    return asked


def _summary(results: list[Result]) -> Iterator[str]:
    for result in results:
        yield from result.faults()
    for ours in results:
        if ours.tool == OURS:
            peers = [result for result in results if not result.tool.startswith(OURS)]
            behind = [peer.tool for peer in peers if not ours.ahead(peer)]
            yield f"{OURS} is ahead of {len(peers) - len(behind)} of {len(peers)} tools"
            yield from (f"MISSED: not ahead of {tool}" for tool in behind)


def main() -> None:
    """Print one row for each tool."""
    asked = _arguments()
    folder = ROOT / "build" / "bench" / f"peers-{asked.rows}"
    folder.mkdir(parents=True, exist_ok=True)
    _work(Path(sys.executable), folder, "tables", asked.column, str(asked.rows))

    kind = KINDS[asked.column]
    print(f"{asked.rows:,} rows, clean, and with one NULL in {asked.column} ({kind})\n\n{HEAD}")
    results: list[Result] = []
    for tool in asked.tools or TOOLS:
        try:
            for result in _results(tool, folder, asked.column, asked.rounds):
                results.append(result)
                print(result, flush=True)
        except _Failed as error:
            print(f"{tool} did not run: {error}", flush=True)
    print()
    for line in _summary(results):
        print(line)
    sys.exit(any(result.tool.startswith(OURS) and any(result.faults()) for result in results))


if __name__ == "__main__":
    main()
