"""The log lines behind an episode, and the way to look at it in Grafana."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote

from lokictl.backtest.fetch import log_ranges
from lokictl.backtest.history import FoundLine, LinesRequest
from lokictl.backtest.results import Episode, RuleHistory
from lokictl.backtest.session import Session
from lokictl.durations import MINUTE
from lokictl.ruler.groups import never_runs

SHOWN_LINES = 3
EPISODES_WITH_LINES = 20

Chosen = Sequence[tuple[RuleHistory, Episode]]


def sample_lines(session: Session, chosen: Chosen, *, limit: int = SHOWN_LINES) -> dict[int, list[FoundLine]]:
    """The newest lines that each episode counted when it fired, by the identity (`id`) of the episode.

    The first range of the expression that has any wins: in a ratio, that of the errors.
    """
    wanted: list[tuple[int, LinesRequest]] = []
    for history, episode in chosen:
        if never_runs(history.rule):
            continue
        for node in list(log_ranges(history.rule.expression))[:2]:
            end = episode.fired_at - node.offset
            wanted.append((id(episode), LinesRequest(str(node.log), end - node.range, end, limit)))
    found: dict[int, list[FoundLine]] = {}
    for (key, _), lines in zip(wanted, session.lines([request for _, request in wanted]), strict=True):
        if lines and key not in found:
            found[key] = lines
    return found


def with_lines(histories: Sequence[RuleHistory], limit: int = EPISODES_WITH_LINES) -> Chosen:
    """The episodes whose lines are worth fetching: the last ones of each alert."""
    return [(history, episode) for history in histories for episode in history.episodes[-limit:]]


def explore_link(base: str, datasource: str, history: RuleHistory, episode: Episode) -> str:
    """The address of Grafana Explore with the rule's expression around an episode."""
    around = max((episode.end(history.end) - episode.active_at) // 2, 15 * MINUTE)
    query = {
        "refId": "A",
        "expr": " ".join(history.rule.expr.split()),
        "queryType": "range",
        "datasource": {"type": "loki", "uid": datasource},
    }
    panes = {
        "a": {
            "datasource": datasource,
            "queries": [query],
            "range": {
                "from": str((episode.active_at - around) // 1_000_000),
                "to": str((episode.end(history.end) + around) // 1_000_000),
            },
        }
    }
    text = quote(json.dumps(panes, separators=(",", ":"), ensure_ascii=False), safe="")
    return f"{base.rstrip('/')}/explore?schemaVersion=1&orgId=1&panes={text}"
