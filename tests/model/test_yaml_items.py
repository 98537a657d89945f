"""A list read item by item gives what the whole text gives, with the same places, or is left to the whole."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from lokictl.diagnostics import LokictlError
from lokictl.model import yaml_items
from lokictl.model.documents import Document
from lokictl.model.yaml_events import OddityError
from lokictl.model.yaml_items import split_document
from lokictl.model.yaml_source import load_documents


def answers(document: Document, path: tuple[Any, ...]) -> list[Any]:
    return [
        document.position(*path),
        document.position(*path, key=True),
        list(document.offsets(path)),
        document.scalar_text(*path),
    ]


def below(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in parts for found in below(item, (*path, key)))]


def read(text: str) -> dict[str, Any] | None:
    """The value read item by item, its places compared with those of the whole; None if the whole has to be read."""
    split = split_document(text, "f.yaml", "tests")
    if split is None:
        return None
    try:
        items = [split.item(index) for index in range(len(split))]
    except OddityError:
        return None
    value = {**split.rest.value, "tests": [document.value[place] for document, place in items]}
    (whole,) = load_documents(text, "f.yaml")
    assert repr(value) == repr({**value, **whole.value})
    for path in below(value):
        if path[:1] != ("tests",):
            assert answers(split.rest, path) == answers(whole, path), path
        elif len(path) > 1:
            document, place = items[path[1]]
            assert answers(document, (place, *path[2:])) == answers(whole, path), path
    return value


ITEMS = """\
# tests of the shop
rule_files: [rules.yaml]
tests: # all of them
  # the first
  - name: one
    lines: |
      - a
      b: "c

      # no comment
  -
    name: 'two
      - lines'
    values: [1, 1.50,
      yes]

  - {name: three, of: &x [a]}
  - again: &y {a: 1}
    same: *y
  # after the last
# at the end
evaluation_interval: 1m
"""


@pytest.mark.parametrize("at_once", [1, 2, 16])
@pytest.mark.parametrize(
    "text",
    [
        ITEMS,
        ITEMS.replace("\n  ", "\n"),
        ITEMS.partition("evaluation")[0].rstrip(),
        "---\n" + ITEMS,
        "tests:\n- a\n-\n- - b\n  - c\n",
        "tests:\n      - a: |+\n          x\n\n\n      - b: >\n         y\n\n",
    ],
)
def test_items_are_read_alone(text: str, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_items, "READ_AT_ONCE", at_once)
    assert read(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rules: []\n",
        "tests: [a, b]\n",
        "tests:\n  a: b\n",
        "tests:\n",
        "tests:\n  - a\ntests:\n  - b\n",
        "tests:\n  - a\n\"tests\":\n  - b\n",
        "tests:\n  - a\n---\nb: 1\n",
        "tests:\n  - a\n...\n",
        "tests:\n  - a\n b: 1\n",
        "tests:\n  - a\n  b: 1\n",
        "tests:\n- a\nb\n",
        "tests:\n  - &x a\n  - *x\n",
        "x: &x 1\ntests:\n  - *x\n",
        "x: &x 1\ntests:\n  - &x 2\ny: *x\n",
        "tests:\n  - &x a\ny: *x\n",
        "tests:\n  - 'a\n  - b'\n",
        "tests:\n  - [a,\n  - b]\n",
        "tests:\n  - a\n  -\tb\n",
        "tests:\n  - a: 1\n    a: 2\n",
        "tests:\n  - !!str 1\n",
        "tests:\n  - {<<: {a: 1}}\n",
        "x: \"\ntests:\n  - a\n\"\n",
        "\"tests\":\nx: \"\ntests:\n  - a\n\"\n",
        "{x: 1}\ntests:\n  - a\n",
        "x: 1\n...\ntests:\n  - a\n",
        "%TAG ! !a\n---\ntests:\n  - !b c\n",
        "tests:\r\n  - a\r\n",
        "\ufefftests:\n  - a\n",
        "tests:\n  - a: # b\n\ufeff\n    &x # c\n",
        "tests:\n  - " + "[" * 98 + "]" * 98 + "\n  - " + "[" * 99 + "]" * 99 + "\n",
    ],
)  # fmt: skip
def test_oddities_are_left_to_the_whole(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_items, "READ_AT_ONCE", 1)
    assert read(text) is None


LINES = st.sampled_from(
    [
        *(
            "tests:",
            "  - ",
            "- ",
            "    ",
            "  ",
            " ",
            "\n",
            "\n",
            "\n",
            "a: ",
            "b: ",
            "x",
            "1",
            "'",
            '"',
            "|\n",
            ">+\n",
        ),
        *("&x ", "*x", "# - c\n", "{", "}", "[", "]", ", ", "---\n", "...\n", "\t", "? ", "\r"),
    ]
)


@given(
    st.lists(LINES, max_size=12).map("".join), st.lists(LINES, max_size=25).map("".join), st.integers(1, 3)
)
@example("", "- a\n- 'x\n- y'\n", 1)
def test_any_text(head: str, items: str, at_once: int) -> None:
    text = f"{head}\ntests:\n{items}"
    before, yaml_items.READ_AT_ONCE = yaml_items.READ_AT_ONCE, at_once
    try:
        value = read(text)
    except LokictlError:
        raise AssertionError("the pieces can be read, the whole cannot") from None
    finally:
        yaml_items.READ_AT_ONCE = before
    assert value is None or "tests" in value


words = st.sampled_from(
    ["a", "b c", "1.50", "true", "", "x: y", "- z", "two\nlines\n", "tests:\n- a", "it's", "#"]
)
data = st.recursive(
    words | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=15,
)


@given(
    st.lists(data, min_size=1, max_size=6),
    st.dictionaries(words.filter(lambda key: key != "tests"), data, max_size=3),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, "'", '"', "|", ">"]),
    st.integers(2, 6),
)
def test_any_data_is_read_alone(
    items: list[Any], others: dict[str, Any], flow: bool | None, style: str | None, indent: int
) -> None:
    lines = yaml.dump(items, default_flow_style=flow, default_style=style, indent=indent)
    if flow or lines.startswith("["):
        lines = "".join(
            f"- {yaml.dump(item, default_flow_style=True)}".replace("\n...\n", "\n") for item in items
        )
    rest = yaml.dump(others, default_flow_style=False, default_style=style) if others else ""
    text = f"{rest}tests:\n{lines}"
    assert read(text) is not None or "!!" in text or "&id" in text
