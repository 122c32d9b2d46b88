"""Work beside work: what the driver asks Spark for while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

T = TypeVar("T")


def begin(spark: SparkSession, work: Callable[[], T], held: ExitStack) -> Future[T]:
    """Begin work in a thread of its own.

    Args:
        spark: a classic session.
        work: what is done there.
        held: waits for it.
    """
    # Jobs of the thread are of the group, and of the scheduler's pool, of those of the caller.
    context: Any = spark._sc._jsc.sc()
    properties = context.getLocalProperties().clone()

    def inherited() -> T:
        context.setLocalProperties(properties)
        return work()

    return held.enter_context(ThreadPoolExecutor(1, "spark_sig")).submit(inherited)
