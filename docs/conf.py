"""The settings of the guide, by which Sphinx builds it from pages and docstrings."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.autodoc.mock import mock

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import spark_sig  # noqa: E402

project = "spark_sig"
author = "the authors of spark_sig"
copyright = "the authors of spark_sig, Apache License 2.0"
version = release = spark_sig.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["requirements"]
myst_enable_extensions = ["colon_fence", "deflist"]
# headings can be linked to from other pages
myst_heading_anchors = 3

# Every name that a signature or a text refers to has to lead somewhere, but for
nitpicky = True
nitpick_ignore_regex = [
    # what is described elsewhere, where a build without a network cannot look
    (r"py:.*", r"(collections\.abc|enum|os|pathlib)\..*"),
    (r"py:.*", r"DataFrame|SparkSession|MlflowSignature|npt\.DTypeLike"),
    # what spark_sig makes for itself, and no user has to name
    (r"py:.*", r"spark_sig\.(tally|plan|stats|example|inference|integrations)\..*"),
]

html_theme = "furo"
html_title = f"spark_sig {version}"
html_copy_source = False
html_show_sphinx = False

# Functions name PySpark's classes without importing them: they need not be there.
autodoc_mock_imports = ["pyspark", "delta", "mlflow"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}
python_use_unqualified_type_names = True
add_module_names = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False


def lead_home(app: Sphinx, env: Any, node: Any, contnode: Any) -> Any:
    """Lead a name, from whatever module it is taken, to where the reference has it."""
    module, _, name = node["reftarget"].rpartition(".")
    if node.get("refdomain") != "py" or (
        module and module.partition(".")[0] != "spark_sig"
    ):
        return None
    domain = env.get_domain("py")
    for target in domain.objects:
        if target.startswith("spark_sig.") and target.rpartition(".")[2] == name:
            where = (
                env,
                node["refdoc"],
                app.builder,
                node["reftype"],
                target,
                node,
                contnode,
            )
            return domain.resolve_xref(*where)
    return None


def readable(
    app: Any,
    what: str,
    name: str,
    found: Any,
    options: Any,
    signature: str | None,
    result: Any,
) -> tuple[str | None, Any]:
    """Put ``...`` where the default of an argument is written as no Python is."""
    return (re.sub(r"<[^<>]*>", "...", signature) if signature else signature), result


def name_whole(command: Any) -> None:
    """Have lists of commands say of each what it is for, to the end of the line."""
    for one in getattr(command, "commands", {}).values():
        one.short_help = (one.short_help or one.help or "").partition("\n")[0]
        name_whole(one)


def write_commands(app: Sphinx, config: Any) -> None:
    """Write what the commands say with ``--help``, for the page of the command line."""
    with mock(autodoc_mock_imports):
        from typer.cli import get_docs_for_click
        from typer.main import get_command

        from spark_sig.cli import app as commands
        from spark_sig.cli.completion import PROGRAM

        command = get_command(commands)
        name_whole(command)
        context = command.make_context(PROGRAM, [], resilient_parsing=True)
        text = get_docs_for_click(obj=command, ctx=context, name=PROGRAM)
    # the page has a title of its own
    text = re.sub(r"^# .*\n", "", text)
    target = ROOT / "build" / "commands.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text(text)


def setup(app: Sphinx) -> None:
    """Have the commands' help written before pages are read, and names found later."""
    app.connect("missing-reference", lead_home)
    app.connect("autodoc-process-signature", readable)
    app.connect("config-inited", write_commands)
