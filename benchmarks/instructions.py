"""How many instructions short pieces of work take, counted by valgrind: the same on a busy machine and on an idle one.

One process imports everything and prepares the inputs; each piece of work then runs in a fork of it, whose instructions
callgrind counts.  What is kept and compared is the ratio to a piece of plain Python (`reference`), counted in the same
run, so that another build of the same Python does not matter much.  `python -m benchmarks.instructions --write` renews
`instructions.json` for the Python that runs it; `tests/test_instructions.py` fails where a ratio has grown by a fifth.
"""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

FILE = Path(__file__).with_suffix(".json")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
GROWTH = 1.2
"""A ratio may grow by a fifth."""
LINES = 3_000
Work = Callable[[], object]


def reference() -> int:
    """What every program does: dictionaries, strings, sorting, calls."""
    total = 0
    for number in range(20_000):
        fields = {"name": f"item-{number % 97}", "value": number, "text": str(number * 7)}
        total += len(fields["name"]) + fields["value"] % 3 + max(1, len(fields["text"]))  # type: ignore[arg-type,operator]
    return total + len(sorted(range(20_000), key=lambda item: item % 1_000))


def prepared() -> dict[str, Work]:
    """Name -> work, with its inputs ready."""
    from benchmarks import lint as lint_inputs
    from benchmarks import suites
    from benchmarks.logs import HOUR, START, json_lines
    from lokictl.engine import Engine, LogStore
    from lokictl.lint import lint_text
    from lokictl.logql import parse
    from lokictl.model import parse_rule_files
    from lokictl.model.yaml_writer import dump_yaml
    from lokictl.testing.loading import parse_test_file
    from lokictl.testing.rule_set import RuleSet
    from lokictl.testing.runner import Suite, run_tests

    store = LogStore()
    store.push({"a": "b"}, json_lines(LINES))
    rules = suites.rule_file(40)
    rule_text = dump_yaml(rules)
    chance = Random(5)
    tests = {"rule_files": ["x"], "tests": [suites.rule_test(number, 10, chance) for number in range(20)]}
    test_text = dump_yaml(tests)
    rule_set = RuleSet(tuple(parse_rule_files(rule_text, "rules.yaml")))
    dashboards = [json.dumps(lint_inputs.dashboard(number), indent=2) for number in range(4)]
    queries = [rule["expr"] for group in suites.rule_file(150)["groups"] for rule in group["rules"]]

    def asked(query: str, **more: int) -> Work:
        return lambda: Engine(store).query_range(query, start=START, end=START + HOUR, **more)

    def run() -> None:
        assert run_tests(Suite((parse_test_file(test_text, "x_test.yaml"),), (rule_set,))).passed

    # What is imported and compiled once is not counted.
    lint_text(dump_yaml(suites.rule_file(1)), "small.yaml")
    lint_text(json.dumps({**lint_inputs.dashboard(9), "panels": []}), "small.json")
    few = LogStore()
    few.push({"a": "b"}, json_lines(9))
    Engine(few).query_range('{a="b"} | json | duration_ms > 1 | level!="none"', start=START, end=START + HOUR)
    step = 60_000_000_000
    return {
        "reference": reference,
        "log query": asked('{a="b"} | json | duration_ms > 1500 | level="error"', limit=5000),
        "rate": asked('sum by (level) (rate({a="b"} | json | duration_ms > 100 [5m]))', step=step),
        "quantile": asked(
            'quantile_over_time(0.99, {a="b"} | json | unwrap duration_ms [5m]) by (module)', step=step
        ),
        "rule tests": run,
        "lint of rules": lambda: lint_text(rule_text, "rules.yaml"),
        "lint of dashboards": lambda: [lint_text(text, f"{n}.json") for n, text in enumerate(dashboards)],
        "parsing": lambda: [parse(query) for query in queries],
        "writing YAML": lambda: dump_yaml(rules),
    }


def in_forks() -> None:
    """Runs each piece of work in a fork, and prints its name and the process."""
    gc.disable()
    works = {"nothing": lambda: None, **prepared()}
    for name, work in works.items():
        process = os.fork()
        if process == 0:
            work()
            os._exit(0)
        _, status = os.waitpid(process, 0)
        if status:
            raise SystemExit(f"{name}: ended with {status}")
        print(f"{process} {name}", flush=True)


def counted() -> dict[str, float]:
    """Instructions of each piece of work, in those of the reference."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(
        [*command, "-m", "benchmarks.instructions", "--forks"],
        capture_output=True, text=True, check=False, env=environment, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    if ended.returncode:
        raise RuntimeError(f"callgrind failed: {ended.stderr[-2000:]}")
    totals = dict(re.findall(r"^==(\d+)== Collected : (\d+)", ended.stderr, re.MULTILINE))
    names = dict(line.split(" ", 1) for line in ended.stdout.splitlines())
    counts = {name: int(totals[process]) for process, name in names.items()}
    nothing = counts.pop("nothing")
    own = {name: count - nothing for name, count in counts.items()}
    return {name: round(count / own["reference"], 3) for name, count in own.items() if name != "reference"}


def kept() -> dict[str, float]:
    """The ratios that are committed for this Python; empty where there are none."""
    known: dict[str, dict[str, float]] = json.loads(FILE.read_text(encoding="utf-8"))
    return known.get(PYTHON, {})


def write() -> None:
    """Keeps what is counted now."""
    known = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    known[PYTHON] = counted()
    FILE.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")


def main() -> bool:
    """Compares with what is kept; False where a ratio has grown too much."""
    if not shutil.which("valgrind") or not kept():
        print(f"  not counted: no valgrind on PATH, or no counts are kept for Python {PYTHON}")
        return True
    found, known = counted(), kept()
    for name, ratio in found.items():
        print(f"  {name}: {ratio:.3f} × the reference, kept: {known[name]:.3f}")
    return all(ratio <= known[name] * GROWTH for name, ratio in found.items())


if __name__ == "__main__":
    if "--forks" in sys.argv:
        in_forks()
    elif "--write" in sys.argv:
        write()
    else:
        raise SystemExit(0 if main() else 1)
