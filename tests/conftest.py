"""What every test shares: the table of skipped tests at the end of a run."""

from __future__ import annotations

import os
import tempfile
from collections import Counter

from _pytest.terminal import TerminalReporter
from hypothesis import HealthCheck, settings

# How long an example takes says more about the machine than about the code.  A commit is judged by the same examples
# each time; `pytest --hypothesis-profile explore` looks for others.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", RELAXED, derandomize=True)
settings.register_profile("explore", RELAXED)
settings.load_profile("repeatable")

# What commands remember of their last runs is none of the user's.
_CACHE = tempfile.TemporaryDirectory(prefix="lokictl-tests-")
os.environ["XDG_CACHE_HOME"] = _CACHE.name

collect_ignore = ["golden"]  # its rule tests fail on purpose; tests/test_golden.py runs them


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print one line per reason for which tests were skipped, the most frequent first."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[reason.removeprefix("Skipped: ")] += 1
    if not reasons:
        return
    terminalreporter.section("skipped tests")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count:5}  {reason}")
