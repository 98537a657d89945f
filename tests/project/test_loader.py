"""What a content project may consist of, and what is said when it is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lokictl.diagnostics import LokictlError
from lokictl.project import load

RULES = """\
from lokictl.model import AlertingRule, RuleGroup

def factory(name):
    return AlertingRule(name, f'count_over_time({{a="{name}"}}[1m]) > 0')

FIRST = factory("First")
SECOND = factory("Second")

GROUPS = [
    RuleGroup("one", (FIRST,)),
    RuleGroup("two", (SECOND,)),
]
"""
SERVICE = """\
from lokictl.model import Service
SERVICE = Service(name="web", title="Web", tier="core", namespace="shop")
ALIAS = SERVICE
_PRIVATE = Service(name="hidden", title="", tier="", namespace="")
"""
RULE_FILE = """\
groups:
  - name: plain
    rules:
      - alert: FromYaml
        expr: count_over_time({a="b"}[1m]) > 0
"""
DATASOURCES = """\
apiVersion: 1
datasources:
  - {name: Loki, type: loki, uid: loki, url: "${LOKI_URL}", jsonData: {maxLines: 10}}
"""
DASHBOARD = """\
class Board:
    uid, title = "u", "T"

    def to_json(self):
        return {"uid": "u"}

BOARD = Board()
"""


def test_every_kind_of_content_is_found(write_project) -> None:
    root = write_project(
        {
            "lokictl.toml": 'name = "shop"\n',
            "services/web.py": SERVICE,
            "rules/web.py": RULES,
            "rules/more/deep.yaml": RULE_FILE,
            "dashboards/one.json": '{"uid": "json", "title": "From a file"}',
            "dashboards/two.py": DASHBOARD,
            "datasources/all.yaml": DATASOURCES,
            "tests/rules/web_test.yaml": "tests: []\n",
        }
    )
    project = load()
    assert (project.name, project.root) == ("shop", root)
    assert [service.name for service in project.services] == ["web"]
    assert [
        (file.namespace, file.path, [group.name for group in file.groups]) for file in project.rule_files
    ] == [
        ("web", "rules/web.py", ["one", "two"]),
        ("deep", "rules/more/deep.yaml", ["plain"]),
    ]
    assert [(board.uid, board.to_json()["uid"]) for board in project.dashboards] == [
        ("u", "u"),
        ("json", "json"),
    ]
    assert [(source.uid, source.json_data) for source in project.datasources] == [("loki", {"maxLines": 10})]
    assert [file.name for file in project.test_files] == ["web_test.yaml"]
    assert project.service("web") is project.services[0]
    with pytest.raises(LokictlError, match='unknown service "wob"'):
        project.service("wob")


def test_rules_know_the_line_that_defines_them(write_project) -> None:
    write_project({"lokictl.toml": "", "rules/web.py": RULES})
    groups = load().rule_files[0].groups
    assert [str(group.rules[0].origin.position()) for group in groups] == ["rules/web.py:6", "rules/web.py:7"]
    assert [str(group.origin.position()) for group in groups] == ["rules/web.py:10", "rules/web.py:11"]


EXPRESSIONS = '''\
from lokictl.model import AlertingRule, RuleGroup

SERVICE = "shop"
ONE = AlertingRule("One", 'count_over_time({a="b"}[1m]) > 0')
TWO = AlertingRule(
    "Two",
    """
    sum by (a) (
      count_over_time({a="b"} |= "x" [1m])
    ) > 0
""",
)
THREE = AlertingRule(
    "Three",
    f"""
count_over_time({{service="{SERVICE}"}}[5m])
  > 0
""",
)
GROUPS = (RuleGroup("g", (ONE, TWO, THREE)),)
'''

PLACES = {
    ("One", "count_over_time"): "rules/a.py:4:28",
    ("One", "> 0"): "rules/a.py:4:57",
    ("Two", '|= "x"'): "rules/a.py:9:31",
    ("Two", "> 0"): "rules/a.py:10:7",
    ("Three", "> 0"): "rules/a.py:17:3",
    ("Three", "service"): "rules/a.py:13",
}


@pytest.mark.parametrize("name, part", PLACES)
def test_parts_of_an_expression_are_found_in_the_module(name: str, part: str, write_project) -> None:
    write_project({"lokictl.toml": "", "rules/a.py": EXPRESSIONS})
    (rule,) = [rule for rule in load().rules if rule.name == name]
    start = rule.expr.index(part)
    position = rule.origin.text_position(("expr",), start, start + len(part))
    assert str(position) == PLACES[name, part]
    assert not position.column or position.end_column - position.column == len(part)


def test_grafanalib_dashboards_count(write_project) -> None:
    text = 'from grafanalib.core import Dashboard\nBOARD = Dashboard(title="Old friend", uid="friend", panels=[])\n'
    write_project({"lokictl.toml": "", "dashboards/x.py": text})
    (board,) = load().dashboards
    assert (board.uid, board.title, board.to_json()["title"]) == ("friend", "Old friend", "Old friend")


CASES = {
    "raises": (
        {"rules/a.py": 'THRESHOLDS = {"high": 5}\nLIMIT = THRESHOLDS["hgih"]\n'},
        ["rules/a.py:2:9 the module cannot be loaded: KeyError: 'hgih'"],
    ),
    "not Python": ({"rules/a.py": "x = [1, 2\n"}, ["rules/a.py:1:5 not valid Python: '[' was never closed"]),
    "wrong name": (
        {"rules/a.py": "from lokictl.model import AlertingRul\n"},
        ["rules/a.py:1:1 the module cannot be loaded: ImportError", 'did you mean "AlertingRule"?'],
    ),
    "not installed": (
        {"rules/a.py": "import nowhere_to_be_found\n"},
        ["rules/a.py:1:1", "is nowhere_to_be_found installed"],
    ),
    "two modules": (
        {"rules/a.py": "1 / 0\n", "services/b.py": "None.x\n"},
        ["rules/a.py:1:1 the module cannot be loaded: ZeroDivisionError", "services/b.py:1:1"],
    ),
    "in a module that others import": (
        {"rules/common.py": "raise ValueError('no')\n", "rules/a.py": "from rules.common import X\n"},
        ["rules/common.py:1:1 the module cannot be loaded: ValueError: no"],
    ),
    "exits": ({"rules/a.py": "import sys\nsys.exit(3)\n"}, ["rules/a.py:2:1", "SystemExit: 3"]),
    "two rules with one name": (
        {"rules/a.py": RULES.replace('"two", (SECOND,)', '"two", (SECOND, factory("Second"))')},
        ['rules/a.py:11 the group "two" has two rules with the name "Second"', "rules/a.py:7"],
    ),
    "two rules with one name in YAML": (
        {"rules/a.yaml": RULE_FILE + RULE_FILE.partition("rules:\n")[2]},
        ["rules/a.yaml:6:16 ", 'the group "plain" has two rules with the name "FromYaml"'],
    ),
    "two groups with one name": (
        {"rules/a.py": RULES.replace('"two"', '"one"')},
        ['rules/a.py:11 the group "one" exists twice in the namespace "a"'],
    ),
    "a rule in no group": (
        {"rules/a.py": RULES.replace("(SECOND,)", "()")},
        ['rules/a.py:7 the rule "Second" is in no group'],
    ),
    "two services with one name": (
        {"services/a.py": SERVICE, "services/b.py": SERVICE.replace("Web", "Other")},
        ['services/b.py the service "web" is used twice; the other is in services/a.py'],
    ),
    "two dashboards with one uid": (
        {"dashboards/a.py": DASHBOARD, "dashboards/b.py": DASHBOARD},
        ['dashboards/b.py the dashboard uid "u" is used twice'],
    ),
    "bad JSON": ({"dashboards/a.json": '{"uid": }'}, ["dashboards/a.json:1:9 not valid JSON"]),
    "JSON that is no dashboard": (
        {"dashboards/a.json": "[]"},
        ["a dashboard file must contain one JSON object"],
    ),
    "bad YAML": ({"rules/a.yaml": "groups: [\n"}, ["rules/a.yaml", "not valid YAML"]),
    "a data source without a uid": (
        {"datasources/a.yaml": "datasources:\n  - {name: a, type: loki, url: u}\n"},
        ["datasources/a.yaml:2:5 a data source needs `uid`"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_errors_have_positions(case: str, write_project) -> None:
    files, expected = CASES[case]
    write_project({"lokictl.toml": "", **files})
    with pytest.raises(LokictlError) as caught:
        load()
    shown = "\n".join(f"{p.position} {p.message} {p.hint}" for p in caught.value.problems)
    assert [part for part in expected if part not in shown] == [], shown
    assert len(caught.value.problems) == (2 if case == "two modules" else 1), shown


def test_problems_can_be_kept_beside_what_is_fine(write_project) -> None:
    write_project({"lokictl.toml": "", "rules/a.py": "1 / 0\n", "rules/b.py": RULES})
    project = load(strict=False)
    assert [problem.name for problem in project.problems] == ["project/import"]
    assert [file.namespace for file in project.rule_files] == ["b"]


def test_two_projects_with_the_same_folder_names_do_not_mix(tmp_path: Path) -> None:
    for name in ("first", "second"):
        folder = tmp_path / name / "services"
        folder.mkdir(parents=True)
        (folder / "web.py").write_text(SERVICE.replace('name="web"', f'name="{name}"'))
    names = [load(tmp_path / name).services[0].name for name in ("first", "second", "first")]
    assert names == ["first", "second", "first"]


def test_an_edited_module_is_read_again(write_project) -> None:
    root = write_project({"lokictl.toml": "", "services/web.py": SERVICE})
    assert load().services[0].name == "web"
    file = root / "services" / "web.py"
    file.write_text(SERVICE.replace('"web"', '"shop"'))
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 2_000_000_000))
    assert load().services[0].name == "shop"


def test_a_package_may_list_what_its_modules_define(write_project) -> None:
    root = write_project(
        {
            "lokictl.toml": "",
            "services/__init__.py": "from services.web import SERVICE\nSERVICES = (SERVICE,)\n",
            "services/web.py": SERVICE,
            "rules/__init__.py": "from rules.web import GROUPS\nEVERY = GROUPS\n",
            "rules/web.py": RULES,
        }
    )
    project = load(root)
    assert [service.name for service in project.services] == ["web"]
    assert [(file.namespace, len(file.groups)) for file in project.rule_files] == [("web", 2)]


def test_dashboards_and_data_sources_in_other_forms(write_project) -> None:
    classic = "apiVersion: dashboard.grafana.app/v1beta1\nkind: Dashboard\nmetadata: {name: shop}\n"
    v2 = "apiVersion: dashboard.grafana.app/v2beta1\nkind: Dashboard\nmetadata: {name: new}\n"
    write_project(
        {
            "lokictl.toml": "",
            "dashboards/a.yaml": classic + "spec: {title: Shop, schemaVersion: 41, panels: []}\n",
            "dashboards/b.yaml": v2
            + "spec: {title: New, elements: {}, layout: {kind: GridLayout, spec: {items: []}}}\n",
            "datasources/map.yaml": "kind: ConfigMap\nmetadata: {name: x}\ndata:\n  a.yaml: |\n"
            + "".join(f"    {line}\n" for line in DATASOURCES.splitlines()),
        }
    )
    project = load()
    assert [(item.uid, item.title) for item in project.dashboards] == [("shop", "Shop"), ("new", "New")]
    assert all(item.to_json()["uid"] == item.uid for item in project.dashboards)
    (source,) = project.datasources
    assert source.uid == "loki"
    assert source.origin is not None
    assert source.origin.position("url").line == 7
