"""What is watched: one module per service.  Dashboards, rules, tests and collectors read these descriptions."""

from __future__ import annotations

from lokictl.model import Service
from services import agents, ryot, sigmalang, sigmavault

SERVICES: tuple[Service, ...] = (ryot.SERVICE, sigmalang.SERVICE, sigmavault.SERVICE, agents.SERVICE)
"""Every service, in the order in which people see them; a new service is added here."""
