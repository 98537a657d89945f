"""What rules would have done on the logs of the past.

::

    history = FileHistory(["api.ndjson"], {"app": "api"})     # or open_loki(access)
    session = Session(history, start_ns, end_ns)
    session.open(groups)
    backtest = session.run(groups)                            # Backtest: a RuleHistory for each rule
    for alert in backtest.alerts:
        alert.episodes, alert.near_misses, alert.headroom, alert.failures, alert.missing

`compare` puts the same history under other rules beside it, `sweep` varies thresholds, `judge` compares with known
incidents.  The outputs are in `lokictl.backtest.outputs`.  See docs/backtest.md for how it works.
"""

from lokictl.backtest.cache import Cache
from lokictl.backtest.comparison import Comparison, compare
from lokictl.backtest.evaluation import Settings, evaluate_rule
from lokictl.backtest.file_history import FileHistory
from lokictl.backtest.history import History
from lokictl.backtest.incidents import Incident, Score, judge, load_incidents
from lokictl.backtest.results import Backtest, Episode, NearMiss, RuleHistory
from lokictl.backtest.session import Session
from lokictl.backtest.sweep import Axis, Sweep, parse_axis, sweep

__all__ = [
    "Axis",
    "Backtest",
    "Cache",
    "Comparison",
    "Episode",
    "FileHistory",
    "History",
    "Incident",
    "NearMiss",
    "RuleHistory",
    "Score",
    "Session",
    "Settings",
    "Sweep",
    "compare",
    "evaluate_rule",
    "judge",
    "load_incidents",
    "parse_axis",
    "sweep",
]
