"""Lines with bytes that are not UTF-8: every expected answer is a real Loki 3.7.6's."""

from __future__ import annotations

import pytest

from lokictl.engine import Engine, EngineError, LogStore

LINES = (
    b"caf\xe9",
    b"caf\xe9 x=1",
    b"caf\xea z",
    b"caf\xc3\xa9 utf8",
    b'k=caf\xe9 n="\xe9 z"',
    b'{"a":"caf\xe9","b":"ok"}',
    b"\xff\xfe\xf0\x9f tail",
    b"\xed\xa0\x80 tail",
)
SELECTOR = '{a="b"}'
HEXADECIMAL = r' | line_format "{{printf \"%x\" __line__}}"'
FEW = SELECTOR + ' |~ "^(.{4}|.* tail)$"'
START, SECOND = 1_767_225_600_000_000_000, 1_000_000_000
END = START + 3_600 * SECOND

QUERIES: list[tuple[str, list[str]]] = [
    (
        r'|~ "caf."',
        [
            "caf\ufffd",
            "caf\ufffd x=1",
            "caf\ufffd z",
            "café utf8",
            'k=caf\ufffd n="\ufffd z"',
            '{"a":"caf\ufffd","b":"ok"}',
        ],
    ),
    (r'|~ "caf.$"', ["caf\ufffd"]),
    (r'!~ "caf."', ["\ufffd\ufffd\ufffd\ufffd tail", "\ufffd\ufffd\ufffd tail"]),
    (r'|~ "caf[^a-z] ."', ["caf\ufffd x=1", "caf\ufffd z", "café utf8", 'k=caf\ufffd n="\ufffd z"']),
    (r'|~ "^.{4} tail"', ["\ufffd\ufffd\ufffd\ufffd tail"]),
    (r'|~ "^.{3} tail"', ["\ufffd\ufffd\ufffd tail"]),
    (
        r'|~ "caf[é�]"',
        [
            "caf\ufffd",
            "caf\ufffd x=1",
            "caf\ufffd z",
            "café utf8",
            'k=caf\ufffd n="\ufffd z"',
            '{"a":"caf\ufffd","b":"ok"}',
        ],
    ),
    (r'|~ "caf�"', []),
    (
        r'|~ "(?i)CAF."',
        [
            "caf\ufffd",
            "caf\ufffd x=1",
            "caf\ufffd z",
            "café utf8",
            'k=caf\ufffd n="\ufffd z"',
            '{"a":"caf\ufffd","b":"ok"}',
        ],
    ),
    (r'|~ "^\\W+tail"', ["\ufffd\ufffd\ufffd\ufffd tail", "\ufffd\ufffd\ufffd tail"]),
    (
        r'| regexp "(?P<w>caf.)" | w!="" | line_format "{{printf \"%x\" .w}}"',
        ["636166e9", "636166e9", "636166ea", "636166c3a9", "636166e9", "636166e9"],
    ),
    (
        r'| regexp "(?P<w>caf.)(?P<r>.*)" | w=~"caf." | line_format "{{printf \"%x|%x\" .w .r}}"',
        [
            "636166e9|",
            "636166e9|20783d31",
            "636166ea|207a",
            "636166c3a9|2075746638",
            "636166e9|206e3d22e9207a22",
            "636166e9|222c2262223a226f6b227d",
        ],
    ),
    (
        r'| pattern "<w> <_>" | w=~"caf." | line_format "{{printf \"%x\" .w}}"',
        ["636166e9", "636166e9", "636166ea", "636166c3a9"],
    ),
    (r'| pattern "<w> <_>" | w=~"caf."', ["caf\ufffd", "caf\ufffd x=1", "caf\ufffd z", "café utf8"]),
    (r'| label_format w="{{__line__}}" | w=~"caf." | line_format "{{printf \"%x\" .w}}"', ["636166e9"]),
    (r'| logfmt | k!="" | line_format "{{printf \"%x|%x\" .k .n}}"', ["63616620|20207a"]),
    (r'| json | b="ok" | line_format "{{printf \"%x\" .a}}"', ["62"]),
]


@pytest.mark.parametrize("query, lines", QUERIES)
def test_log_queries(query: str, lines: list[str]) -> None:
    assert found(f"{SELECTOR} {query}") == lines


TEMPLATES: list[tuple[str, list[str]]] = [
    ('{{ regexReplaceAll "f." __line__ "G" }}', ["636147", "fffef09f207461696c", "eda080207461696c"]),
    ('{{ regexReplaceAll "a(.)" __line__ "$1$1" }}', ["636666e9", "fffef09f207469696c", "eda080207469696c"]),
    (
        '{{ regexReplaceAllLiteral "" __line__ "-" }}',
        [
            "2d632d612d662de92d",
            "2dff2dfe2df02d9f2d202d742d612d692d6c2d",
            "2ded2da02d802d202d742d612d692d6c2d",
        ],
    ),
    ('{{ count "." __line__ }}', ["34", "39", "38"]),
    ("{{ __line__ }}!", ["636166e921", "fffef09f207461696c21", "eda080207461696c21"]),
    (
        "{{ __line__ | upper }}",
        ["434146efbfbd", "efbfbdefbfbdefbfbdefbfbd205441494c", "efbfbdefbfbdefbfbd205441494c"],
    ),
    (
        "{{ __line__ | lower }}",
        ["636166efbfbd", "efbfbdefbfbdefbfbdefbfbd207461696c", "efbfbdefbfbdefbfbd207461696c"],
    ),
    (
        "{{ __line__ | title }}",
        ["436166efbfbd", "efbfbdefbfbdefbfbdefbfbd205461696c", "efbfbdefbfbdefbfbd205461696c"],
    ),
    ("{{ __line__ | alignLeft 4 }}", ["636166e9", "efbfbdefbfbdefbfbdefbfbd", "efbfbdefbfbdefbfbd20"]),
    ("{{ __line__ | alignRight 3 }}", ["6166efbfbd", "61696c", "61696c"]),
    ("{{ __line__ | trunc 4 }}", ["636166e9", "fffef09f", "eda08020"]),
    ("{{ __line__ | js }}", ["636166e9", "fffef09f207461696c", "eda080207461696c"]),
]


@pytest.mark.parametrize("template, bytes_of_lines", TEMPLATES)
def test_templates(template: str, bytes_of_lines: list[str]) -> None:
    text = template.replace('"', r"\"")
    assert found(f'{FEW} | line_format "{text}"{HEXADECIMAL}') == bytes_of_lines


METRICS: list[tuple[str, list[tuple[str, int]]]] = [
    (
        'sum by (w) (count_over_time({a="b"} | pattern "<w> <_>" [1h]))',
        [
            ("café", 1),
            ("caf\ufffd", 1),
            ("caf\ufffd", 2),
            ("k=caf\ufffd", 1),
            ('{"a":"caf\ufffd","b":"ok"}', 1),
            ("\ufffd\ufffd\ufffd", 1),
            ("\ufffd\ufffd\ufffd\ufffd", 1),
        ],
    ),
    (
        'sum by (w) (count_over_time({a="b"} | regexp "(?P<w>caf.)" [1h]))',
        [("", 2), ("café", 1), ("caf\ufffd", 1), ("caf\ufffd", 4)],
    ),
    ('sum by (k) (count_over_time({a="b"} | logfmt | k!="" [1h]))', [("caf ", 1)]),
    (
        'sum by (d) (label_replace(sum by (w) (count_over_time({a="b"} | pattern "<w> <_>" [1h])), "d", "$1", "w", '
        '"(caf.).*"))',
        [("", 4), ("café", 1), ("caf\ufffd", 1), ("caf\ufffd", 2)],
    ),
]


@pytest.mark.parametrize("query, series", METRICS)
def test_series_whose_labels_differ_in_a_broken_byte_are_two(
    query: str, series: list[tuple[str, int]]
) -> None:
    answer = Engine(store()).query(query, time=END - 1).to_loki()["result"]
    shown = sorted((next(iter(one["metric"].values()), ""), int(one["value"][1])) for one in answer)
    assert shown == series


def test_an_error_that_names_a_broken_label_can_be_printed() -> None:
    query = f'sum by (w) (sum_over_time({SELECTOR} | pattern "<w> <_>" | label_format n="x" | unwrap n [1h]))'
    with pytest.raises(EngineError) as caught:
        Engine(store()).query(query, time=END - 1)
    assert str(caught.value).encode()


def store() -> LogStore:
    made = LogStore()
    texts = [line.decode("utf-8", "surrogateescape") for line in LINES]
    made.push({"a": "b"}, [(START + number * SECOND, text) for number, text in enumerate(texts)])
    return made


def found(query: str) -> list[str]:
    """The lines that the query finds, in the order of time."""
    answer = (
        Engine(store()).query_range(query, start=START, end=END, limit=100, direction="forward").to_loki()
    )
    return [line for _, line in sorted(value for stream in answer["result"] for value in stream["values"])]
