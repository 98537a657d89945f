"""Places found in an item of a list alone are those found in the whole text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lokictl.diagnostics import LokictlError
from lokictl.model import yaml_source
from lokictl.model.yaml_places import Places
from lokictl.model.yaml_source import YamlDocument, load_documents

ROOT = Path(__file__).parents[2]

RULES = """\
# rules of the shop
groups:
  - name: a
    rules:
      - alert: One
        expr: |
          sum(rate({a="b"}[5m]))
            > 1

        # about the next one
      - record: two
        expr: "sum(\\"x\\" \\
          + 1)"
        labels: {a: 'it''s', b: [1, 1.50, yes]}
  - &group
    name: b
    rules: []
  - name: c
    rules:
    - {alert: Three, expr: 'vector(1)'}
    -   # four - the last
        alert: Four
        expr: >-
          vector(1)
          > 0

# the end
other: 1
"""


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, (*path, "missing"), *(found for key, item in parts for found in paths(item, (*path, key)))]


def answers(document: YamlDocument, path: tuple[Any, ...]) -> list[Any]:
    return [
        document.position(*path),
        document.position(*path, key=True),
        list(document.offsets(path)),
        document.style(path),
        document.written(path, "one\ntwo"),
        document.scalar_text(*path),
    ]


def check(text: str, every: int = 1) -> int:
    """Compares the places; gives how many of ``every`` so many were found without composing the whole text."""
    alone = 0
    for document in load_documents(text):
        whole = YamlDocument(document.value, document.source, Places(text), document.number)
        for path in paths(document.value)[::every]:
            places = Places(text, document.places._starts)
            part = YamlDocument(document.value, document.source, places, document.number, document.texts)
            assert answers(part, path) == answers(whole, path), path
            alone += "roots" not in vars(places)
        # Many places, one after the other, end in composing the whole.
        assert all(answers(document, path) == answers(whole, path) for path in paths(document.value))
    return alone


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_items_of_lists_are_found_on_their_own(ends: str) -> None:
    text = RULES.replace("\n", ends)
    assert check(text) > len(paths(yaml_source.load_document(text).value)) / 2


@pytest.mark.parametrize(
    "text",
    [
        "a: &x {n: 1}\nb:\n  - c: *x\n  - d: 2\n",
        "a: &x 1\nb:\n  - c: &x 2\n  - d: &x [3]\n  - e: *x\n---\na: &x 1\nb: &x [2]\nc: *x\n",
        "b:\n  - c: &x [1]\n  - d: *x\n  - e: .nan\n",
        "- a: 'x\n- b: y'\n- c: 1\n",
        "- - a: 1\n    b: 2\n  - a: 3\n- - c: 4\n",
        "a:\n- b: 1\n- b:\n  - c: 2\n  - c: 3\nd:\n- e: |+\n    x\n\n\n- f: 1\n",
        "%YAML 1.1\n---\n- a: 1\n...\n---\n- b: 2\n- c: |\n   ---\n",
        "\ufeff- a: 1\n- b: 2\n- c: |\n    x\n",
        "- a: 1\u2028- b: 2\n- c: 3\n",
        "",
    ],
)
def test_oddities_are_found_in_the_whole(text: str) -> None:
    check(text)


def test_nodes_of_a_few_items_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for the places of every item costs a few times the text at most."""
    composed: list[int] = []
    original = yaml.compose_all

    def compose_all(text: str, **options: Any) -> Any:
        composed.append(len(text))
        return original(text, **options)

    monkeypatch.setattr(yaml, "compose_all", compose_all)
    text = "".join(f"- name: n{number}\n  of: [a, b]\n" for number in range(200))
    document = yaml_source.load_document(text)
    for _ in range(10):
        for number in range(200):
            assert document.position(number, "of").line == 2 * number + 2
    assert sum(composed) < 5 * len(text)


words = st.sampled_from(
    ["a", "b c", "1", "1.50", "true", "", "x: y", "- z", "two\nlines\n", "it's", "#", "Ä\\"]
)
data = st.recursive(
    words | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=25,
)


@given(
    data,
    st.sampled_from([None, True, False]),
    st.sampled_from([None, "'", '"', "|", ">"]),
    st.integers(2, 6),
    st.integers(10, 60),
)
def test_places_of_any_data(
    value: Any, flow: bool | None, style: str | None, indent: int, width: int
) -> None:
    check(yaml.dump(value, default_flow_style=flow, default_style=style, indent=indent, width=width))


@given(
    st.lists(
        st.sampled_from(
            [
                "- ",
                "  ",
                "    ",
                "\n",
                "a: ",
                "b: ",
                "x",
                "1",
                "'",
                '"',
                "|\n",
                "&x ",
                "*x",
                "# - c\n",
                "{",
                "}",
                "\t",
            ]
        ),
        max_size=30,
    ).map("".join)
)
def test_places_of_any_text(text: str) -> None:
    try:
        load_documents(text)
    except LokictlError:
        return
    check(text)


def test_the_files_of_this_project_agree() -> None:
    files = sorted(ROOT.glob("tests/rules/*.yaml"))
    assert files
    for file in files:
        check(file.read_text(encoding="utf-8"), every=50)
