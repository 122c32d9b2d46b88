"""Notebooks in a real kernel: what values show, how errors are cut, and the playground."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.notebooks import Shown, connect_server, notebook, one, run

nbformat = pytest.importorskip("nbformat")

# Each test starts a kernel, and most of them Spark in it.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PLAYGROUND = Path(__file__).parents[1] / "docs" / "playground.ipynb"


def test_the_playground_is_kept_without_outputs() -> None:
    book = nbformat.read(PLAYGROUND, as_version=4)
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert len({cell.id for cell in book.cells}) == len(book.cells)


def test_errors_are_brief(tmp_path: Path) -> None:
    cells = run(
        notebook(
            "from spark_sig import ColSpec, ModelSignature, Schema, enforce, validate\n"
            "signature = ModelSignature(Schema([ColSpec('long', 'a'), ColSpec('long', '<b>')]))",
            "def mine(value):\n    return enforce(value, signature)\n\nmine({'a': 'x', '<b>': 1})",
            "ColSpec('lon', 'a')",
            "validate('/nowhere', signature)",
            "%tb Plain",
            "%xmode Verbose\nenforce({'a': 1}, signature)",
            "%xmode Context\n1 / 0",
            "signature",
        ),
        {},
        tmp_path,
    )
    assert cells[0].error == ()
    assert cells[1].error == (
        "ViolationError: data does not fit the signature",
        "  path      $.a",
        "  check     type",
        "  expected  long (required)",
        "  observed  string",
        cells[1].error[5],
        "Cell In[2], line 2",
        "    return enforce(value, signature)",
    )
    assert cells[1].error[5].startswith("  remedy    ")
    assert cells[2].error[0] == "SignatureError: unknown type 'lon'"
    assert cells[2].error[-2:] == ("Cell In[3], line 1", "    ColSpec('lon', 'a')")
    assert cells[3].name == "SourceError"
    assert len(cells[3].error) == 3
    # whoever wants all of it has it
    for whole in (cells[4], cells[5]):
        assert len(whole.error) > 10
        assert any("spark_sig" in text and ".py" in text for text in whole.error)
    # other errors are shown as ever
    assert "ZeroDivisionError" in cells[6].error[1]
    assert "&lt;b&gt;" in cells[7].html
    assert "<b>" not in cells[7].html


ROWS = """
from jobs.session import build_session
from spark_sig import Array, ColSpec, ModelSignature, Schema, enforce_signature

spark = build_session("notebook")
rows = spark.range(10).selectExpr(
    "IF(id = 3, NULL, id) AS a", "array(IF(id = 3, NULL, id)) AS l", "id AS i"
)
scalar = rows.transform(enforce_signature(ModelSignature(Schema([ColSpec("long", "a")]))))
nested = rows.transform(enforce_signature(ModelSignature(Schema([ColSpec(Array("long"), "l")]))))
"""
OTHER = "spark.sql('SELECT raise_error(\"mine\")').collect()"
FAILING = ("scalar.count()", "nested.toPandas()", OTHER)


@pytest.mark.parametrize("kind", ["classic", "connect"])
def test_rows_that_do_not_fit(kind: str, tmp_path: Path) -> None:
    """What Spark raises of them is cut with the extension, and whole without it."""
    told = ("%load_ext spark_sig", *FAILING, "%tb Plain", "%unload_ext spark_sig", FAILING[1])
    book = notebook(ROWS, *FAILING[:2], *told)
    if kind == "classic":
        cells = run(book, {}, tmp_path)
    else:
        with connect_server(tmp_path) as address:
            cells = run(book, {"SPARK_REMOTE": address}, tmp_path)
    assert cells[0].error == ()
    for whole in cells[1:3]:
        assert len(whole.error) > 20
    assert cells[4].error == (
        "SparkRuntimeException: a row does not fit the signature",
        "  path      $.a",
        "  check     null",
        "  expected  long (required)",
        "  observed  null",
        "Cell In[5], line 1",
        "    scalar.count()",
    )
    assert cells[5].error[:2] == (
        "PythonException: a row does not fit the signature",
        "  path      $.l[*]",
    )
    # not the worker's
    assert cells[5].error[5:] == ("Cell In[6], line 1", "    nested.toPandas()")
    assert len(cells[6].error) > 10  # none of ours
    assert "mine" in "\n".join(cells[6].error)
    assert len(cells[7].error) > 10
    assert len(cells[9].error) > 20


# --- the playground -------------------------------------------------------------------------------

# What cells show, by a part of their code: in text or HTML.
SHOWN = {
    "a list of text": "[string (required)]",
    "a list of 32-bit floats": "[float (required)]",
    "doubles below a header": "['input_data': double (required)]",
    "infer_signature([1, 2, 3])": "[long (required)]",
    "[True, False, True]": "[boolean (required)]",
    "datetime64": "[datetime (required)]",
    "long_col": "'raw_col': binary (required)",
    "a list of dicts": "['a': string (required), 'b': string (required)]",
    "a list of lists": "[Array(string) (required)]",
    "arrays of objects": "[Array({a: string (required), b: string (required)}) (required)]",
    "all of it, nested": "'c': {d: Array(long) (required)} (required)",
    "numpy_col": "'numpy_col': Array(Array(long)) (required)",
    "maps have no place": "Map(str",
    '"col": [1.0, 2.0, None]': "['col': double (optional)]",
    "infer_signature(nested)": "'f': Array({g: string (optional), h: long (optional)}) (required)",
    "the first axis is the batch": "Tensor('int64', (-1, 2, 3))",
    "tensors by name": "'image': Tensor('uint8', (-1, 4, 4)), 'weight': Tensor('float32', (-1,))",
    "sparse matrices": "Tensor('float64', (-1, 3))",
    "infer_signature(ragged)": "Tensor('object', (-1,))",
    "what they are can be declared": "Tensor('float64', (-1, -1, 3))",
    'begin_suppress_tokens": [1, 2, 3],': "long (default: [1, 2, 3]) (shape: (-1,))",
    "by_hand == asked": "True",
    "and back": "(True,",
    "enforce(data, signature)": "'e': 'e'",
    "what is optional may be left out": "None",
    "what nobody asks for is dropped": "0.5",
    "level by level": "True",
    "have their defaults": "'temperature': 0.1, 'top_k': 2",
    "loaded.metadata.signature is None": "(True, [{'a': 'text'}, [1, 2, 3]])",
    "set_signature(logged": "'b': string (optional)",
    "every input is enforced now": "more text",
    "from_mlflow": "True",
    "signature.diff": "backward: breaking",
    "no row is read": "Spark&#x27;s own scan decides it on the way",
    "all of it is told": "did you mean &#x27;price&#x27;?",
    "what the types alone say": "widening: rows may be read",
    "report = validate": "DOES NOT CONFORM: 2 checks are violated",
    "go two ways": "998",
    "infer_table(table)": "signature of",
}
# What fails, and the lines that it shows.
FAILS = {
    'enforce([{"b": "b"}], signature)': ("ViolationError", "$.a: missing_column", 5),
    "a long becomes no double": ("ViolationError", "observed  long", 8),
    "it is the value that fails": ("ViolationError", "observed  inexact long", 7),
    "integers with missing values are floats": ("ViolationError", "Int64", 8),
    "shapes and dtypes": ("ViolationError", "float32 array of shape (5, 28, 28)", 8),
    '"temperature": "hot"': ("ViolationError", "$.params.temperature: param_type", 5),
    "what was let pass before fails": ("ViolationError", "list whose values", 8),
    "the same as a lazy step": ("PythonException", "a row does not fit the signature", 7),
    "enforce_signature(prices)": ("SparkRuntimeException", "path      $.price", 7),
    'orders.drop("price")': ("ViolationError", "missing_column", 8),
}


@pytest.fixture(scope="module", params=["classic", "connect"])
def played(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, list[Shown]]:
    """The playground, executed."""
    pytest.importorskip("mlflow", reason="MLflow is in the environment of dev.txt alone")
    folder = tmp_path_factory.mktemp(request.param)
    book = nbformat.read(PLAYGROUND, as_version=4)
    if request.param == "classic":
        return "classic", run(book, {}, folder)
    with connect_server(folder) as address:
        return "connect", run(book, {"SPARK_REMOTE": address}, folder)


def test_every_cell_shows_what_it_says(played: tuple[str, list[Shown]]) -> None:
    kind, cells = played
    for part, wanted in SHOWN.items():
        cell = one(cells, part)
        assert cell.error == (), part
        assert wanted in cell.text + cell.html, part
    for part, (name, wanted, most) in FAILS.items():
        cell = one(cells, part)
        assert cell.name == name, part
        assert wanted in "\n".join(cell.error), part
        assert len(cell.error) <= most, part
        assert "\tat org.apache" not in cell.text, part
    proven = one(cells, "prove=True").html
    statistics = "file statistics prove it" if kind == "classic" else "out of reach: Spark Connect"
    assert statistics in proven
    # every table is HTML, and every cell is one that is looked at here
    tables = [cell for cell in cells if cell.html]
    assert len(tables) > 30
    looked = {one(cells, part).source for part in (*SHOWN, *FAILS)}
    rest = [cell.source.splitlines()[0] for cell in cells if cell.source not in looked]
    assert rest == [
        "import datetime as dt",
        "# a table has statistics, which may prove what rows then need not show",
        "spark.stop()",
    ]
