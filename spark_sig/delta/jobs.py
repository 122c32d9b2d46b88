"""Jobs: how far the driver of a classic session is with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class Tasks(NamedTuple):
    """The tasks of what Spark does at a time.

    Args:
        work: what it is; another one has another value.
        done: how many are completed.
        total: how many there are, of the stages that are known.
    """

    work: object
    done: int
    total: int


def running_tasks(spark: SparkSession) -> Tasks | None:
    """Return the tasks of the jobs that run on a classic session's driver; None where none does.

    A driver may work for others too: their jobs are not told apart.
    """
    tracker = spark.sparkContext.statusTracker()
    running = tuple(tracker.getActiveJobsIds())
    jobs = [job for job in map(tracker.getJobInfo, running) if job is not None]
    # stages that have not begun count, but for those that Spark says nothing of yet
    numbers = {int(stage) for job in jobs for stage in job.stageIds}
    stages = [stage for stage in map(tracker.getStageInfo, numbers) if stage is not None]
    total = sum(stage.numTasks for stage in stages)
    if not total:
        return None
    return Tasks(running, sum(stage.numCompletedTasks for stage in stages), total)
