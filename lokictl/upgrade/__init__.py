"""What another version of Loki changes in rules, dashboards, tests and Loki's own configuration."""

from lokictl.upgrade.changes import Change, Kind, Place, changes_in_queries
from lokictl.upgrade.report import Report, upgrade

__all__ = ["Change", "Kind", "Place", "Report", "changes_in_queries", "upgrade"]
