"""The pretty form: one line while it fits, otherwise one part per line."""

from __future__ import annotations

import pytest

from lokictl.logql import format as pretty

FORMATTED = [
    ('{app="a"}', '{app="a"}'),
    ('{ app = "a" ,env!="b"}|="x"|json|level="error"', '{app="a", env!="b"} |= "x" | json | level="error"'),
    ("{app=`a`} |~ `x|y`", '{app="a"} |~ "x|y"'),
    ('sum(rate({app="a"}[5m]))by(level)', 'sum by (level)(rate({app="a"}[5m]))'),
    (
        'rate({app="a"}[5m]) > 1 and rate({app="b"}[5m]) < 2',
        '((rate({app="a"}[5m]) > 1) and (rate({app="b"}[5m]) < 2))',
    ),
    (
        '{namespace="neurectomy", service="ryot"} |= "database" |= "timeout" | json | level="error"'
        ' | module="importer"',
        '{namespace="neurectomy", service="ryot"}\n'
        '  |= "database"\n'
        '  |= "timeout"\n'
        "  | json\n"
        '  | level="error"\n'
        '  | module="importer"',
    ),
    (
        'sum by (service, module) (rate({namespace="neurectomy", service="ryot"} |= "database" | json'
        ' | level="error" [5m])) > 0.5',
        "(\n"
        "  sum by (service,module)(\n"
        '    rate({namespace="neurectomy", service="ryot"} |= "database" | json | level="error"[5m])\n'
        "  )\n"
        ">\n"
        "  0.5\n"
        ")",
    ),
    (
        'quantile_over_time(0.99, {namespace="neurectomy", service="ryot", tier="core"} | json | level="error"'
        ' | __error__="" | unwrap duration_ms [5m]) by (module)',
        "quantile_over_time(\n"
        "  0.99,\n"
        '  {namespace="neurectomy", service="ryot", tier="core"}\n'
        "    | json\n"
        '    | level="error"\n'
        '    | __error__=""\n'
        "    | unwrap duration_ms [5m]\n"
        ") by (module)",
    ),
]


@pytest.mark.parametrize("query, expected", FORMATTED)
def test_formatted(query: str, expected: str) -> None:
    assert pretty(query) == expected
    assert pretty(expected) == expected
