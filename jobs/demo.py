"""The demo: 336,776 real flights, held to signatures, and the signature that they have."""

from __future__ import annotations

from pathlib import Path

from jobs.demo_data import load_flights
from jobs.session import build_session
from spark_sig import ColSpec, ModelSignature, Schema, infer_table, validate
from spark_sig.sinks import write_report

# A model that predicts the delay at arrival from what is known at departure.  Cancelled flights
# never departed: their times are missing, and the signature says so.
GOOD = ModelSignature(
    inputs=Schema(
        [
            ColSpec("string", "carrier"),
            ColSpec("string", "origin"),
            ColSpec("string", "dest"),
            ColSpec("long", "distance"),
            ColSpec("long", "sched_dep_time"),
            ColSpec("double", "dep_time", required=False),
            ColSpec("double", "dep_delay", required=False),
            ColSpec("string", "tailnum", required=False),
            ColSpec("datetime", "time_hour"),
        ]
    ),
    outputs=Schema([ColSpec("double")]),
)

# The same, inferred from the first rows: nothing is missing there.
WRONG = ModelSignature(
    inputs=Schema(
        [ColSpec(spec.type, spec.name) for spec in GOOD.inputs or () if isinstance(spec, ColSpec)]
    ),
    outputs=GOOD.outputs,
)

FOLDER = Path("build/demo")


def main() -> None:
    """Load the flights, check them twice, infer their signature, and print what comes out."""
    spark = build_session("spark_sig demo")
    table = FOLDER / "flights"
    load_flights(spark, table)
    for name, title, signature in (
        ("good", "a signature that says which times may be missing", GOOD),
        ("wrong", "a signature that says nothing is ever missing", WRONG),
    ):
        saved = FOLDER / f"{name}.signature.json"
        signature.save(saved)
        report = validate(table, signature, row_key=["time_hour", "carrier", "flight"])
        path = FOLDER / f"{name}.report.json"
        write_report(report, str(path), spark=spark)
        print(f"\n=== {title}: {saved}\n")
        print(report.to_text())
        print(f"report: {path}")
    inferred = infer_table(table, spark=spark)
    saved = FOLDER / "inferred.signature.json"
    inferred.signature.save(saved)
    print(f"\n=== the signature that the table has: {saved}\n")
    print(inferred.to_text())
    spark.stop()


if __name__ == "__main__":
    main()
