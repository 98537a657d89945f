"""Checks of Grafana-managed alert rules, contact points and notification policies."""

from __future__ import annotations

from lokictl.lint.interface import Check
from lokictl.lint.managed import notifications, rules

CHECKS: tuple[type[Check], ...] = (*rules.CHECKS, *notifications.CHECKS)
