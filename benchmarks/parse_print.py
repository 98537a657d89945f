"""Parsing and printing 10,000 different alert expressions, against splitting the same texts into tokens.

The reference is one ``re.findall`` per text: what a parser in Python cannot do without.
"""

from __future__ import annotations

import re

from benchmarks.common import show, side_by_side
from lokictl import logql

COUNT = 10_000

TEMPLATES = (
    'sum by (level, module) (rate({{service="s{0}", level="error"}} | json | module="m{0}" [5m])) > 0.{0}',
    'sum(count_over_time({{service="s{0}"}} |= "timeout {0}" | json | status >= 500 | __error__="" [10m])) > {0}',
    'quantile_over_time(0.99, {{service="s{0}"}} | json | unwrap duration_ms | __error__="" [5m]) by (module) > {0}000',
    'sum(rate({{service="s{0}", level="error"}} [5m])) / sum(rate({{service="s{0}"}} [5m])) > 0.05 or vector({0})',
    'absent_over_time({{service="s{0}", namespace="neurectomy"}} |~ "heartbeat|ping{0}" [15m])',
)
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\w+(?:\.\w+)?|[!=<>|]=|[|!=]~|\S')


def expressions() -> list[str]:
    """The texts, every one different."""
    return [TEMPLATES[number % len(TEMPLATES)].format(number) for number in range(COUNT)]


def main() -> bool:
    texts = expressions()
    parsed = [logql.parse(text) for text in texts]
    parsing = side_by_side(
        lambda: [logql.parse(text) for text in texts],
        lambda: [TOKEN.findall(text) for text in texts],
        rounds=3,
    )
    printing = side_by_side(
        lambda: [str(expression) for expression in parsed],
        lambda: [TOKEN.findall(text) for text in texts],
        rounds=3,
    )
    show(f"parsing {COUNT:,} expressions", parsing, against="finding their tokens")
    show(f"printing {COUNT:,} expressions", printing, against="finding their tokens")
    print(
        f"  {parsing.measured / COUNT * 1e6:.0f} µs to parse one, {printing.measured / COUNT * 1e6:.0f} µs to print one"
    )
    return True
