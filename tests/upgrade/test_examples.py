"""The small example of each behavior: the embedded engine and real Lokis give the answers that it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from lokictl.backends.binary import BinaryBackend
from lokictl.backends.url import UrlBackend, new_tenant
from lokictl.logql.versions import BEHAVIORS, FIRST, Behavior, LokiVersion
from lokictl.upgrade.examples import example_answers, example_of, real_answers, versions_of
from tests.upgrade.real import around, programs

SHOWN = [
    behavior
    for behavior in BEHAVIORS
    if example_of(behavior) is not None and (behavior.since > FIRST or behavior.until is not None)
]
NAMES = [behavior.name for behavior in SHOWN]


WITHOUT = {
    "approx-topk": "what it answers before 3.6 depends on how the Loki shards",
    "approx-topk-runs": "as above",
    "backticks-in-label-regexes": "the words of the failure depend on how the Loki is deployed",
    "conflicts-each-line": "shows only over several streams",
    "late-alert-functions": "templates of alerting rules, which no query has",
    "signed-durations-in-alerts": "templates of alerting rules, which no query has",
    "title-by-words": "templates of alerting rules, which no query has",
    "query-offset-of-groups": "what a rule file may have, which no query shows",
    "labels-of-groups": "what a rule file may have, which no query shows",
    "any-names-in-rules": "what a rule file may have, which no query shows",
    "rules-read-as-text": "what a rule file may have, which no query shows",
    "streams-at-the-start": "shows only where lines are read from the store",
    "status-of-two-errors": "shows in the status of an answer alone",
    "categories": "shows only with a header of the request",
    "stream-labels-as-they-are": "shows only where whoever pushes writes escapes",
}
"""The behaviors that a small example cannot show, with the reason; recordings prove them."""


def test_every_dated_behavior_has_an_example() -> None:
    dated = {item.name for item in BEHAVIORS if item.since > FIRST or item.until is not None}
    assert dated - set(NAMES) == set(WITHOUT)


@pytest.mark.parametrize("behavior", SHOWN, ids=NAMES)
def test_both_versions_answer_differently(behavior: Behavior) -> None:
    before, after = versions_of(behavior)
    assert example_answers(behavior, before) != example_answers(behavior, after)


@pytest.fixture(scope="module")
def lokis() -> Iterator[Callable[[LokiVersion], BinaryBackend]]:
    """Running Lokis by version; each is started once."""
    started: dict[LokiVersion, BinaryBackend] = {}
    with ExitStack() as stack:

        def start(version: LokiVersion) -> BinaryBackend:
            if version not in started:
                started[version] = stack.enter_context(BinaryBackend(programs()[version]))
            return started[version]

        yield start


def answer_of(loki: BinaryBackend, behavior: Behavior) -> str:
    """What a real Loki answers to the example of a behavior, in a tenant of its own."""
    example = example_of(behavior)
    assert example is not None
    backend = loki.fresh(discover_log_levels=example.detect_levels)
    assert isinstance(backend, UrlBackend)
    backend.client.tenant = backend.client.tenant or new_tenant()
    return real_answers(behavior, backend.client)


@pytest.mark.slow
@pytest.mark.real_loki
@pytest.mark.parametrize("behavior", SHOWN, ids=NAMES)
def test_real_lokis_answer_as_the_example_says(
    behavior: Behavior, lokis: Callable[[LokiVersion], BinaryBackend]
) -> None:
    _, changed = versions_of(behavior)
    old, new = around(changed)
    found = {version: answer_of(lokis(version), behavior) for version in (old, new)}
    assert found == {version: example_answers(behavior, version) for version in (old, new)}
    assert found[old] != found[new]
