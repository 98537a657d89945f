"""The fast ways of the lexer and the parser give what the slow ones give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokictl.logql import parser
from lokictl.logql.errors import ParseError
from lokictl.logql.lexer import LexicalError, Token, _Lexer, tokenize
from lokictl.logql.versions import DEFAULT, LokiVersion
from tests.logql.generated import queries

PIECES = st.lists(
    st.sampled_from(
        [
            *("{", "}", "a", "app", "by", "sum", "rate", "Sum", "ünï", "a1", "_", "of", "variants", "json"),
            *(
                '"',
                '"x y"',
                '"\\n"',
                "'a'",
                "`b`",
                "=",
                "!=",
                "=~",
                "|",
                "|=",
                "|>",
                "!>",
                "!",
                ">",
                ">=",
                "-",
            ),
            *(
                "--strict",
                "/",
                "//",
                "/*",
                "*/",
                "#",
                "\n",
                " ",
                "\t",
                "\0",
                "(",
                ")",
                ",",
                "[5m]",
                "5m",
                "5.5",
            ),
            *(".", "10KB", "0x1", "%", "^", "*", "+", "\ud800", "\ufeff"),
        ]
    ),
    max_size=12,
)
VERSIONS = st.sampled_from(
    [DEFAULT, LokiVersion.parse("2.9"), LokiVersion.parse("3.0"), LokiVersion.parse("main")]
)


def one_by_one(text: str, version: LokiVersion) -> list[Token | LexicalError]:
    lexer = _Lexer(text, version)
    lexer.common = lambda tokens: None  # type: ignore[method-assign]
    return lexer.run()


@given(st.one_of(queries, PIECES.map("".join), PIECES.map(" ".join)), VERSIONS)
def test_tokens(text: str, version: LokiVersion) -> None:
    assert tokenize(text, version) == one_by_one(text, version)


def outcome(text: str) -> object:
    try:
        return repr(parser.parse(text))
    except ParseError as error:
        return (str(error), error.offset, error.end_offset)


@given(st.one_of(queries, PIECES.map(" ".join)))
def test_parsing_by_a_known_build(text: str) -> None:
    parser._BUILDS.clear()
    first = outcome(text)
    assert outcome(text) == first


@pytest.mark.parametrize(
    "known, text",
    [
        ('{a=~"x"}', '{a=~"("}'),
        ('{a="b"} | regexp "(?P<x>.)"', '{a="b"} | regexp "("'),
        ('rate({a="b"} [5m])', 'rate({a=~".*"} [5m])'),
        ('{a="b"} |= "x" or "y"', '{a="c"} |= ip("z") or "y"'),
        ('topk(1, rate({a="b"} [5m]))', 'topk(0, rate({a="b"} [5m]))'),
    ],
)
def test_a_known_build_does_not_hide_what_is_wrong(known: str, text: str) -> None:
    parser._BUILDS.clear()
    alone = outcome(text)
    parser._BUILDS.clear()
    outcome(known)
    assert outcome(text) == alone


def test_nesting_is_bounded_for_known_builds_too() -> None:
    text = f"{'(' * 20}vector(1){')' * 20}"
    parser.parse(text)
    with pytest.raises(ParseError, match="nests deeper than 5 levels"):
        parser.parse(text, max_depth=5)


def test_builds_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "MAX_BUILDS", 3)
    parser._BUILDS.clear()
    for count in range(1, 9):
        parser.parse("{" + ", ".join(f'a{number}="b"' for number in range(count)) + "}")
    assert len(parser._BUILDS) <= 3
