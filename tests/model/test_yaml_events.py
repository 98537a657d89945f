"""The fast way to plain values of YAML gives what the composer gives, or leaves it to the composer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokictl.diagnostics import LokictlError
from lokictl.model import yaml_loader, yaml_source
from lokictl.model.yaml_events import plain_documents
from lokictl.model.yaml_places import Places

ROOT = Path(__file__).parents[2]


def fast(text: str) -> list[Any] | None:
    found = plain_documents(
        text,
        yaml_loader.new_loader(),
        yaml_loader.value_of,
        max_nodes=yaml_source.MAX_NODES,
        max_depth=yaml_source.MAX_DEPTH,
    )
    return None if found is None else found.values


def composed(text: str) -> list[Any]:
    return yaml_source._composed(yaml_source.SourceText(text), Places(text))


def scalar_paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in scalar_paths(item, (*path, key))]
    if isinstance(value, list):
        return [found for index, item in enumerate(value) for found in scalar_paths(item, (*path, index))]
    return [path]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "a: 1\n---\nb: [x, 1.50, 1.5, true, ~, '7', \"8\", 0x10, 010, 1_000, .inf, -.inf]\n",
        "a: &x {n: 1.50}\nb: *x\nc: [*x, *x]\n",
        "yes: no\non: 2024-01-01\n? q\n: r\n",
        "a: |\n  one\n  two\nb: >-\n  folded\n  text\n",
    ],
)
def test_plain_strings_are_read_the_fast_way(text: str) -> None:
    assert fast(text) == composed(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\na: 2\n",
        "a: &x {n: 1}\nb: {<<: *x, m: 2}\n",
        "a: !!str 1\n",
        "a: &x [*x]\n",
        "a: &x 1\nb: &x [*x]\n",
        "a: *nowhere\n",
        "a: [1, 2\n",
        "[a, b]: 1\n",
        "&k a: 1\n",
        "a: " + "[" * 200 + "]" * 200 + "\n",
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{new}: &{new} [{','.join(['*' + old] * 10)}]\n"
            for old, new in zip("abcdef", "bcdefg", strict=True)
        ),
        "a: \x00\n",
    ],
)
def test_oddities_are_left_to_the_composer(text: str) -> None:
    assert fast(text) is None


def test_aliases_share_nothing() -> None:
    (value,) = fast("a: &x {n: [1]}\nb: *x\n") or []
    value["a"]["n"].append(2)
    assert value["b"] == {"n": [1]}


@given(
    st.lists(
        st.sampled_from(
            [
                "a: ",
                "b: ",
                "- ",
                "  ",
                "\n",
                "1",
                "1.50",
                "0x1F",
                "true",
                "~",
                "'q'",
                '"d"',
                "[",
                "]",
                "{",
                "}",
                ", ",
                ": ",
                "&x ",
                "*x",
                "<<: ",
                "!!int ",
                "|\n",
                "---\n",
                "# c\n",
                "word",
                "Ä",
                "\t",
                "? ",
            ]
        ),
        max_size=25,
    ).map("".join)
)
def test_both_ways_agree(text: str) -> None:
    values = fast(text)
    try:
        expected = composed(text)
    except LokictlError:
        assert values is None
        return
    assert values is None or repr(values) == repr(expected)
    for document in yaml_source.load_documents(text):
        nodes = yaml_source.YamlDocument(document.value, document.source, document.places, document.number)
        for path in scalar_paths(document.value):
            assert document.scalar_text(*path) == nodes.scalar_text(*path)


def test_the_files_of_this_project_agree() -> None:
    files = sorted(ROOT.glob("tests/rules/*.yaml"))
    assert files
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert fast(text) in (None, composed(text))
