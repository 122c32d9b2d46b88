"""Names of runs, and of the reports of their tries, that every storage takes."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass

# Hadoop takes no colon in a path, and URLs read plus signs and blanks as something else.
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")
# With a try and a token it stays below the 255 bytes that a file's name may have.
_LONGEST = 180


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One task in one run of its DAG, whatever number of tries it takes.

    Args:
        dag_id: the DAG.
        task_id: the task.
        run_id: the run of the DAG.
        map_index: which of the mapped tasks it is; -1 where it is not mapped.
    """

    dag_id: str
    task_id: str
    run_id: str
    map_index: int = -1

    @property
    def name(self) -> str:
        """Its name: the same for every try, and no other task's or run's.

        Example:
            >>> TaskRun("flights", "check", "scheduled__2024-01-31T00:00:00+00:00").name
            'flights.check.scheduled__2024-01-31T00-00-00-00-00.322fb78f'
        """
        parts = [self.dag_id, self.task_id, self.run_id]
        if self.map_index >= 0:
            parts.append(str(self.map_index))
        # what becomes of signs and of length must not make two of them one
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]
        plain = _UNFIT.sub("-", ".".join(parts)).lstrip(".")
        return f"{plain[:_LONGEST]}.{digest}"

    def report(self, try_number: int) -> str:
        """Return a file name for the report of a try that no other try has, or ever had.

        Tries are counted anew where a run is deleted and made again, so that the number is not
        enough.

        Args:
            try_number: the number of the try, from 1 on.
        """
        return f"{self.name}.{try_number}-{secrets.token_hex(4)}.json"
