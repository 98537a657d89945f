"""Hostile inputs: queries cut, joined and broken at random, and log lines of every sort."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

RECORDING = Path(__file__).parent.parent / "data" / "parse.json"

WORDS = r"""
{ } ( ) [ ] , | |= != |~ !~ |> !> = =~ == > >= < <= + - * / % ^ and or unless by without on ignoring group_left
group_right bool offset sum avg count topk rate count_over_time quantile_over_time absent_over_time vector
label_replace json logfmt regexp pattern unpack unwrap line_format label_format decolorize drop keep ip
duration bytes variants of 5m 1h 5 0.99 1e309 -1 0x1F 5kB 1MiB app level "x" `y` "(?P<a>.*)" "<a>-<_>"
"{{.x}}" "{{" "(" "\xff" # // /* " ` \ --strict .. $__auto
"""
TOKENS = (*WORDS.split(), "\n", "\t", "\u00fc", "\U0001f642", "\x00", "\ufeff")


def seeds() -> list[str]:
    """Queries to start from: everything that a real Loki was asked."""
    recording = json.loads(RECORDING.read_text(encoding="utf-8"))
    return [case["query"] for case in recording["queries"] if len(case["query"]) < 2_000]


def mutate(random: Random, texts: list[str]) -> str:
    """One input: a few random edits of a query, or tokens in a row."""
    if random.random() < 0.15:
        return " ".join(random.choice(TOKENS) for _ in range(random.randint(1, 25)))
    text = random.choice(texts)
    if random.random() < 0.1:
        operator = random.choice(
            ("+", "/", ">", "> bool", "and", "or on (app)", "unless", "* ignoring (x) group_left ()")
        )
        text = f"({text}) {operator} ({random.choice(texts)})"
    for _ in range(random.choice((0, 1, 1, 1, 2, 3, 8))):
        text = _edit(random, text, texts)
    return text


def _edit(random: Random, text: str, texts: list[str]) -> str:
    start = random.randint(0, len(text))
    end = min(len(text), start + random.choice((0, 1, 1, 2, 5, 20)))
    kind = random.randint(0, 6)
    if kind == 0:
        return text[:start] + text[end:]
    if kind == 1:
        return text[:start] + random.choice(TOKENS) + text[end:]
    if kind == 2:
        return text[:start] + text[start:end] * random.choice((2, 3, 50)) + text[end:]
    if kind == 3:
        other = random.choice(texts)
        cut = random.randint(0, len(other))
        return text[:start] + other[cut:]
    if kind == 4:
        return (
            text[:start]
            + chr(random.choice((0, 9, 10, 34, 92, 96, 123, 233, 0x2028, 0x1F642, 0xDC80)))
            + text[end:]
        )
    if kind == 5:
        return f"({text})" if random.random() < 0.5 else "(" * random.choice((2, 50, 300)) + text
    return text[:start] + text[start:end].swapcase() + text[end:]


def log_line(random: Random) -> str:
    """A log line: JSON, logfmt, text, or something broken that looks like one of them."""
    kind = random.randint(0, 7)
    value = random.choice(VALUES)
    if kind == 0:
        record = {random.choice(KEYS): random.choice(VALUES) for _ in range(random.randint(0, 6))}
        return json.dumps(record, ensure_ascii=random.random() < 0.5)
    if kind == 1:
        pairs = (
            f"{random.choice(KEYS)}={json.dumps(random.choice(VALUES))}" for _ in range(random.randint(0, 6))
        )
        return " ".join(pairs)
    if kind == 2:
        text = json.dumps({"level": "error", "x": {"y": [1, {"z": value}]}, "duration": "5ms"})
        return text[: random.randint(0, len(text))]
    if kind == 3:
        return (
            '{"_entry": "inner", "app": "x", "n": ' + random.choice(("1", "1e999", "-", "nul", '"a"')) + "}"
        )
    if kind == 4:
        return "[" * random.choice((1, 10, 2_000)) + '"deep"'
    if kind == 5:
        return bytes(random.randrange(256) for _ in range(random.randint(0, 40))).decode(
            "utf-8", "surrogateescape"
        )
    if kind == 6:
        return (
            f"192.168.0.{random.randint(0, 300)} - GET /{value} {random.randint(100, 599)} \x1b[31mred\x1b[0m"
        )
    return "a" * random.choice((0, 1, 10_000))


KEYS = (
    "level",
    "x",
    "duration",
    "size",
    "status",
    "app",
    "_entry",
    "a b",
    "ü",
    "",
    "__error__",
    "k.e.y",
    "1st",
)
VALUES: tuple[str | int | float | bool | None, ...] = (
    "error", "", "5ms", "1.5kB", "NaN", "-0", "1e400", '"', "\\", "ü", "\x00", "10.0.0.1", 0, -5, 1e300, 0.1, True, None
)  # fmt: skip
