"""Walking and changing expressions."""

from __future__ import annotations

from lokictl.logql import ast, parse

QUERY = 'sum by (x) (rate({a="b", c=~"d"} |= "e" | json | x="y" [5m])) > 5'


def test_walk_is_in_source_order_parents_first() -> None:
    kinds = [type(node).__name__ for node in parse(QUERY).walk()]
    assert kinds[:4] == ["BinaryOperation", "VectorAggregation", "Grouping", "RangeAggregation"]
    assert kinds[-1] == "Literal"


def test_find_all() -> None:
    expression = parse(QUERY)
    assert [node.name for node in expression.find_all(ast.Matcher)] == ["a", "c"]
    found = expression.find_all(ast.LineFilter, ast.JsonParser)
    assert [type(node) for node in found] == [ast.LineFilter, ast.JsonParser]


def test_replace_takes_the_very_node() -> None:
    expression = parse('rate({a="b"} |= "e" |= "e" [5m])')
    first, second = expression.find_all(ast.LineFilter)
    assert first == second
    shorter = expression.replace(second, None)
    assert next(shorter.find_all(ast.LogExpr)).stages == (first,)
    other = ast.LineFilter(ast.LineFilterOperator.NOT_CONTAINS, first.legs)
    assert str(expression.replace(first, other)) == 'rate({a="b"} != "e" |= "e"[5m])'


def test_transform_shares_what_does_not_change() -> None:
    expression = parse(QUERY)
    assert expression.transform(lambda node: node) is expression

    def doubled(node: ast.Node) -> ast.Node:
        return ast.Literal(node.value * 2) if isinstance(node, ast.Literal) else node

    changed = expression.transform(doubled)
    assert changed.right.value == 10
    assert changed.left is expression.left  # type: ignore[attr-defined]


def test_deep_and_long_expressions_need_no_stack() -> None:
    expression = parse('{a="b"}' + ' |= "x"' * 5_000)
    assert sum(1 for _ in expression.walk()) == 10_003
