"""Expressions are formatted where they are; the rest of the file stays as it was, byte for byte."""

from __future__ import annotations

import pytest

from lokictl.diagnostics import LokictlError
from lokictl.model import parse_rule_files
from lokictl.model.formatting import format_rule_file

UGLY = 'sum by(level)(rate({app="it\'s"}|json[5m]))>5'
NICE = '(sum by (level)(rate({app="it\'s"} | json[5m])) > 5)'
HEAD = "# first\ngroups:\n  - name: g   # a group\n    rules:\n"
CONFIG_MAP = "kind: ConfigMap\nmetadata: {{name: x}}\ndata:\n  a.yaml: |\n"

FILES = {
    "block": HEAD + "      - alert: A\n        expr: |\n          {}\n        for: 5m\n",
    "plain": HEAD + "      - alert: A\n        expr: {}\n",
    "single quoted": HEAD + "      - {{alert: A, expr: '{}'}}\n",
    "double quoted": HEAD + '      - {{alert: A, expr: "{}"}}\n',
    "behind a byte order mark": "\ufeff" + HEAD + "      - alert: A\n        expr: {}\n",
    "in a ConfigMap": CONFIG_MAP + "    groups:\n      - name: g\n        rules:\n          - alert: A\n"
    "            expr: |-\n              {}\n            for: 5m\n",
}  # fmt: skip
QUOTED = {
    "single quoted": lambda text: text.replace("'", "''"),
    "double quoted": lambda text: text.replace('"', '\\"'),
}


@pytest.mark.parametrize("name", FILES)
def test_only_the_expression_changes(name: str) -> None:
    quoted = QUOTED.get(name, str)
    done = format_rule_file(FILES[name].format(quoted(UGLY)), "f.yaml")
    assert done.after == FILES[name].format(quoted(NICE))
    assert (done.changed, done.left) == (1, 0)
    assert format_rule_file(done.after, "f.yaml").changed == 0


def test_long_expressions_are_laid_out_in_blocks() -> None:
    selector = '{app="shop", namespace="production", cluster="eu-west-1", team="checkout", stage="blue"}'
    query = f'sum by(level)(rate({selector}|json|level="error"[5m]))/sum by(level)(rate({selector}[5m]))'
    text = FILES["in a ConfigMap"].format(query)
    done = format_rule_file(text, "f.yaml")
    assert done.after.count("\n") > text.count("\n")
    (before,), (after,) = ([rule.expr for file in parse_rule_files(each, "f.yaml") for group in file.groups
                            for rule in group.rules] for each in (text, done.after))  # fmt: skip
    assert before.split() != after.split()
    assert format_rule_file(done.after, "f.yaml", canonical=True).after.count("\n") == text.count("\n")


@pytest.mark.parametrize(
    "expr", ['rate({app="a"}[5m]) # why', "rate({%%juju_topology%%}[5m])", 'rate({app="a"}', 'rate({app="${APP}"}[5m])']
)  # fmt: skip
def test_what_is_left_alone(expr: str) -> None:
    text = FILES["block"].format(expr)
    done = format_rule_file(text, "f.yaml")
    assert (done.after, done.changed, done.left) == (text, 0, 1)


def test_a_file_without_rules_is_an_error() -> None:
    with pytest.raises(LokictlError, match="needs the key `groups`"):
        format_rule_file("a: b\n", "f.yaml")
