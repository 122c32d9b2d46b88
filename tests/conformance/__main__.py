"""The command: ``python -m tests.conformance [DIR]``."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.conformance import (
    enforce,
    enforce_divergences,
    infer,
    infer_divergences,
    params,
    recipe,
    serde,
    spark_infer,
    spark_matrix,
)
from tests.conformance.corpus import CorpusFile, Replayer, read
from tests.conformance.divergences import TABLE as DOCUMENTS
from tests.conformance.divergences import Divergence, explain

REPLAYERS: tuple[Replayer, ...] = (
    serde.REPLAYER,
    params.REPLAYER,
    enforce.REPLAYER,
    spark_matrix.REPLAYER,
    infer.REPLAYER,
    infer.OWN,
    spark_infer.REPLAYER,
)
TABLE: tuple[Divergence, ...] = (
    *DOCUMENTS,
    *enforce_divergences.TABLE,
    *infer_divergences.TABLE,
)


@dataclass
class Tally:
    """What the replay of one file found."""

    file: CorpusFile
    replayer: Replayer | None
    agree: int = 0
    divergent: Counter[str] = field(default_factory=Counter)
    unexplained: list[tuple[str, str]] = field(default_factory=list)

    @property
    def passed(self) -> int:
        return self.agree + self.divergent.total()


def replay_file(file: CorpusFile, table: tuple[Replayer, ...] = REPLAYERS) -> Tally:
    """Replay every case of a file; an exception of any class is an unexplained difference."""
    tally = Tally(file, file.replayer(table))
    if tally.replayer is None:
        return tally
    for case in file.cases:
        try:
            outcome = tally.replayer.replay(case, file.versions)
            divergence = None
            if not outcome.agrees:
                divergence = explain(tally.replayer.kind, case, outcome.ours, TABLE)
        except Exception as error:
            tally.unexplained.append((str(case.get("id")), f"raised {error!r}"))
            continue
        if outcome.agrees:
            tally.agree += 1
        elif divergence is not None:
            tally.divergent[divergence.name] += 1
        else:
            text = f"{outcome.difference}; {outcome.ours.error}".rstrip("; ")
            tally.unexplained.append((str(case.get("id")), text))
    return tally


def render(tally: Tally, directory: Path) -> str:
    """Return the lines for one file."""
    name = tally.file.path.relative_to(directory)
    if tally.replayer is None:
        return f"{name}: not replayed ({len(tally.file.cases)} cases)"
    lines = [
        f"{name}: {len(tally.file.cases)} cases, {tally.agree} agree, "
        f"{tally.divergent.total()} diverge, {len(tally.unexplained)} unexplained"
    ]
    lines += [f"  {count:5d}  {reason}" for reason, count in sorted(tally.divergent.items())]
    lines += [f"  UNEXPLAINED {case}: {text[:600]}" for case, text in tally.unexplained]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Replay every file under a directory; 0 where nothing is unexplained."""
    directory = Path(arguments[0]) if arguments else recipe.default_directory()
    if len(arguments) > 1 or not directory.is_dir():
        print(f"usage: python -m tests.conformance [DIR]; no directory {directory}")
        return 2
    recipe.use(directory)
    passed = failed = 0
    for file in read(directory):
        tally = replay_file(file)
        print(render(tally, directory), flush=True)
        passed += tally.passed
        failed += len(tally.unexplained)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
