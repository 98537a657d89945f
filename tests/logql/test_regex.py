"""Regular expressions: what Go refuses, what Loki's simplifier makes of them, and how they are anchored."""

from __future__ import annotations

import pytest

from lokictl.logql.regex import (
    Always,
    AnyOf,
    Contains,
    Equals,
    Matches,
    NonEmpty,
    RegexError,
    Test,
    compile_anchored,
    compile_search,
    compile_selector,
    compile_test,
    parse_regex,
    simplify,
)

REFUSED = [
    ("(", "missing closing ): `(`"),
    (")", "unexpected ): `)`"),
    ("[a", "missing closing ]: `[a`"),
    ("*a", "missing argument to repetition operator: `*`"),
    ("a**", "invalid nested repetition operator: `**`"),
    ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
    ("a{1001}", "invalid repeat count: `{1001}`"),
    ("[z-a]", "invalid character class range: `z-a`"),
    (r"\8", r"invalid escape sequence: `\8`"),
    ("(?P<a-b>x)", "invalid named capture: `(?P<a-b>`"),
    ("(?<!a)b", "invalid named capture: `(?<!a)b`"),
    ("x(?<=a>)b", "invalid named capture: `(?<=a>`"),
    ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
    (r"\pX", r"invalid character class range: `\pX`"),
    ("a\\", "trailing backslash at end of expression: ``"),
]


@pytest.mark.parametrize("pattern, message", REFUSED)
def test_refused_in_the_words_of_go(pattern: str, message: str) -> None:
    with pytest.raises(RegexError) as caught:
        parse_regex(pattern)
    assert str(caught.value) == f"error parsing regexp: {message}"


def test_names_of_groups() -> None:
    assert parse_regex(r"(?P<a>x)(y)(?P<b_2>z)(?:w)(?<c>v)").group_names == ("a", "", "b_2", "c")


SIMPLIFIED: list[tuple[str, Test, Test]] = [
    ("error", Contains("error"), Equals("error")),
    ("", Always(), Always()),
    (".*", Always(), Always()),
    (".+", NonEmpty(), NonEmpty()),
    (".*error.*", Contains("error"), Contains("error")),
    ("5.*", Contains("5"), Contains("5")),
    ("(?i)error", Contains("error", True), Equals("error", True)),
    ("a|b", AnyOf(Contains("a"), Contains("b")), AnyOf(Equals("a"), Equals("b"))),
    ("5..", Matches("5.."), Matches("5..", True)),
    ("^error$", Matches("^error$"), Matches("^error$", True)),
    ("a.*b", Matches("a.*b"), Matches("a.*b", True)),
]


@pytest.mark.parametrize("pattern, line, label", SIMPLIFIED)
def test_simplified(pattern: str, line: Test, label: Test) -> None:
    got = simplify(pattern, for_label=False), simplify(pattern, for_label=True)
    if isinstance(line, AnyOf):  # a class of characters is as good
        got_line = compile_test(got[0])
        assert [got_line(text) for text in (b"xa", b"b", b"c")] == [True, True, False]
        return
    assert _folded(got[0]) == _folded(line)
    assert _folded(got[1]) == _folded(label)


def _folded(test: Test) -> Test:
    if isinstance(test, Contains | Equals) and test.fold:
        return type(test)(test.text.lower(), True)
    return test


LABEL_TESTS = [
    ("5.*", "250", True),
    ("5..", "250", False),
    ("5..", "500", True),
    ("POST|PUT", "OUTPUTS", True),
    ("GET|HEAD", "TARGETS", False),
    ("error|", "x", False),
    ("(?i)warn", "WARN", True),
    ("(?i)warn", "WARNING", False),
    ("wa.n", "warning", False),
]


@pytest.mark.parametrize("pattern, value, matches", LABEL_TESTS)
def test_label_filters_as_loki_has_them(pattern: str, value: str, matches: bool) -> None:
    """Some are substring tests: status=~"5.*" holds for 250."""
    assert compile_test(simplify(pattern, for_label=True))(value.encode()) is matches


ANCHORING = [
    ("b", "abc", True, False, False),
    ("b", "b", True, True, True),
    ("a.c", "a\nc", False, True, False),
    ("a|b", "ab", True, False, False),
    ("^b", "b", True, True, True),
    (r"\d+", "x12", True, False, False),
    ("ü", "ü", True, True, True),
    ("caf.", "caf\udce9", True, True, True),
    ("caf.", "caf\udcf0\udc9f", True, False, False),
    ("[^a-z]", "\udce9", True, True, True),
    ("\\xe9", "\udce9", False, False, False),
]


@pytest.mark.parametrize("pattern, text, search, selector, label", ANCHORING)
def test_anchoring(pattern: str, text: str, search: bool, selector: bool, label: bool) -> None:
    data = text.encode("utf-8", "surrogateescape")
    assert compile_search(pattern).matches(data) is search
    assert compile_selector(pattern).matches(data) is selector
    assert compile_anchored(pattern).matches(data) is label


def test_groups_of_a_match_keep_broken_bytes() -> None:
    found = compile_search("(f)(.)( .)?").search(b"\xffcaf\xe9x\xc3\xa9", 2)
    assert found is not None
    assert (found.start(), found.end()) == (3, 5)
    assert [found.group(index) for index in range(4)] == [b"f\xe9", b"f", b"\xe9", None]
