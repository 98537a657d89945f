"""The pytest plugin, run by pytest itself."""

from __future__ import annotations

import pytest

from tests.testing.conftest import RULES

pytest_plugins = ["pytester"]

PASSES = """\
rule_files: [rules.yaml]
tests:
  - name: silence
    alert_rule_test: [{eval_time: 5m, alertname: ManyErrors, exp_alerts: []}]
"""
FAILS = """\
rule_files: [rules.yaml]
tests:
  - name: noise
    alert_rule_test:
      - {eval_time: 5m, alertname: ManyErrors, exp_alerts: [{exp_labels: {app: web}}]}
"""


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist", *arguments)


def test_yaml_files_are_collected(pytester: pytest.Pytester) -> None:
    pytester.makefile(
        ".yaml", rules=RULES, web_test=PASSES, test_more=FAILS, other=FAILS, compose_test="a: b"
    )
    result = run(pytester, "-v")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*test_more.yaml::noise FAILED*",
            "*web_test.yaml::silence PASSED*",
            "*FAIL test_more.yaml: noise",
            "*test_more.yaml:5:*ManyErrors: expected 1 alert to fire, none did, at 5m",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_the_folders_of_a_project_are_collected(pytester: pytest.Pytester) -> None:
    pytester.makefile(".toml", lokictl='tests = "checks"\nrules = "rules"\n')
    for folder in ("checks", "rules"):
        pytester.mkdir(folder)
    (pytester.path / "rules" / "web.yaml").write_text(RULES)
    (pytester.path / "checks" / "web.yaml").write_text(PASSES.split("\n", 1)[1])
    run(pytester).assert_outcomes(passed=1)


def test_names_can_be_set(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nlokictl_files = *.check.yaml\n")
    pytester.makefile(".yaml", rules=RULES, web_test=FAILS)
    (pytester.path / "web.check.yaml").write_text(PASSES)
    run(pytester).assert_outcomes(passed=1)


def test_a_file_that_cannot_be_read_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.makefile(".yaml", rules=RULES, web_test=PASSES.replace("name: silence", "nmae: silence"))
    pytester.makefile(".yaml", x_test="tests: [{alert_rule_test: [}]\n")
    result = run(pytester)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(['*web_test.yaml:3:5: error: unknown key "nmae" in a test*'])


def test_the_fixture_runs_rules_from_python(pytester: pytest.Pytester) -> None:
    pytester.makefile(".yaml", rules=RULES)
    pytester.makepyfile(
        """
        import pytest

        def test_it(rule_test):
            rule_test.add_rules("rules.yaml")
            rule_test.push({"app": "web"}, line="an error ${index}", every="30s", count=10)
            rule_test.push({"app": "web"}, json={"late": 1}, at="1m", arrives_at="3m")
            rule_test.push({"app": "web"}, logfmt={"n": 1}, at="1m", structured_metadata={"trace_id": "t"})
            assert rule_test.state("ManyErrors", "1m") == "pending"
            assert rule_test.state("ManyErrors", "0s") == "inactive"
            (alert,) = rule_test.alerts("ManyErrors", "2m")
            assert alert.annotations == {"summary": "4 errors"}
            assert rule_test.alerts("ManyErrors", "9m") == []
            assert sorted(sample.value for sample in rule_test.samples("web:lines:count2m", "2m")) == [5.0]
            assert sorted(sample.value for sample in rule_test.samples("web:lines:count2m", "3m")) == [4.0]
            assert rule_test.query('sum(count_over_time({app="web"} | json | late="1" [5m]))', "3m").vector
            assert rule_test.errors("ManyErrors", "2m") == []
            with pytest.raises(ValueError, match='did you mean "ManyErrors"'):
                rule_test.state("ManyError", "1m")
        """
    )
    run(pytester).assert_outcomes(passed=1)
