"""Progress: what is going on, for how long, and how far Spark is with it, on a terminal."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from spark_sig.delta.jobs import Tasks, running_tasks
from spark_sig.delta.log import is_classic, spark_errors

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Seconds between two looks at what Spark says of its jobs.
_PERIOD = 0.5


@contextmanager
def progress(text: str, spark: SparkSession | None = None) -> Iterator[None]:
    """Show what is going on and for how long on a terminal; nothing elsewhere.

    Args:
        text: what is going on.
        spark: the session whose tasks are shown: how many are done, how many each second, and
            how long the others will take at that rate; None where it is not Spark that works.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console = _behind_submit() or console
    if not console.is_terminal:
        yield
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        _Elapsed(),
        *map(_Known, (BarColumn(bar_width=20), _Rate(), TimeRemainingColumn(compact=True))),
    )
    with Progress(*columns, console=console, transient=True) as shown:
        bar, work = shown.add_task(escape(text), total=None), object()

        def tell(tasks: Tasks) -> None:
            nonlocal work
            if tasks.work != work:  # its rate says nothing of that of others
                work = tasks.work
                shown.reset(bar)
            shown.update(bar, total=tasks.total, completed=tasks.done)

        with watched(spark, tell):
            yield


@contextmanager
def watched(spark: SparkSession | None, tell: Callable[[Tasks], None]) -> Iterator[None]:
    """Tell of the tasks of a session's jobs, again and again, as long as the block lasts.

    Args:
        spark: the session, classic or of Spark Connect; with None nothing is told.
        tell: is called from a thread of its own, one call at a time.
    """
    if spark is None:
        yield
    elif is_classic(spark):
        ended = Event()
        thread = Thread(target=_look, args=(spark, tell, ended), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
    elif hasattr(spark, "registerProgressHandler"):
        with _told_by_server(spark, tell):
            yield
    else:  # Spark Connect before 4.0
        yield


def _look(spark: SparkSession, tell: Callable[[Tasks], None], ended: Event) -> None:
    """Ask the driver until the block has ended."""
    gone: tuple[type[Exception], ...] = (*spark_errors(), OSError)
    while not ended.wait(_PERIOD):
        try:
            tasks = running_tasks(spark)
        except gone:  # the session stops, or has: whoever works with it says so
            return
        if tasks:
            tell(tasks)


@contextmanager
def _told_by_server(spark: SparkSession, tell: Callable[[Tasks], None]) -> Iterator[None]:
    """Let a Connect server tell of the tasks of this session's queries."""

    def handler(
        stages: Iterable[Any] | None, inflight_tasks: int, operation_id: str | None, done: bool
    ) -> None:
        known = list(stages or ())
        total = sum(stage.num_tasks for stage in known)
        if total:
            tell(Tasks(operation_id, sum(stage.num_completed_tasks for stage in known), total))

    # PySpark declares a class, and calls what it is given
    spark.registerProgressHandler(handler)  # type: ignore[arg-type]
    try:
        yield
    finally:
        spark.removeProgressHandler(handler)  # type: ignore[arg-type]


class _Elapsed(ProgressColumn):
    """The time since the command began with it, whichever job Spark is at."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()

    def render(self, task: Task) -> Text:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        return Text(f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}", style="progress.elapsed")


class _Rate(ProgressColumn):
    """How many tasks are done, and how many each second."""

    def render(self, task: Task) -> Text:
        done = f"{task.completed:,.0f}/{task.total:,.0f} tasks"
        return Text(f"{done}, {task.speed:,.1f}/s, left" if task.speed else done)


class _Known(ProgressColumn):
    """A column that is there where the number of tasks is known."""

    def __init__(self, column: ProgressColumn) -> None:
        super().__init__()
        self._column = column

    def render(self, task: Task) -> Any:
        return self._column.render(task) if task.total else Text()


def _behind_submit() -> Console | None:
    """Return the terminal that spark-submit runs on: it gives its program pipes instead."""
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        return None
    try:
        return Console(file=open("/dev/tty", "w"), highlight=False)
    except OSError:  # none: a scheduler's run
        return None
