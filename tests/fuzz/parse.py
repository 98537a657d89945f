"""Any text given to the language ends in an expression or a `LogQLError`, soon.

``python -m tests.fuzz.parse --runs 1000000 --seed 7`` runs it as long as you like; it prints what it found and
exits with 1 if that was anything.
"""

from __future__ import annotations

import argparse
import time
import traceback
from collections import Counter
from random import Random

from lokictl import logql
from lokictl.logql import LogQLError, ParseError
from lokictl.logql.ast import NO_SPAN
from lokictl.logql.grafana_variables import interpolate
from tests.fuzz.inputs import mutate, seeds

SLOW = 2.0
"""Seconds that one input may take."""


def check(text: str) -> str:
    """What became of one input: "expression" or "refused"; raises AssertionError when a promise is broken."""
    try:
        expression = logql.parse(text)
    except LogQLError as error:
        _check_error(error, text)
        return "refused"
    for node in expression.walk():
        if node.span != NO_SPAN:
            assert 0 <= node.span.start <= node.span.end <= len(text), "a span outside of the text"
    printed = str(expression)
    assert printed
    formatted = logql.format(text)
    again = logql.parse(formatted)
    assert str(again) == printed, f"formatting changed the query: {formatted!r}"
    assert logql.format(formatted) == formatted, f"formatting twice changes the text: {formatted!r}"
    return "expression"


def _check_error(error: LogQLError, text: str) -> None:
    assert str(error), "an error without words"
    if isinstance(error, ParseError):
        lines = text.count("\n") + 1
        assert 0 <= error.line <= lines, f"line {error.line} of {lines}"
        assert 0 <= error.offset <= error.end_offset <= len(text), "the offsets lie outside of the text"
    interpolate(text)


def run(runs: int, seed: int, *, verbose: bool = True) -> dict[str, str]:
    """Runs that many inputs; gives what was found: kind of failure -> the shortest input that shows it."""
    random = Random(seed)
    texts = seeds()
    found: dict[str, str] = {}
    outcomes: Counter[str] = Counter()
    began = time.monotonic()
    for number in range(runs):
        text = mutate(random, texts)
        started = time.monotonic()
        try:
            outcomes[check(text)] += 1
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} at {frame.name}:{frame.lineno}: {str(error)[:60]}"
            if kind not in found or len(text) < len(found[kind]):
                found[kind] = text
        if time.monotonic() - started > SLOW:
            found.setdefault("slow", text)
        if verbose and number and number % 50_000 == 0:
            print(
                f"{number:,} inputs, {time.monotonic() - began:.0f} s, {dict(outcomes)}, {len(found)} kinds of failure"
            )
    if verbose:
        print(f"{runs:,} inputs in {time.monotonic() - began:.0f} s: {dict(outcomes)}")
        for kind, text in found.items():
            print(f"\n{kind}\n  {text!r}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    return 1 if run(options.runs, options.seed) else 0


if __name__ == "__main__":
    raise SystemExit(main())
