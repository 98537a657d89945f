"""Where things stand in YAML: keys, values, and characters inside scalars."""

from __future__ import annotations

import pytest

from lokictl.diagnostics import LokictlError, nearest
from lokictl.model.yaml_source import load_document, load_documents, unknown_keys

SCALARS = {
    "plain": ("expr: sum(rate(x))\n", "rate"),
    "single quoted": ("expr: 'a ''b'' rate'\n", "rate"),
    "double quoted with escapes": ('expr: "{a=\\"b\\"} |= \\"\\u0041\\" rate"\n', "rate"),
    "double quoted over two lines": ('expr: "one\n  two rate"\n', "rate"),
    "literal block": ("expr: |\n  sum(\n    rate(x)\n  )\n", "rate"),
    "literal block, indented more": ("expr: |\n      a\n        rate\n", "rate"),
    "literal block with explicit indent": ("expr: |2\n    a\n  rate\n", "rate"),
    "folded block": ("expr: >\n  sum(\n  rate(x)\n  )\n", "rate"),
    "folded block, stripped": ("expr: >-\n  sum by (a) (\n    rate(x)\n  )\n", "rate"),
    "plain over two lines": ("expr: sum(\n  rate(x))\n", "rate"),
}


@pytest.mark.parametrize("text, word", SCALARS.values(), ids=SCALARS.keys())
def test_a_word_inside_a_scalar_is_found_in_the_file(text: str, word: str) -> None:
    document = load_document(text, "f.yaml")
    value = document.value["expr"]
    start = value.index(word)
    position = document.text_position(("expr",), start, start + len(word))
    line = text.split("\n")[position.line - 1]
    assert line[position.column - 1 : position.end_column - 1] == word
    assert position.end_line == position.line


def test_values_are_read_as_loki_reads_them() -> None:
    document = load_document("a: yes\nb: 2026-01-01\nc: 1.50\nd: ~\ne: true\nf: 010\ng: 1_000\nh: 0x1F\n")
    assert document.value == {
        "a": "yes",
        "b": "2026-01-01",
        "c": 1.5,
        "d": None,
        "e": True,
        "f": 8,
        "g": 1000,
        "h": 31,
    }
    assert document.scalar_text("c") == "1.50"
    assert document.scalar_text("d") == ""


def test_merge_keys_and_aliases() -> None:
    document = load_document("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\n")
    assert document.value["use"] == {"x": 1, "y": 3}


BAD = {
    "syntax": ("a: [1\nb: 2\n", "not valid YAML", 2),
    "repeated key": ("a: 1\nb: 2\na: 3\n", 'the key "a" is already defined at line 1', 3),
    "tab": ("a:\n\t- b\n", "not valid YAML", 2),
    "alias to itself": ("a: &x [*x]\n", "an alias refers to itself", 1),
    "query as a flow mapping": ('expr: {app="a"} |= "x"\n', "not valid YAML", 1),
}


@pytest.mark.parametrize("text, message, line", BAD.values(), ids=BAD.keys())
def test_bad_yaml_is_one_placed_problem(text: str, message: str, line: int) -> None:
    with pytest.raises(LokictlError) as caught:
        load_documents(text, "f.yaml")
    (problem,) = caught.value.problems
    assert message in problem.message
    assert (problem.position.file, problem.position.line) == ("f.yaml", line)


def test_aliases_cannot_blow_up() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(LokictlError, match="too large"):
        load_documents("\n".join(levels))


def test_unknown_keys_come_with_the_nearest_known_one() -> None:
    document = load_document("alrt: x\nexpr: y\n", "f.yaml")
    (problem,) = unknown_keys(document, ["alert", "expr"], what="a rule")
    assert (problem.message, problem.hint) == ('unknown key "alrt" in a rule', 'did you mean "alert"?')
    assert (problem.position.line, problem.position.column, problem.position.end_column) == (1, 1, 5)
    assert nearest("zzz", ["alert"]) == ""


def test_places_behind_a_byte_order_mark() -> None:
    text = "\ufeffgroups:\n- name: x\n  expr: 'a'\nbad: 1\n"
    document = load_document(text)
    assert str(document.position("bad", key=True)) == "<input>:4:1"
    assert str(document.position("groups", 0, "name")) == "<input>:2:9"
    assert [text[offset] for offset in document.offsets(("groups", 0, "expr"))] == ["a", "'"]
    with pytest.raises(LokictlError) as error:
        load_document(text + "bad: 2\n")
    (problem,) = error.value.problems
    assert (problem.position.line, problem.position.column) == (5, 1)
    with pytest.raises(LokictlError) as error:
        load_document("\ufeffa: 1\nb: - c\n")
    (problem,) = error.value.problems
    assert (problem.position.line, problem.position.column) == (2, 4)
