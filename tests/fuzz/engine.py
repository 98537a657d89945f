"""Any logs and any query given to the engine end in a result or in a clear error, soon and in bounded memory.

``python -m tests.fuzz.engine --runs 100000 --seed 7``; it prints what it found and exits with 1 if that was anything.
"""

from __future__ import annotations

import argparse
import json
import time
import traceback
from collections import Counter
from random import Random

from lokictl import logql
from lokictl.durations import SECOND
from lokictl.engine import Engine, EngineError, LogStore
from lokictl.logql import LogQLError
from tests.fuzz.inputs import KEYS, VALUES, log_line, mutate, seeds

START = 1_700_000_000 * SECOND
SLOW = 5.0
"""Seconds that one query may take."""


def store(random: Random) -> LogStore:
    """A few streams that the recorded queries select, with hostile lines and metadata."""
    logs = LogStore(discover_log_levels=random.random() < 0.5)
    for app in ("gate", "api", "mail"):
        labels = {
            "app": app,
            "job": random.choice(("mail", "x|y")),
            "env": "prod",
            "level": "error",
            "_x": "billing",
        }
        entries = []
        for number in range(random.randint(1, 30)):
            timestamp = START + random.randint(-5, 5) * SECOND * number
            metadata = {random.choice(KEYS): str(random.choice(VALUES))} if random.random() < 0.2 else {}
            entries.append((timestamp, log_line(random), metadata))
        logs.push(labels, entries)
    return logs


def queries(random: Random, texts: list[str]) -> str:
    """A query that parses."""
    while True:
        text = random.choice(texts) if random.random() < 0.5 else mutate(random, texts)
        try:
            logql.parse(text)
        except LogQLError:
            continue
        return text


def check(random: Random, engine: Engine, text: str) -> str:
    """Asks a query both ways: "result" or "error"; anything else is raised."""
    outcome = "error"
    try:
        result = engine.query_range(
            text, start=START - 60 * SECOND, end=START + 60 * SECOND, step=random.choice((1, 7, 60)) * SECOND
        )
        _check_answer(result.to_loki())
        outcome = "result"
        result = engine.query(text, time=START)
        _check_answer(result.to_loki())
    except (EngineError, LogQLError) as error:
        _check_words(error)
    return outcome


def _check_words(error: Exception) -> None:
    assert str(error), "an error without words"


def _check_answer(answer: dict[str, object]) -> None:
    json.dumps(answer)
    assert answer["resultType"] in ("streams", "matrix", "vector", "scalar")


def run(runs: int, seed: int, *, verbose: bool = True) -> dict[str, str]:
    """Runs that many queries; gives kind of failure -> the shortest query that shows it."""
    random = Random(seed)
    texts = seeds()
    found: dict[str, str] = {}
    outcomes: Counter[str] = Counter()
    began = time.monotonic()
    engine = Engine(store(random))
    for number in range(runs):
        if number % 50 == 0:
            engine = Engine(store(random))
        text = queries(random, texts)
        started = time.monotonic()
        try:
            outcomes[check(random, engine, text)] += 1
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} at {frame.filename.rpartition('/')[2]}:{frame.lineno}: {str(error)[:60]}"
            if kind not in found or len(text) < len(found[kind]):
                found[kind] = text
        if time.monotonic() - started > SLOW:
            found.setdefault("slow", text)
        if verbose and number and number % 10_000 == 0:
            print(
                f"{number:,} queries, {time.monotonic() - began:.0f} s, {dict(outcomes)}, {len(found)} kinds of failure"
            )
    if verbose:
        print(f"{runs:,} queries in {time.monotonic() - began:.0f} s: {dict(outcomes)}")
        for kind, text in found.items():
            print(f"\n{kind}\n  {text!r}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    return 1 if run(options.runs, options.seed) else 0


if __name__ == "__main__":
    raise SystemExit(main())
