"""Pages of Markdown, and a reader who does what their blocks say.

A block's first word is its language; the words after it, which no renderer shows, say what becomes
of it:

==============  ================================================================================
``output``      a text: what the block before it printed; ``...`` stands for anything
``exit=3``      a shell block whose last command ends with that code, not with 0
``file=NAME``   is written to a file, not run
``by=NAME``     is run by somebody else, who is named in ``ELSEWHERE``
``needs=NAME``  is run where spark_sig has a name, a module or a command of that name
==============  ================================================================================
"""

from __future__ import annotations

import doctest
import io
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt
from typer.testing import CliRunner

import spark_sig
from spark_sig.cli import app
from spark_sig.cli.completion import PROGRAM

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Who runs what a reader of these tests cannot.
ELSEWHERE = {
    "install": "conf/test-wheel.sh installs the wheel in an empty environment",
    "make": "targets of the Makefile, which tests/test_project.py looks for",
    "pandera": "tests/test_guide.py, in pandera's own environment",
    "dqx": "tests/test_guide.py, in DQX's own environment",
    "airflow": "tests/test_airflow.py, in Airflow's own environment",
}

_OUTPUT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block.

    Args:
        language: its first word.
        words: those after it, by name; a word alone has the value "".
        text: what is in it.
        place: its page and line, for errors.
    """

    language: str
    words: dict[str, str]
    text: str
    place: str

    def code(self) -> Any:
        """Compile it; tracebacks name the page's own lines."""
        page, _, line = self.place.rpartition(":")
        return compile("\n" * int(line) + self.text, page, "exec")


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page, but for those that are Sphinx's own directives."""
    found = []
    for token in MarkdownIt().parse(page.read_text()):
        if token.type != "fence" or token.info.startswith("{"):
            continue
        language, *words = token.info.split() or [""]
        named = dict(word.partition("=")[::2] for word in words)
        assert token.map is not None
        found.append(Block(language, named, token.content, f"{page.name}:{token.map[0] + 1}"))
    return found


def commands(text: str) -> list[str]:
    """Return the commands of a shell block, one for each line that no backslash ends."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def has(name: str | None) -> bool:
    """Whether spark_sig has what a block needs."""
    if name is None or name in spark_sig.__all__:
        return True
    known = {command.name for command in app.registered_commands}
    return name in known or find_spec(f"{spark_sig.__name__}.{name}") is not None


@contextmanager
def standing_in(folder: Path, spark: SparkSession) -> Iterator[None]:
    """Have relative paths begin in a folder: this process's, and those of Spark's driver."""
    jvm: Any = spark._jvm
    files = jvm.org.apache.hadoop.fs.FileSystem.getLocal(spark._jsc.hadoopConfiguration())
    before = Path.cwd(), files.getWorkingDirectory(), jvm.java.lang.System.getProperty("user.dir")

    def stand(here: Path, there: Any, property_: str) -> None:
        os.chdir(here)
        files.setWorkingDirectory(there)
        # which file systems that are made later begin in
        jvm.java.lang.System.setProperty("user.dir", property_)

    stand(folder, jvm.org.apache.hadoop.fs.Path(folder.as_uri()), str(folder))
    try:
        yield
    finally:
        stand(*before)


@dataclass
class Reader:
    """Somebody who follows pages in a folder, with a Spark session at hand.

    Args:
        spark: the session; blocks of Python call it ``spark``.
        folder: where relative paths begin.
        names: what blocks of Python have defined so far.
        printed: what the last block printed.
        skipped: blocks that are run elsewhere.
    """

    spark: SparkSession
    folder: Path
    names: dict[str, Any] = field(default_factory=dict)
    printed: str = ""
    skipped: list[Block] = field(default_factory=list)

    def __post_init__(self) -> None:
        # __main__: cloudpickle then takes what a page defines along by value
        self.names = {"spark": self.spark, "__name__": "__main__", **self.names}

    def follow(self, page: Path) -> None:
        """Do what a page says, block by block."""
        with standing_in(self.folder, self.spark):
            for block in blocks(page):
                self.do(block)

    def do(self, block: Block) -> None:
        """Do what one block says."""
        if not has(block.words.get("needs")):
            self.skipped.append(block)
        elif "output" in block.words:
            self._compare(block)
        elif name := block.words.get("file"):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(block.text)
        elif reason := block.words.get("by"):
            assert reason in ELSEWHERE, f"{block.place}: nobody is known as {reason}"
            self.skipped.append(block)
        elif block.language == "python":
            with redirect_stdout(io.StringIO()) as out:
                exec(block.code(), self.names)
            self.printed = out.getvalue()
        elif block.language == "shell":
            self._shell(block)
        else:
            raise AssertionError(f"{block.place}: nobody runs {block.language or 'a bare block'}")

    def _compare(self, block: Block) -> None:
        if not doctest.OutputChecker().check_output(block.text, self.printed, _OUTPUT):
            raise AssertionError(f"{block.place}: what came is\n\n{self.printed}")

    def _shell(self, block: Block) -> None:
        lines = commands(block.text)
        self.printed = ""
        for line in lines:
            code, said, error = self._run(line)
            self.printed += said
            wanted = int(block.words.get("exit", 0)) if line is lines[-1] else 0
            assert code == wanted, f"{block.place}: {line}\nexit code {code}\n{said}\n{error}"

    def _run(self, line: str) -> tuple[int, str, str]:
        program, *arguments = shlex.split(line)
        # a shell's own signs (pipes, redirections, substitutions) need a shell
        if program == PROGRAM and not set(line) & set("|>$`;"):
            session: Callable[[], SparkSession] = lambda: self.spark  # noqa: E731
            done = CliRunner().invoke(app, arguments, obj=session, prog_name=PROGRAM)
            return done.exit_code, done.stdout, done.stderr
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        process = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        return process.returncode, process.stdout, process.stderr
