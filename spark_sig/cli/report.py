"""The commands ``report``: what was written of a run, for people to read."""

from __future__ import annotations

from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from spark_sig.cli import options
from spark_sig.cli.console import DONE, say, told
from spark_sig.documents import parse_json
from spark_sig.errors import SignatureError, assert_never
from spark_sig.render.document import report_schema
from spark_sig.report import Report
from spark_sig.signature import load_signature, read_bytes, write_atomically

report_app = typer.Typer(
    no_args_is_help=True, help="Read or send the reports that commands have written."
)


class Rendering(Enum):
    """How a report is written."""

    TEXT = "text"
    HTML = "html"
    JSON = "json"
    JUNIT = "junit"


@report_app.command("render")
def render_command(
    report: Annotated[str, typer.Argument(help="JSON file of a report.")],
    to: Annotated[
        Rendering | None, typer.Option(help="How it is written; text, where none is given.")
    ] = None,
    out: Annotated[str | None, typer.Option(help="File for it; else it is printed.")] = None,
    json: options.Json = False,
) -> None:
    """Write a report as text, HTML, or what a CI server reads.

    Examples:

        spark-sig report render reports/2026-11-30.json

        spark-sig report render reports/2026-11-30.json --to html --out report.html

        spark-sig report render reports/2026-11-30.json --to junit --out build/junit.xml
    """
    wanted = options.form_of("--to", to, Rendering.TEXT, Rendering.JSON if json else None)
    raise typer.Exit(run_render(report, wanted, out))


@report_app.command("schema")
def schema_command() -> None:
    """Print the JSON Schema that the JSON of reports is valid by.

    Examples:

        spark-sig report schema > report.schema.json
    """
    raise typer.Exit(run_schema())


def run_schema() -> int:
    """Carry one ``report schema`` out and return the exit code."""
    say(report_schema().rstrip())
    return DONE


@report_app.command("emit")
def emit_command(
    report: Annotated[str, typer.Argument(help="JSON file of a report.")],
    signature: Annotated[
        str | None, typer.Option(help="The signature: it says what columns there are.")
    ] = None,
    place: Annotated[
        str | None, typer.Option(help="Where the data lies, if the report's name does not say.")
    ] = None,
    run_id: options.RunId = None,
    job: options.LineageJob = None,
    namespace: options.LineageNamespace = None,
    catalog: Annotated[
        str, typer.Option(help="Namespace of tables of which the name alone is known.")
    ] = "spark_catalog",
    json: Annotated[bool, typer.Option("--json", help="Print the events; send none.")] = False,
) -> None:
    """Send a report to a server of OpenLineage's, as the events of the run that wrote it.

    They go where OpenLineage's own client is told to: OPENLINEAGE_URL, or an openlineage.yml.
    Exits with 0 where they are sent, 1 where they could not be, and 2 where report or
    configuration cannot be read.

    Examples:

        OPENLINEAGE_URL=http://localhost:5000 spark-sig report emit reports/2026-11-30.json

        spark-sig report emit reports/2026-11-30.json --signature MLmodel --json
    """
    raise typer.Exit(
        run_emit(
            report,
            signature,
            place,
            run_id,
            job=job,
            namespace=namespace,
            catalog=catalog,
            json=json,
        )
    )


def run_emit(
    report: str,
    signature: str | None,
    place: str | None,
    run_id: str | None,
    *,
    job: str | None = None,
    namespace: str | None = None,
    catalog: str = "spark_catalog",
    json: bool = False,
) -> int:
    """Carry one ``report emit`` out and return the exit code."""

    def send() -> int:
        from spark_sig.integrations.openlineage import emit, events, events_json

        read = _read(Path(report))
        declared = None if signature is None else load_signature(signature).side(read.side)
        written = datetime.fromtimestamp(Path(report).stat().st_mtime, timezone.utc)
        found = events(
            read,
            run=run_id,
            ended=written,
            job=job,
            namespace=namespace,
            place=place,
            catalog=catalog,
            schema=declared,
        )
        if json:
            say(events_json(found))
        else:
            say(f"sent by {emit(found)}: run {found[0].run.runId}")
        return DONE

    return told(send)


def run_render(report: str, to: Rendering, out: str | None) -> int:
    """Carry one ``report render`` out and return the exit code."""

    def render() -> int:
        text = _written(_read(Path(report)), to)
        if out is None:
            say(text)
        else:
            write_atomically(Path(out), text.encode(), "report")
        return DONE

    return told(render)


def _read(path: Path) -> Report:
    """Read a report.

    Raises:
        SignatureError: where there is none.
    """
    document = parse_json(read_bytes(path, "report"), str(path))
    try:
        return Report.from_dict(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SignatureError(
            "this is no report", path=str(path), remedy="give the JSON that --report has written"
        ) from error


def _written(report: Report, to: Rendering) -> str:
    match to:
        case Rendering.TEXT:
            return report.to_text()
        case Rendering.HTML:
            return report.to_html()
        case Rendering.JSON:
            return report.to_json()
        case Rendering.JUNIT:
            return report.to_junit()
        case _:
            assert_never(to)
