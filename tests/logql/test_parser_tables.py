"""The parser's tables are those of the grammar."""

from __future__ import annotations

from pathlib import Path

from lokictl.logql import lalr, parser_tables


def test_tables_are_fresh() -> None:
    assert parser_tables.__file__
    written = Path(parser_tables.__file__).read_text(encoding="utf-8")
    assert written == lalr.source(), "run `make tables`"
