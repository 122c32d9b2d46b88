"""A tour of the public API with every parameter, for sessions of any kind.

``python -m tests.tour FOLDER`` takes it on Spark Connect and prints what it saw as JSON, for
:mod:`tests.test_connect` to compare with what the same calls gave on a classic session.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import spark_sig
from spark_sig import (
    Array,
    ColSpec,
    ModelSignature,
    Policy,
    Property,
    Report,
    Schema,
    TensorSpec,
)
from spark_sig.cli import main
from spark_sig.types import Map, Object

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# The names that take data of Spark's, or make or take such DataFrames.
ON_SPARK = (
    "ConformBatches",
    "conform",
    "enforce_signature",
    "infer_signature",
    "infer_table",
    "reprocess",
    "split",
    "validate",
)

SIGNATURE = ModelSignature(
    inputs=Schema(
        [
            ColSpec("long", "id"),
            ColSpec("double", "price"),
            ColSpec(Array("float"), "features"),
            ColSpec("string", "note", required=False),
        ]
    ),
    outputs=Schema([ColSpec("double", "price")]),
)
SCALARS = ModelSignature(inputs=Schema([ColSpec("long", "id"), ColSpec("integer", "price")]))
LOOSER = ModelSignature(
    inputs=Schema(
        [
            ColSpec("long", "id"),
            ColSpec("double", "price", required=False),
            ColSpec(Array("float"), "features"),
            ColSpec("string", "note", required=False),
        ]
    )
)
NESTED = ModelSignature(
    inputs=Schema(
        [
            ColSpec(Object([Property("n", "long"), Property("s", "string", required=False)]), "o"),
            ColSpec(Map("double"), "m"),
        ]
    )
)
LOSSLESS = Policy(casts="lossless")
# Catalyst alone shows no values.
SHOWING = Policy(casts="lossless", show_values=True, examples=2)
TENSOR = ModelSignature(inputs=Schema([TensorSpec("float32", (-1, 2), "features")]))


class Tour:
    """Calls the public API on a session and keeps what came of each call.

    Args:
        spark: the session.
        folder: where its tables are to lie.
    """

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark = spark
        self.folder = folder
        self.seen: dict[str, Any] = {}
        # By name and parameter, the values that were passed.
        self.passed: dict[str, dict[str, set[str]]] = {name: {} for name in ON_SPARK}

    def take(self) -> None:
        """Take the tour."""
        self._sources()
        self._validate()
        self._rows()
        self._infer()
        self._conform()
        self._reprocess()
        self._streams()
        self._commands()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """A public function or class, whose parameters are noted when it is called."""
        if name not in ON_SPARK:
            raise AttributeError(name)
        public = getattr(spark_sig, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            noted = self.passed[name]
            for parameter, value in (
                inspect.signature(public).bind(*args, **kwargs).arguments.items()
            ):
                chosen = value if isinstance(value, str) else type(value).__name__
                noted.setdefault(parameter, set()).add(chosen)
            return public(*args, **kwargs)

        return call

    def _note(self, name: str, call: Callable[[], Any]) -> None:
        """Keep what a call returns, or the error that it ends with."""
        assert name not in self.seen
        try:
            with warnings.catch_warnings():  # which a suite may make errors of
                warnings.simplefilter("ignore", UserWarning)
                value = call()
        except Exception as error:  # whatever Spark wraps it in
            value = self._refused(error)
        self.seen[name] = told(value) if isinstance(value, Report) else value

    def _refused(self, error: Exception) -> list[str]:
        """What an error says of the data, whatever Spark puts around it."""
        text = str(error).replace(f"file:{self.folder}", "").replace(str(self.folder), "")
        text = text.replace(self.begin, "the beginning")
        said = re.search(r"does not fit the signature: [^\n@;]*", text)
        return [type(error).__name__, said[0] if said else text.splitlines()[0]]

    def _path(self, name: str) -> str:
        return str(self.folder / name)

    def _table(self, name: str) -> DataFrame:
        return self.spark.read.format("delta").load(self._path(name))

    def _counts(self, *names: str) -> list[int]:
        return [self._table(name).count() for name in names]

    def _sources(self) -> None:
        """A table of two versions, the same rows as Parquet, by name, as a view; and others."""
        rows = self.spark.range(100).selectExpr(
            "CAST(id AS int) AS id",
            "IF(id = 50, NULL, CAST(id AS float)) AS price",
            "IF(id = 70, array(1f, NULL), array(1f, CAST(id AS float))) AS features",
            "CAST(id % 2 AS int) AS part",
        )
        rows.write.format("delta").partitionBy("part").save(self._path("table"))
        rows.limit(1).write.format("delta").mode("append").save(self._path("table"))
        rows.write.parquet(self._path("parquet"))
        rows.write.format("delta").mode("overwrite").saveAsTable("tour_table")
        rows.createOrReplaceTempView("tour_view")
        rows.where("id < 40").coalesce(1).write.format("delta").save(self._path("clean"))
        self.spark.range(3).selectExpr(
            "struct(id AS n, IF(id = 1, NULL, 's') AS s) AS o",
            "map('k', IF(id = 2, NULL, 1d)) AS m",
            "array(id, id + 1) AS t",
            "CAST(id AS decimal(5, 2)) AS d",
            "map(id, 1d) AS i",
        ).write.format("delta").save(self._path("nested"))
        self.rows = rows
        history = self.spark.sql(f"DESCRIBE HISTORY delta.`{self._path('table')}`")
        self.begin = history.where("version = 0").selectExpr("string(timestamp)").collect()[0][0]

    def _validate(self) -> None:
        table, validate = self._path("table"), self.validate
        sources: dict[str, Any] = {
            "path": table,
            "pathlib": Path(table),
            "sql": f"delta.`{table}`",
            "parquet": self._path("parquet"),
            "name": "tour_table",
            "view": "tour_view",
            "frame": self.rows,
            "none": self._path("nothing"),
            "no name": "tour_nothing",
        }
        for name, source in sources.items():
            self._note(f"validate {name}", lambda s=source: validate(s, SIGNATURE))
        for engine in ("auto", "arrow", "catalyst"):
            for name, signature in (("all", SIGNATURE), ("scalars", SCALARS), ("tensor", TENSOR)):
                self._note(
                    f"validate {engine} {name}",
                    lambda e=engine, s=signature: validate(
                        table,
                        s,
                        policy=LOSSLESS if e == "catalyst" else SHOWING,
                        engine=e,
                        row_key=["id"],
                    ),
                )
        clean = self._path("clean")
        options: dict[str, dict[str, Any]] = {
            "version": {"version": 0},
            "no version": {"version": 9},
            "timestamp": {"timestamp": self.begin},
            "tomorrow": {"timestamp": "2999-01-01"},
            "side": {"side": "outputs"},
            "key": {"row_key": "id"},
            "no key": {"row_key": "nothing"},
            "rows": {"min_rows": 1000},
            "stats": {"stats": False},
            "fast": {"fail_fast": True},
            "audit": {"audit": 0.5},
            "ledger": {"ledger": self._path("ledger")},
            "ledger again": {"ledger": Path(self._path("ledger"))},
        }
        for name, option in options.items():
            self._note(f"validate {name}", lambda o=option: validate(table, SIGNATURE, **o))
            self._note(f"validate clean {name}", lambda o=option: validate(clean, SIGNATURE, **o))
        self._note("validate nested", lambda: validate(self._path("nested"), NESTED))

    def _rows(self) -> None:
        frame, enforce_signature = self._table("table"), self.enforce_signature
        for name, signature in (("all", SIGNATURE), ("scalars", SCALARS), ("tensor", TENSOR)):
            for mode in ("raise", "drop", "tag"):
                for engine in ("auto", "arrow", "catalyst"):
                    policy = Policy(on_violation=mode, casts="lossless")

                    def enforced(s=signature, p=policy, e=engine):  # type: ignore[no-untyped-def]
                        return frame.transform(enforce_signature(s, policy=p, engine=e))

                    self._note(f"enforce {name} {mode} {engine}", lambda: shown(enforced()))
                    if mode == "tag":
                        self._note(
                            f"split {name} {engine}",
                            lambda: [shown(part) for part in self.split(enforced())],
                        )
        outputs = enforce_signature(SIGNATURE, policy=Policy(on_violation="drop"), side="outputs")
        self._note("enforce outputs", lambda: shown(frame.transform(outputs)))
        self._note("split untagged", lambda: self.split(frame))
        self._note("enforce here", lambda: spark_sig.enforce(frame, SIGNATURE))

        def streamed() -> Any:
            tagged = enforce_signature(SIGNATURE, policy=Policy(on_violation="tag"))
            stream = self.spark.readStream.format("delta").load(self._path("table"))
            with self._run(
                stream.transform(tagged).writeStream.format("delta"), "enforced", self._path("out")
            ):
                return shown(self._table("out"))

        self._note("enforce stream", streamed)

    def _infer(self) -> None:
        table, infer_table = self._path("table"), self.infer_table

        def told(*args: Any, **kwargs: Any) -> list[Any]:
            found = infer_table(*args, **kwargs)
            assert json.loads(found.to_json())
            return [
                found.signature.to_dict(),
                found.rows,
                found.source.version,
                found.to_text() != "",
            ]

        for name, source in (("path", table), ("name", "tour_table"), ("frame", self.rows)):
            self._note(f"infer {name}", lambda s=source: told(s))
        options: dict[str, dict[str, Any]] = {
            "version": {"version": 0},
            "timestamp": {"timestamp": self.begin, "spark": self.spark},
            "columns": {"columns": ["id", "price"], "outputs": ["price"], "params": {"k": 1}},
            "exclude": {"exclude": ["features"]},
            "tensors": {"tensors": True, "exclude": ["price"]},
        }
        for name, option in options.items():
            self._note(f"infer {name}", lambda o=option: told(table, **o))
        nested = self._path("nested")
        for name, option in {
            "refused": {"decimals": "refuse"},
            "raised": {"decimals": "double", "on_unsupported": "raise"},
            "any": {"decimals": "double", "on_unsupported": "any"},
            "mlflow": {"on_unsupported": "mlflow"},
        }.items():
            self._note(f"infer nested {name}", lambda o=option: told(nested, **o))
        self._note(
            "infer_signature",
            lambda: self.infer_signature(
                self.rows,
                self.rows.select("price"),
                params={"k": 1},
                policy=Policy(),
                on_unsupported="raise",
            ).to_dict(),
        )
        for choice in ("any", "mlflow"):
            self._note(
                f"infer_signature {choice}",
                lambda c=choice: self.infer_signature(
                    self._table("nested").drop("d"), on_unsupported=c
                ).to_dict(),
            )

    def _conform(self) -> None:
        def conformed(name: str, data: Any, **kwargs: Any) -> list[Any]:
            good, bad = f"{name} good", f"{name} bad"
            places = {"conformed": Path(self._path(good)), "quarantine": self._path(bad)}
            report = self.conform(data, kwargs.pop("signature", SIGNATURE), **places, **kwargs)
            kept = self._table(bad).drop("_source", "_source_id", "_target_id", "_run_id")
            return [moved(report), shown(self._table(good)), shown(kept)]

        table = self._path("table")
        for engine in ("auto", "arrow"):
            for turn in ("first", "again"):
                self._note(
                    f"conform {engine} {turn}",
                    lambda e=engine: conformed(f"c{e}", table, engine=e, row_key="id"),
                )
        self._note(
            "conform catalyst",
            lambda: conformed("cc", table, signature=SCALARS, policy=LOSSLESS, engine="catalyst"),
        )
        steps: dict[str, dict[str, Any]] = {
            "append": {"mode": "append", "version": 0, "run_id": "one"},
            "append again": {"mode": "append", "version": 0, "run_id": "one"},
            "append more": {"mode": "append", "timestamp": self.begin, "run_id": "two"},
            "replace": {"mode": "replace-partitions", "run_id": "three"},
            "overwrite": {"mode": "overwrite", "run_id": "four", "version": 1},
            "too many": {"max_violations": 1, "run_id": "five"},
            "too large a share": {"max_violations": "1%", "run_id": "six"},
            "enough": {"max_violations": "2%", "run_id": "seven"},
            "too few": {"min_rows": 1000, "run_id": "eight"},
            "side": {"side": "outputs", "run_id": "nine"},
        }
        for name, step in steps.items():
            # a side of its own has other columns, and so other tables
            tables = "side" if "side" in step else "steps"
            self._note(
                f"conform {name}",
                lambda t=tables, s=step: conformed(t, table, policy=Policy(extra="keep"), **s),
            )
        sources: dict[str, Any] = {
            "name": "tour_table",
            "view": "tour_view",
            "parquet": self._path("parquet"),
            "frame": self.rows,
        }
        for name, source in sources.items():
            for turn in ("first", "again"):
                self._note(
                    f"conform {name} {turn}",
                    lambda n=name, s=source: conformed(f"s {n}", s, run_id="once"),
                )

    def _reprocess(self) -> None:
        """The rows of one run first, then all others."""
        good, bad = "cauto good", "cauto bad"
        places = {"quarantine": Path(self._path(bad)), "conformed": self._path(good)}

        def moving(signature: ModelSignature, **kwargs: Any) -> list[Any]:
            report = self.reprocess(signature=signature, **places, **kwargs)
            return [moved(report), *self._counts(good, bad)]

        run = [row[0] for row in self._table(bad).select("_run_id").distinct().collect()]
        self._note("reprocess none", lambda: moving(LOOSER, run_id="another"))
        self._note("reprocess", lambda: moving(LOOSER, run_id=run, side="inputs", row_key="id"))
        self._note("reprocess abandoned", lambda: moving(LOOSER, run_id=run, abandon=True))
        self._note(
            "reprocess again",
            lambda: moving(LOOSER, engine="arrow", policy=LOSSLESS),
        )
        self._note(
            "reprocess catalyst", lambda: moving(SCALARS, policy=LOSSLESS, engine="catalyst")
        )
        self._note("reprocess auto", lambda: moving(LOOSER, engine="auto"))
        self._note(
            "reprocess another table",
            lambda: self.reprocess(self._path("clean"), LOOSER, conformed=self._path(good)),
        )

    def _streams(self) -> None:
        def streamed(turn: int) -> Any:
            sink = self.ConformBatches(
                SIGNATURE,
                conformed=self._path("stream good"),
                quarantine=Path(self._path("stream bad")),
                stream="tour",
                policy=LOSSLESS,
                side="inputs",
                engine="arrow" if turn else "auto",
            )
            rows = self.spark.readStream.format("delta").option("maxFilesPerTrigger", 1)
            writer = rows.load(self._path("table")).writeStream.foreachBatch(sink)
            with self._run(writer, "stream"):
                return [moved(sink.report()), *self._counts("stream good", "stream bad")]

        for turn in range(2):
            self._note(f"stream {turn}", lambda t=turn: streamed(t))
            self.rows.where("id < 60").write.format("delta").mode("append").save(
                self._path("table")
            )
        self._note("stream catalyst", lambda: self._choice("catalyst"))

    def _choice(self, engine: str) -> str:
        """A sink that Python is kept out of."""
        sink = self.ConformBatches(
            SCALARS,
            conformed=self._path("c good"),
            quarantine=self._path("c bad"),
            stream="choice",
            engine=engine,
        )
        return type(sink).__name__

    @contextmanager
    def _run(self, writer: Any, name: str, path: str | None = None) -> Iterator[None]:
        """Run a stream to the end of what is there."""
        writer = writer.option("checkpointLocation", self._path(f"checkpoint {name}"))
        query = writer.trigger(availableNow=True).start(path)
        try:
            query.awaitTermination()
            yield
        finally:
            query.stop()

    def _commands(self) -> None:
        """The command line, on this session."""
        signature = self.folder / "signature.json"
        signature.write_text(SIGNATURE.to_json())

        def ran(*arguments: str) -> int:
            try:
                main([*arguments], lambda: self.spark)
            except SystemExit as end:
                return int(end.code or 0)
            return 0

        def read(name: str) -> Any:
            return json.loads((self.folder / name).read_text())

        both = "--table", self._path("clean"), "--report", self._path("report.json")
        self._note(
            "command validate",
            lambda: [
                ran("validate", *both, "--signature", str(signature), "--audit", "5%"),
                read("report.json")["rows"],
            ],
        )
        self._note(
            "command conform",
            lambda: [
                ran(
                    *("validate", "--table", "tour_table", "--signature", str(signature)),
                    *("--conformed", self._path("cli good"), "--quarantine", self._path("cli bad")),
                    *("--report", self._path("conform.json"), "--run-id", "cli"),
                ),
                read("conform.json")["rows"],
                *self._counts("cli good", "cli bad"),
            ],
        )
        self._note(
            "command infer",
            lambda: [
                ran("infer", "--table", self._path("clean"), "--out", self._path("inferred.json")),
                read("inferred.json"),
            ],
        )


def told(report: Report) -> dict[str, Any]:
    """What a report says on any session: all but which rung has decided what."""
    assert report.to_text()
    assert report.to_html()
    return {
        "conforms": report.conforms,
        "complete": report.complete,
        "rows": [report.rows.total, report.rows.violating],
        "version": report.source.version,
        "checks": [
            [c.path, c.code.value, c.count, sorted([list(e.key), e.observed] for e in c.examples)]
            for c in report.checks
            if c.violated
        ],
    }


def moved(report: Report) -> list[Any]:
    """What a report says of a transfer besides."""
    transfer = report.transfer
    assert transfer
    both = transfer.conformed, transfer.quarantine
    return [told(report), transfer.note, *(part and part.rows for part in both)]


def shown(frame: DataFrame) -> list[Any]:
    """The types and the rows of a DataFrame, whatever their order."""
    return [frame.dtypes, sorted(str(row) for row in frame.collect())]


def take(spark: SparkSession, folder: Path) -> dict[str, Any]:
    """Take the tour and return what it saw, JSON-ready."""
    tour = Tour(spark, folder)
    try:
        tour.take()
    finally:
        spark.sql("DROP TABLE IF EXISTS tour_table")
        spark.catalog.dropTempView("tour_view")
    passed = {
        name: {parameter: sorted(values) for parameter, values in noted.items()}
        for name, noted in tour.passed.items()
    }
    seen: dict[str, Any] = json.loads(json.dumps({"seen": tour.seen, "passed": passed}))
    return seen


if __name__ == "__main__":
    from tests.smoke import connect_session

    os.chdir(sys.argv[1])  # the warehouse goes there
    spark = connect_session()
    print(json.dumps(take(spark, Path(sys.argv[1]))))
    spark.stop()
