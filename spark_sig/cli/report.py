"""The commands ``report``: what was written of a run, for people to read."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from spark_sig.cli import options
from spark_sig.cli.console import DONE, say, told
from spark_sig.documents import parse_json
from spark_sig.errors import SignatureError, assert_never
from spark_sig.report import Report
from spark_sig.signature import read_bytes, write_atomically

report_app = typer.Typer(no_args_is_help=True, help="Read the reports that commands have written.")


class Rendering(Enum):
    """How a report is written."""

    TEXT = "text"
    HTML = "html"
    JSON = "json"
    JUNIT = "junit"


@report_app.command("render")
def render_command(
    report: Annotated[str, typer.Argument(help="JSON file of a report.")],
    to: Annotated[Rendering, typer.Option(help="How it is written.")] = Rendering.TEXT,
    out: Annotated[str | None, typer.Option(help="File for it; else it is printed.")] = None,
    json: options.Json = False,
) -> None:
    """Write a report as text, HTML, or what a CI server reads.

    Examples:

        spark-sig report render reports/2026-11-30.json

        spark-sig report render reports/2026-11-30.json --to html --out report.html

        spark-sig report render reports/2026-11-30.json --to junit --out build/junit.xml
    """
    raise typer.Exit(run_render(report, Rendering.JSON if json else to, out))


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
    document = parse_json(read_bytes(path, "report"))
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
