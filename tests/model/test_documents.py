"""A word in a document, however deep it is embedded, is found in the file of the user."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from lokictl.diagnostics import LokictlError
from lokictl.model.documents import Cursor, DataDocument, Document, EmbeddedDocument
from lokictl.model.json_source import load_json
from lokictl.model.yaml_source import load_document, load_embedded_documents

QUERY = 'sum(rate({a="b"} |= "it\'s" [5m]))\n'
INNER = "expr: |\n  " + QUERY


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


OUTER = {
    "literal": "data:\n  a: |\n" + indented(INNER),
    "folded": "data:\n  a: >\n    expr: >\n\n      " + QUERY,
    "single quoted twice": "data: {a: 'expr: ''" + QUERY.strip().replace("'", "''''") + "'''}\n",
    "double quoted": "data: {a: " + json.dumps(INNER) + "}\n",
    "twice": "data:\n  a: |\n    expr: " + json.dumps(QUERY) + "\n",
}


@pytest.mark.parametrize("text", OUTER.values(), ids=OUTER.keys())
def test_embedded_yaml(text: str) -> None:
    outer = load_document(text, "f.yaml")
    (document,) = load_embedded_documents(Cursor(outer, ("data", "a")))
    start = document.value["expr"].index("rate")
    for position in (
        document.text_position(("expr",), start, start + 4),
        Cursor(document).child("expr").text_position((), start, start + 4),
    ):
        line = text.split("\n")[position.line - 1]
        assert line[position.column - 1 : position.end_column - 1] == "rate"
        assert document.line(position) == line
    assert document.position("expr", key=True).line == document.position("expr").line


def test_json_in_yaml_in_json() -> None:
    dashboard = json.dumps({"title": "T", "expr": QUERY})
    text = json.dumps({"data": {"a.yaml": f"d.json: |\n  {dashboard}\n"}}, indent=1)
    outer = load_json(text, "f.json")
    (middle,) = load_embedded_documents(Cursor(outer, ("data", "a.yaml")))
    inner = EmbeddedDocument.of(load_json(middle.value["d.json"], "f.json"), Cursor(middle, ("d.json",)))
    start = QUERY.index('"b"')
    position = inner.text_position(("expr",), start, start + 3)
    # Each quote of the query is escaped twice.
    quote = "\\\\\\" + '"'
    assert inner.line(position)[position.column - 1 : position.end_column - 1] == f"{quote}b{quote}"
    assert inner.written(("expr",), 'x"') == f"x{quote}"


def test_an_encoded_string_is_one_place() -> None:
    text = "kind: Secret\ndata:\n  a: " + base64.b64encode(INNER.encode()).decode() + "\n"
    outer = load_document(text, "f.yaml")
    (document,) = load_embedded_documents(Cursor(outer, ("data", "a")), INNER)
    position = document.text_position(("expr",), 4, 8)
    assert (position.line, position.column, position.end_column) == (3, 3, 4)
    assert document.written(("expr",), "x") is None


def test_what_is_wrong_inside_is_shown_outside() -> None:
    text = "data:\n  a: |\n    x: 1\n    x: 2\n    y: [\n"
    with pytest.raises(LokictlError) as caught:
        load_embedded_documents(Cursor(load_document(text, "f.yaml"), ("data", "a")))
    (problem,) = caught.value.problems
    assert (problem.position.file, problem.position.line) == ("f.yaml", 5)
    assert problem.source_line == "    y: ["


LOADERS: dict[str, Callable[[str, str], Document]] = {"yaml": load_document, "json": load_json}


@pytest.mark.parametrize("load", LOADERS.values(), ids=LOADERS.keys())
def test_a_cursor_reads_parts(load: Callable[[str, str], Document]) -> None:
    root = Cursor(load('{"a": [{"b": 1.50, "c": null}], "d": "x"}', "f"))
    assert [child.path for child in root.children()] == [("a",), ("d",)]
    item = root.child("a", 0)
    assert (item.child("b").text, item.child("c").text, item.text) == ("1.50", "", "")
    assert item.child("z").value is None
    assert root.child("d").value == "x"
    (problem,) = item.unknown_keys(["b"], what="an item")
    assert problem.message == 'unknown key "c" in an item'
    assert (problem.position.line, problem.position.column) == (1, 20)


def test_merged_keys_are_found() -> None:
    text = "base: &b\n  expr: x\nuse:\n  <<: *b\n  alert: y\n"
    document = load_document(text, "f.yaml")
    assert document.scalar_text("use", "expr") == "x"
    assert document.position("use", "expr").line == 2


def test_data_has_a_file_only() -> None:
    document = DataDocument.of({"a": ["x"]}, "f.py")
    assert str(document.text_position(("a", 0), 0, 1)) == "f.py"
    assert document.scalar_text("a", 0) == "x"
